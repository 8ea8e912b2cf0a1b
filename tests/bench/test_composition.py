"""What a bench asks of its instruments, and what it makes of their answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.bench import Bench, LinkTable
from drivers.twin.crossbar import CrossbarTwin
from ffzero_lab.device import BadReply, DarkBatch, Guarded, LimitViolation, LinkLost, LinkTimeout, StagingLost

Mount = Callable[[], Bench]
ROWS = np.arange(7, dtype=np.intp)


def patterns(layer: int, count: int = 7) -> Any:
    return np.random.default_rng(layer).uniform(-1.0, 1.0, (count, (6, 5)[layer]))


def table(fakes: Any) -> Any:
    return fakes.TABLES["table"]


def restarting_at(fakes: Any, call: str) -> None:
    """Let everything on the table restart once, at the next such call."""
    restarts = [StagingLost("the rack has restarted")]
    note = table(fakes).note

    def restarting(name: str, what: str, *more: Any) -> None:
        note(name, what, *more)
        if what == call and restarts:
            table(fakes).parameters[:] = 0.0
            raise restarts.pop()

    table(fakes).note = restarting


def test_opening_asks_nothing_and_energises_nothing(fakes: Any, mount: Mount) -> None:
    mount()
    assert {what for _, what in table(fakes).counted()} == {"open"}


def test_the_description_needs_no_instrument(fakes: Any, content: Any) -> None:
    config = Bench.Config.model_validate(content)
    rows = Bench.wiring(config)
    assert table(fakes).log == []
    assert rows[1] == {
        "layer": 0,
        "what": "weights",
        "indices": "0-29",
        "instrument": "cells",
        "channels": "1-30",
        "limits": "-1.5 to 1.5 share, safe 0 share",
    }
    assert [row["channels"] for row in rows if row["instrument"] == "cells"] == ["1-30", "31-35", "36-55", "56-59"]


def test_writing_one_layer_leaves_the_other_where_it_stands_and_lets_settle(fakes: Any, mount: Mount) -> None:
    bench = mount()
    first, second = np.linspace(-1, 1, 35), np.linspace(0, 1, 24)
    bench.write_parameters(0, first)
    bench.write_parameters(1, second)
    bench.write_parameters(0, -first)
    assert np.array_equal(table(fakes).parameters, np.concatenate([-first, second]))
    assert table(fakes).counted()["cells", "write"] == 3
    assert bench.clock.now_s() == pytest.approx(0.03)
    assert np.array_equal(bench.read_parameters(1), second)


def test_what_the_safe_values_draw_counts_against_the_budget(fakes: Any, content: Any, mount: Mount) -> None:
    cells = content["actuators"]["cells"]
    del cells["lower_share"], cells["upper_share"]
    cells |= {"lower_v": 0.0, "upper_v": 2.0, "safe_v": 1.0}
    for layer in content["layers"]:
        for group in layer["groups"]:
            group.pop("start_share", None)
            group["resistance_ohm"] = 100.0
    content["bench"]["power_budget_w"] = 0.5  # layer 0 draws 0.35 W at 1 V, layer 1 0.24 W
    device = Guarded(mount())
    with pytest.raises(LimitViolation, match=r"the actuators would draw 0\.5537 W, the budget is 0\.5 W"):
        device.write_parameters(1, np.full(24, np.sqrt(100.0 * (0.5537 - 0.35) / 24)))
    device.write_parameters(1, np.full(24, 0.75))
    assert table(fakes).parameters[0] == 1.0


def test_channels_go_where_the_file_says(fakes: Any, content: Any, mount: Mount) -> None:
    content["layers"][0]["groups"][0]["channels"] = ["30", "1-29"]
    bench = mount()
    bench.write_parameters(0, np.concatenate([[0.5], np.zeros(34)]))
    assert np.flatnonzero(table(fakes).parameters).tolist() == [29]
    assert bench.read_parameters(0)[0] == 0.5


def test_without_a_memory_patterns_are_presented_one_by_one(fakes: Any, mount: Mount) -> None:
    bench = mount()
    bench.load_inputs(0, patterns(0))
    bench.load_inputs(1, patterns(1))
    bench.read_outputs(1, np.array([4, 2], dtype=np.intp))
    presented = [more[0] for name, what, *more in table(fakes).log if what == "present"]
    assert np.array_equal(presented, np.hstack([np.zeros((2, 6)), patterns(1)[[4, 2]]]))  # the other layer stays dark
    assert bench.clock.now_s() == pytest.approx(0.004)


@pytest.mark.parametrize(
    ("memory", "rows", "loads", "recalled"),
    [
        (7, ROWS, [7], [0, 1, 2, 3, 4, 5, 6]),
        (7, np.array([3, 1, 3]), [2], [0, 1, 0]),
        (3, ROWS, [3, 3, 1], [0, 1, 2, 0, 1, 2, 0]),
        (3, np.array([5, 2]), [2], [0, 1]),
        (3, np.array([5, 5, 2, 6]), [2, 1], [0, 0, 1, 2]),
        (3, np.array([5, 5, 2, 6, 0, 1]), [2, 3], [0, 0, 1, 0, 1, 2]),
    ],
)
def test_a_memory_is_filled_in_parts_with_what_is_read(
    fakes: Any, content: Any, mount: Mount, memory: int, rows: Any, loads: list[int], recalled: list[int]
) -> None:
    bare = mount()
    bare.write_parameters(0, np.linspace(-1, 1, 35))
    bare.load_inputs(0, patterns(0))
    expected = bare.read_outputs(0, rows)
    content["inputs"]["rows"]["memory"] = memory
    bench = mount()
    bench.load_inputs(0, patterns(0))
    table(fakes).log.clear()
    assert np.array_equal(bench.read_outputs(0, rows), expected)
    log = table(fakes).log
    assert [more[0] for name, what, *more in log if what == "load"] == loads
    assert [more[0] for name, what, *more in log if what == "recall"] == recalled


def test_a_batch_that_fits_is_loaded_once_for_all_settings(fakes: Any, content: Any, mount: Mount) -> None:
    content["inputs"]["rows"]["memory"] = 4
    bench = mount()
    bench.load_inputs(0, patterns(0))
    bench.probe(0, np.random.default_rng(0).uniform(-1, 1, (5, 35)), np.array([6, 0, 3], dtype=np.intp))
    assert table(fakes).counted()["rows", "load"] == 1
    bench.load_inputs(0, patterns(0) / 2)
    bench.read_outputs(0, np.array([6, 0, 3], dtype=np.intp))
    assert table(fakes).counted()["rows", "load"] == 2


def test_patterns_that_were_stored_before_are_not_stored_again(fakes: Any, content: Any, mount: Mount) -> None:
    bare = mount()
    content["inputs"]["rows"]["memory"] = 7
    bench = mount()
    for one in (bare, bench):
        one.write_parameters(0, np.linspace(-1, 1, 35))
        one.load_inputs(0, patterns(0))
        one.load_inputs(1, patterns(1))
    table(fakes).log.clear()
    for rows in ([2, 4], [4, 1], [1, 2], [6, 5, 3, 0]):
        asked = np.array(rows, dtype=np.intp)
        assert np.array_equal(bench.read_outputs(0, asked), bare.read_outputs(0, asked))
    bench.read_outputs(1, ROWS[:2])
    bench.read_outputs(0, ROWS[:2])
    assert [more[0] for name, what, *more in table(fakes).log if what == "load"] == [2, 1, 4, 2, 2]


def test_an_instrument_that_restarts_is_given_everything_again(fakes: Any, content: Any, mount: Mount) -> None:
    content["inputs"]["rows"]["memory"] = 7
    device = Guarded(mount())
    values = np.linspace(-1, 1, 35)
    device.write_parameters(0, values)
    device.load_inputs(0, patterns(0))
    before = device.read_outputs(0, ROWS)
    restarting_at(fakes, "recall")
    assert np.array_equal(device.read_outputs(0, ROWS), before)
    assert table(fakes).counted()["rows", "load"] == 2
    assert np.array_equal(table(fakes).parameters[:35], values)


def of_two_sources(content: Any) -> None:
    """Give each layer's biases a source of their own, beside the source of all weights."""
    source = content["actuators"].pop("cells")
    content["actuators"] = {name: {**source, "channels": "1-59"} for name in ("cells", "first", "second")}
    content["layers"][0]["groups"][1] |= {"instrument": "first"}
    content["layers"][1]["groups"][1] |= {"instrument": "second"}


def test_on_shared_hardware_nothing_stands_that_the_layer_does_not_map(fakes: Any, content: Any, mount: Mount) -> None:
    of_two_sources(content)
    content["bench"]["shared_hardware"] = True
    bench = mount()
    bench.write_parameters(0, np.full(35, 0.5))
    bench.write_parameters(1, np.full(24, 0.25))
    assert np.array_equal(table(fakes).parameters, np.repeat([0.0, 0.25], [35, 24]))
    assert table(fakes).counted()["first", "write"] == 2
    bench.write_parameters(1, np.full(24, 0.75))
    assert np.array_equal(table(fakes).parameters, np.repeat([0.0, 0.75], [35, 24]))
    assert table(fakes).counted()["first", "write"] == 2  # it is safe already, and stays as it is
    bench.park()
    bench.write_parameters(0, np.full(35, 0.5))
    assert table(fakes).counted()["second", "write"] == 2  # not written: parked


def test_what_failed_to_become_safe_is_made_safe_at_the_next_write(fakes: Any, content: Any, mount: Mount) -> None:
    of_two_sources(content)
    content["bench"]["shared_hardware"] = True
    bench = mount()
    bench.write_parameters(0, np.full(35, 0.5))
    table(fakes).failing["first", "write"] = LinkTimeout("no answer")
    with pytest.raises(LinkTimeout):
        bench.write_parameters(1, np.full(24, 0.25))
    assert not table(fakes).parameters[35:].any()
    table(fakes).failing.clear()
    bench.write_parameters(1, np.full(24, 0.25))
    assert np.array_equal(table(fakes).parameters, np.repeat([0.0, 0.25], [35, 24]))


@pytest.mark.parametrize("topology", ["reinjected", "cascaded"])
def test_after_a_reading_every_source_that_the_signal_passed_is_confirmed_once(
    fakes: Any, content: Any, mount: Mount, monkeypatch: pytest.MonkeyPatch, topology: str
) -> None:
    of_two_sources(content)
    content["bench"]["topology"] = topology
    if topology == "cascaded":
        del content["layers"][1]["inputs"]
        content["inputs"]["rows"]["channels"] = "0-5"
        options = CrossbarTwin.Config(preset="ideal", sizes=[6, 5, 4], activation="none", topology="cascaded")
        fakes.TABLES["table"] = fakes.Table(CrossbarTwin.open(options))
    monkeypatch.setattr(fakes.FakeActuators, "confirm", lambda self: self.note("confirm"))
    bench = mount()
    for layer in (0, 1) if topology == "reinjected" else (0,):
        bench.load_inputs(layer, patterns(layer))
    confirmed = []
    for layer in (0, 1):
        table(fakes).log.clear()
        bench.read_outputs(layer, ROWS[:1])
        confirmed.append([name for name, what, *_ in table(fakes).log if what == "confirm"])
    earlier = ["first"] if topology == "cascaded" else []
    assert confirmed == [["cells", "first"], ["cells", *earlier, "second"]]


def test_a_late_measurement_is_over_before_the_sequence_begins_again(
    fakes: Any, content: Any, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    content["inputs"]["rows"] |= {"driver": "fake_instruments:SteppingInputs", "memory": 7, "steps": True}
    content["timing"] = {}
    bench = mount()
    bench.write_parameters(0, np.linspace(-1, 1, 35))
    bench.load_inputs(0, patterns(0))
    expected = bench.read_outputs(0, ROWS)
    late = [True]
    read_steps, read = fakes.FakeDetectors.read_steps, fakes.FakeDetectors.read

    def timed_out(self: Any, count: int) -> Any:
        if late == [True]:
            self.note("read_steps", count)
            self.table.stepping.step()
            late.append(True)
            raise LinkTimeout("no answer within 0.2 s")
        if len(late) == 2:
            self.table.stepping.step()  # the measurement that timed out ends only now
        return read_steps(self, count)

    def over(self: Any) -> Any:
        late.append(False)
        return read(self)

    monkeypatch.setattr(fakes.FakeDetectors, "read_steps", timed_out)
    monkeypatch.setattr(fakes.FakeDetectors, "read", over)
    table(fakes).log.clear()
    assert np.array_equal(bench.read_outputs(0, ROWS), expected)
    assert [what for _, what, *_ in table(fakes).log] == ["arm", "read_steps", "read", "arm", "read_steps"]


def test_shared_hardware_that_restarts_is_given_the_layer_that_stood_there_last(
    fakes: Any, content: Any, mount: Mount
) -> None:
    content["bench"]["shared_hardware"] = True
    for group, channels in zip(content["layers"][1]["groups"], ("1-20", "21-24"), strict=True):
        group["channels"] = channels
    content["layers"][1]["outputs"] = {"instrument": "columns", "channels": "1-4"}
    device = Guarded(mount())
    values = np.linspace(-1, 1, 35)
    for layer, written in ((0, values / 2), (1, np.full(24, 0.5)), (0, values)):
        device.write_parameters(layer, written)
    device.load_inputs(0, patterns(0))
    before = device.read_outputs(0, ROWS)
    restarting_at(fakes, "present")
    assert np.array_equal(device.read_outputs(0, ROWS), before)
    assert np.array_equal(table(fakes).parameters[:35], values)


def test_over_range_reads_as_full_scale_and_names_its_channel(fakes: Any, mount: Mount) -> None:
    device = Guarded(mount())
    device.write_parameters(1, np.linspace(0, 1, 24))
    device.load_inputs(1, patterns(1))
    table(fakes).over_range = {6}
    outputs = device.read_outputs(1, ROWS[:2])
    assert outputs[:, 1].tolist() == [12.0, 12.0]
    assert device.saturated == 2
    assert device.saturated_at == {"layer 1, output 1 (columns channel 7)"}


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        (np.zeros(8), ["columns", "readings of shape (8,) for 9 channels"]),
        (np.array([0.0, np.nan, *np.zeros(7)]), ["columns channel 2 reads nan"]),
        (np.array([-np.inf, *np.zeros(8)]), ["columns channel 1 reads -inf"]),
    ],
)
def test_a_reply_that_is_no_reading_is_refused(
    fakes: Any, mount: Mount, monkeypatch: pytest.MonkeyPatch, readings: Any, words: list[str]
) -> None:
    bench = mount()
    bench.load_inputs(0, patterns(0))
    monkeypatch.setattr(fakes.FakeDetectors, "read", lambda self: readings)
    with pytest.raises(BadReply) as caught:
        bench.read_outputs(0, ROWS)
    for word in words:
        assert word in str(caught.value)


def test_setpoints_of_another_count_are_refused(fakes: Any, mount: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = mount()
    monkeypatch.setattr(fakes.FakeActuators, "read_back", lambda self: np.zeros(58))
    with pytest.raises(BadReply, match="cells: setpoints of shape"):
        bench.read_parameters(0)


def test_a_laser_that_is_off_is_a_dark_batch(fakes: Any, content: Any, mount: Mount) -> None:
    content["detectors"]["columns"]["detection_floor_v"] = 0.01
    device = Guarded(mount())
    device.load_inputs(0, np.zeros((7, 6)))
    with pytest.raises(DarkBatch, match="crossbar lab, layer 0"):
        device.read_outputs(0, ROWS)


def test_health_is_what_the_file_names(fakes: Any, content: Any, mount: Mount) -> None:
    content["health"]["air"] = {"instrument": "rows", "reading": "humidity", "unit": "1"}
    content["health"]["gone"] = {"instrument": "rows", "reading": "pressure", "unit": "hPa"}
    assert mount().read_health() == {"cells_temperature": 25.0, "air": 0.4}


def test_every_instrument_says_who_it_is(fakes: Any, mount: Mount) -> None:
    assert mount().identify() == {"rows": "fake rows", "cells": "fake cells", "columns": "fake columns"}


def test_two_files_of_one_bench_share_a_lock(fakes: Any, content: Any) -> None:
    name = Bench.bench_name(Bench.Config.model_validate(content))
    content["bench"]["name"] = "another name"
    assert Bench.bench_name(Bench.Config.model_validate(content)) == name
    content["bench"] |= {"serial_number": "XB-8", "lock": "XB-7"}
    assert Bench.bench_name(Bench.Config.model_validate(content)) == name


def test_when_one_instrument_cannot_be_opened_the_others_are_parked_and_let_go(fakes: Any, mount: Mount) -> None:
    table(fakes).inputs[:] = 1.0  # left on by a crash
    table(fakes).failing["cells", "open"] = LinkTimeout("cells do not answer")
    table(fakes).failing["columns", "park"] = LinkLost("columns are gone")
    with pytest.raises(LinkTimeout, match="cells do not answer") as caught:
        mount()
    opened = [("rows", "open"), ("cells", "open"), ("columns", "open")]
    assert [entry[:2] for entry in table(fakes).log][:5] == [*opened, ("rows", "park"), ("columns", "park")]
    assert sorted(entry[:2] for entry in table(fakes).log[5:]) == [("columns", "close"), ("rows", "close")]
    assert not table(fakes).inputs.any()
    assert "that was opening 'cells'; what could be opened was parked" in caught.value.__notes__
    assert "columns are gone" in caught.value.__notes__[-1]


def test_a_closed_bench_answers_nothing(fakes: Any, mount: Mount) -> None:
    bench = mount()
    bench.close()
    with pytest.raises(LinkLost, match="crossbar lab is closed"):
        bench.read_health()


def test_a_link_is_made_once_for_all_that_share_it() -> None:
    link = LinkTable("usb", {"resource": "here"})
    made: list[Any] = []
    assert link.shared(lambda settings: made.append(settings) or "link") == "link"
    assert link.shared(lambda settings: made.append(settings) or "another") == "link"
    assert made == [{"resource": "here"}]
