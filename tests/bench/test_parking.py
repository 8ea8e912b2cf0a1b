"""Parking under failures: everything is tried, light goes off first, the first error is told with the others."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.bench import Bench
from drivers.bench.parking import Ending, end_in_stages
from ffzero_lab import open_device
from ffzero_lab.device import LinkLost, LinkTimeout

Mount = Callable[[], Bench]
NAMES = ("rows", "cells", "columns")


def energised(bench: Bench) -> Bench:
    bench.write_parameters(0, np.full(35, 0.5))
    bench.load_inputs(0, np.ones((1, 6)))
    bench.read_outputs(0, np.zeros(1, dtype=np.intp))
    return bench


def asked(fakes: Any, what: str) -> list[str]:
    return [name for name, did, *_ in fakes.TABLES["table"].log if did == what]


def test_the_light_goes_off_first(fakes: Any, mount: Mount) -> None:
    energised(mount()).park()
    assert asked(fakes, "park") == [*NAMES]
    assert not fakes.TABLES["table"].parameters.any()
    assert not fakes.TABLES["table"].inputs.any()


@pytest.mark.parametrize("failing", NAMES)
def test_one_instrument_that_fails_keeps_no_other_from_parking(fakes: Any, mount: Mount, failing: str) -> None:
    bench = energised(mount())
    fakes.TABLES["table"].failing[failing, "park"] = LinkLost(f"{failing}: the cable is out")
    with pytest.raises(LinkLost, match=f"{failing}: the cable is out") as caught:
        bench.park()
    assert asked(fakes, "park") == [*NAMES]
    assert caught.value.__notes__ == [f"that was parking {failing!r}; every other instrument was tried as well"]


def test_the_first_error_is_raised_with_the_others_as_notes(fakes: Any, mount: Mount) -> None:
    bench = energised(mount())
    for name in NAMES:
        fakes.TABLES["table"].failing[name, "park"] = LinkLost(f"{name} is gone")
    with pytest.raises(LinkLost, match="rows is gone") as caught:
        bench.park()
    own, *others = caught.value.__notes__
    assert own.startswith("that was parking 'rows'")
    for name, note in zip(NAMES[1:], others, strict=True):
        assert note.startswith(f"as well: {name} is gone\nthat was parking {name!r}")


@pytest.mark.parametrize("failing", NAMES)
def test_closing_lets_everything_go_though_parking_fails(fakes: Any, mount: Mount, failing: str) -> None:
    bench = energised(mount())
    fakes.TABLES["table"].failing[failing, "park"] = LinkLost("no answer")
    fakes.TABLES["table"].failing[failing, "close"] = LinkLost("no answer to closing")
    with pytest.raises(LinkLost, match="no answer") as caught:
        bench.close()
    assert sorted(asked(fakes, "close")) == sorted(NAMES)
    assert "no answer to closing" in " ".join(caught.value.__notes__)
    bench.close()
    assert len(asked(fakes, "close")) == len(NAMES)


def test_after_parking_other_layers_are_written_as_parked(fakes: Any, mount: Mount) -> None:
    bench = energised(mount())
    bench.park()
    bench.write_parameters(1, np.full(24, 0.25))
    assert not fakes.TABLES["table"].parameters[:35].any()


def test_an_instrument_that_hangs_is_left_to_itself() -> None:
    done: list[str] = []
    hanging = threading.Event()
    stages = [
        [Ending("laser", lambda: bool(hanging.wait(30.0)) and None), Ending("shutter", lambda: done.append("shutter"))],
        [Ending("heaters", lambda: done.append("heaters"))],
    ]
    with pytest.raises(LinkTimeout, match=r"parking 'laser' did not end within 0\.05 s; its outputs may still be on"):
        end_in_stages(stages, 0.05)
    hanging.set()
    assert done == ["shutter", "heaters"]


def test_the_time_for_parking_is_that_of_the_file(fakes: Any, mount: Mount, content: dict[str, Any]) -> None:
    content["timing"]["park_s"] = 0.2
    bench = mount()
    released = threading.Event()
    bench._instruments.inputs["rows"].driver.park = lambda: released.wait(30.0)  # type: ignore[method-assign, assignment]
    with pytest.raises(LinkTimeout, match=r"parking 'rows' did not end within 0\.06 s"):
        bench.park()
    released.set()
    assert bench._instruments.actuators["cells"].wiring.park_s == pytest.approx(0.06)


def test_the_guard_gives_a_bench_the_time_of_its_file(fakes: Any, content: dict[str, Any]) -> None:
    content["timing"]["park_s"] = 12.0
    with open_device("drivers.bench:Bench", **content) as bench:
        assert bench._park_deadline_s == 12.0
