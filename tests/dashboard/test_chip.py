"""The chip map is that of the run's own device, with the newest parameters that can be read."""

from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient


def test_a_mesh_is_drawn_with_its_newest_parameters(server: TestClient, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    drawing = server.get("/api/drawing/run?layer=1").json()
    assert drawing["plan"]["kind"] == "mesh"
    assert [group["name"] for group in drawing["plan"]["groups"]] == ["theta", "phi", "gamma"]
    assert drawing["layers"] == 2
    told = server.get("/api/parameters/run?layer=1").json()
    np.testing.assert_allclose(told["values"], made.parameters()["layer1.parameters"], rtol=1e-4)
    assert told["from"] == "checkpoint"


def test_another_checkpoint_gives_other_parameters_and_a_damaged_one_the_one_before(
    server: TestClient, runs: Path, made: Any
) -> None:
    with made.begun(runs / "run") as run:
        for seed in (1, 2):
            run.checkpoint(made.parameters(seed=seed), {}, 0)
            told = server.get("/api/parameters/run").json()
            np.testing.assert_allclose(told["values"], made.parameters(seed=seed)["layer0.parameters"], rtol=1e-4)
    (runs / "run" / "checkpoint.npz").write_bytes(b"PK half of it")
    told = server.get("/api/parameters/run").json()
    np.testing.assert_allclose(told["values"], made.parameters(seed=1)["layer0.parameters"], rtol=1e-4)


def test_layers_that_were_trained_as_one_are_told_apart(server: TestClient, runs: Path, made: Any) -> None:
    with made.begun(runs / "run") as run:
        run.checkpoint({"layer0.parameters": np.arange(128.0)}, {}, 0)
    assert server.get("/api/parameters/run?layer=1").json()["values"] == list(range(64, 128))


def test_a_layer_that_there_is_not_is_refused(server: TestClient, runs: Path, made: Any) -> None:
    made.finished(runs / "run")
    for layer, code in (("2", 404), ("-1", 400), ("x", 400), ("9" * 30, 400)):
        assert server.get(f"/api/drawing/run?layer={layer}").status_code == code
        assert server.get(f"/api/parameters/run?layer={layer}").status_code == code


def test_a_run_without_parameters_says_so(server: TestClient, runs: Path, made: Any) -> None:
    with made.begun(runs / "run"):
        pass
    answer = server.get("/api/parameters/run")
    assert answer.status_code == 404
    assert "first checkpoint" in answer.json()["error"]
