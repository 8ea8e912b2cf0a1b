"""A run's report: complete or not, small or large, of any device, without anything from outside."""

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import ffzero_lab.figures
import ffzero_lab.report.writing
from ffzero_lab.errors import InputError
from ffzero_lab.figures.page import html_of
from ffzero_lab.report import write_report, write_reports
from ffzero_lab.report.account import account_of
from ffzero_lab.report.problems import problems_of
from ffzero_lab.report.writing import page_of


@pytest.fixture(scope="module")
def page(mesh_run: Path) -> Path:
    return write_report(mesh_run)


def test_the_page_needs_nothing_from_outside(page: Path) -> None:
    whole = page.read_text(encoding="utf-8")
    sources = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", whole)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"<(script|link|iframe|object)\b|@import|url\(", whole)


def test_every_figure_stands_in_the_page_and_beside_it_as_png_and_svg(page: Path) -> None:
    folder = page.parent / "figures"
    stems = {path.stem for path in folder.iterdir()}
    assert stems == {
        "learning", "confusion", "prototypes", "chip-layer0", "chip-layer1", "parameters-layer0", "parameters-layer1",
        "slopes", "epsilon", "device-time",
    }  # fmt: skip
    inside = [base64.b64decode(code) for code in re.findall(r"data:image/[a-z+]+;base64,([^\"]+)", page.read_text())]
    for stem in stems:
        png, svg = ((folder / f"{stem}.{kind}").read_bytes() for kind in ("png", "svg"))
        assert png.startswith(b"\x89PNG")
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert svg in inside or png in inside


def test_the_page_tells_the_result_the_cost_and_where_it_came_from(page: Path) -> None:
    whole, run = page.read_text(encoding="utf-8"), page.parent
    summary, manifest = (json.loads((run / f"{name}.json").read_text()) for name in ("summary", "manifest"))
    for told in (
        f"{100.0 * summary['test_accuracy']['sum']:.1f}\N{NO-BREAK SPACE}%",
        f"{summary['shots']:,}",
        f"{sum(own['shots'] for own in manifest['plan']['counts'].values()):,}",
        manifest["run_id"],
        manifest["dataset"]["fingerprint"],
        manifest["versions"]["numpy"],
        "computed from an ideal, lossless mesh at these phases, not measured",
    ):
        assert told in whole


def test_numbers_of_the_confusion_add_up_to_the_accuracy_of_the_summary(page: Path) -> None:
    account = account_of(page.parent)
    assert account.summary is not None
    right = round(account.summary["test_accuracy"]["sum"] * account.manifest["dataset"]["test"])
    assert f"{right} of {account.manifest['dataset']['test']} test patterns" in page.read_text(encoding="utf-8")


def test_a_run_without_its_later_files_is_told_as_far_as_it_came(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    for name in ("summary.json", "evaluation.npz", "start.npz", "checkpoint.npz", "checkpoint.previous.npz"):
        (copy / name).unlink()
    rows = (copy / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (copy / "metrics.jsonl").write_bytes(rows[0] + rows[1][:20])
    whole = html_of(page_of(account_of(copy)))
    for told in ("incomplete", "was not measured", "chip cannot be drawn", "nothing can be compared", "0 of 2"):
        assert told in whole
    (copy / "metrics.jsonl").unlink()
    assert "No step was logged" in html_of(page_of(account_of(copy)))
    (copy / "metrics.jsonl").write_text('{"event": "problem", "message": "full scale"}\n')
    assert "full scale" in html_of(page_of(account_of(copy)))


def test_damaged_files_are_told_and_the_rest_is_drawn(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    (copy / "evaluation.npz").write_bytes(b"PK nonsense")
    (copy / "metrics.jsonl").write_text('{"event": "step"}\n')
    account = account_of(copy)
    assert any("evaluation.npz is a corrupt" in told for told in account.unreadable)
    assert any("metrics.jsonl is damaged" in told for told in account.unreadable)
    assert len(account.after) == 2


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("summary.json", "[]", "summary.json cannot be read: it is no table"),
        ("summary.json", "{}", "summary.json is damaged, or was written by another version: it lacks layers"),
        ("summary.json", '{"shots": NaN}', "NaN is no number of JSON"),
        ("status.json", '"running"', "status.json cannot be read"),
        ("metrics.jsonl", '{"event": "layer", "layer": 0}\n', "metrics.jsonl is damaged: KeyError: 'steps'"),
        ("metrics.jsonl", "[" * 100_000 + "\n", "metrics.jsonl is damaged: RecursionError"),
    ],
)
def test_json_that_no_run_writes_is_told_and_the_rest_is_drawn(
    mesh_run: Path, tmp_path: Path, file: str, content: str, told: str
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    (copy / file).write_text(content)
    account = account_of(copy)
    assert [told in each for each in account.unreadable] == [True]
    assert problems_of(account)
    assert len(account.after) == 2


def test_rows_of_a_layer_that_the_device_does_not_have_are_damage(mesh_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    rows = (copy / "metrics.jsonl").read_text()
    (copy / "metrics.jsonl").write_text(rows + rows.splitlines()[0].replace('"layer": 0', '"layer": 7') + "\n")
    assert any("no layer 7" in told for told in account_of(copy).unreadable)


def test_a_manifest_that_lacks_something_is_one_message(mesh_run: Path, tmp_path: Path) -> None:
    manifest = json.loads((mesh_run / "manifest.json").read_text())
    del manifest["plan"]["counts"], manifest["started"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json is damaged, or was written by another version: it lacks sta"):
        account_of(tmp_path)
    manifest["started"] = "2026-01-01T00:00:00+00:00"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"lacks plan\.counts"):
        account_of(tmp_path)


def test_what_is_no_training_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder"):
        write_report(tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "protocol"}')
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "metrics.jsonl").write_text("")
    with pytest.raises(InputError, match=r"protocol, which trained in .*training"):
        write_report(tmp_path)
    (tmp_path / "training" / "metrics.jsonl").unlink()
    with pytest.raises(InputError, match=r"a protocol that trained nothing"):
        write_reports(tmp_path)


def test_of_a_protocol_the_reports_of_its_training_runs_are_written(
    mesh_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifest.json").write_text('{"kind": "protocol"}')
    for name in ("02-train", "10-train"):
        shutil.copytree(mesh_run, tmp_path / name)
    asked: list[Path] = []

    def write(run: Path) -> Path:
        asked.append(run)
        return run / "report.html"

    monkeypatch.setattr(ffzero_lab.report.writing, "write_report", write)
    assert write_reports(tmp_path) == [tmp_path / "02-train" / "report.html", tmp_path / "10-train" / "report.html"]
    assert asked == [tmp_path / "02-train", tmp_path / "10-train"]


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, mesh_run: Path) -> None:
    monkeypatch.setattr(ffzero_lab.figures, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=re.escape('pip install "ffzero-lab[report]"')):
        write_report(mesh_run)


def test_a_hundred_thousand_rows_are_gathered_in_seconds_and_drawn_by_few_points(
    mesh_run: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(mesh_run, copy)
    rows = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    step = next(row for row in rows if row["event"] == "step")
    with (copy / "metrics.jsonl").open("w") as file:
        for number in range(1, 100_001):
            file.write(json.dumps(step | {"step": number, "readings": 2 * number, "device_seconds": 1e-3 * number}))
            file.write("\n")
    began_s = time.process_time()
    account = account_of(copy)
    from ffzero_lab.report.curves import learning

    figure = learning(account)
    assert time.process_time() - began_s < 30.0
    assert len(account.rows.layers[0].columns["loss"]) == 100_000
    drawn = [len(np.asarray(line.get_xdata())) for axes in figure.axes for line in axes.get_lines()]
    assert max(drawn) <= 1200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "drawn"),
    [
        (("--device", "twin:mechanical", "--set", "device.nx=4", "--set", "device.ny=3"), "The lattice of layer 0"),
        (("--device", "twin:crossbar",), "The array of layer 1"),
        (("--set", "device.topology=cascaded", "--preset", "ideal"), "without the activation"),
        (("--rule", "bp-dd"), "The mesh of layer 1"),
    ],
)  # fmt: skip
def test_every_kind_of_device_and_rule_has_a_report(
    run_of: Callable[..., Path], arguments: tuple[str, ...], drawn: str
) -> None:
    small = () if "--device" in arguments else ("--set", "device.ports=8")
    run = run_of("--dataset", "iris", "--steps", 30, *small, *arguments)
    whole = write_report(run).read_text(encoding="utf-8")
    assert drawn in whole
    assert "Which class was taken for which" in whole


@pytest.mark.slow
def test_a_regression_shows_predicted_against_true(run_of: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.uniform(size=(80, 3))
    rows = "\n".join(",".join(f"{value:.4f}" for value in (*row, row.sum())) for row in inputs)
    (tmp_path / "sums.csv").write_text("a,b,c,label\n" + rows + "\n")
    run = run_of("--dataset", f"csv:{tmp_path / 'sums.csv'}", "--task", "regression", "--set", "device.ports=8",
                 "--steps", 40)  # fmt: skip
    whole = write_report(run).read_text(encoding="utf-8")
    assert "Predicted against true" in whole
    assert "Which class" not in whole
