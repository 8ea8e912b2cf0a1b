"""The driver of the board: what it does when the board restarts, is not heard, is another one, or is not used."""

import threading
import time
import tomllib
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from drivers.board import Board
from drivers.board.frames import Type
from drivers.board.messages import What
from drivers.board.replies import Readings
from drivers.emulator import Emulation, EmulationSpec, Fault, FaultPlan, read_witness
from drivers.links import ExchangeTimeout, WrongInstrument
from ffzero_lab.device import DeviceError, Guarded, LimitViolation, LinkLost, LinkTimeout, StagingLost

ROWS = np.arange(5)
WATCHDOG_MS = 300
TRIES = 8
"""A computer that stands still for longer than a watchdog makes it act: what it must not do is asked several times."""
LONGEST_S = 60.0
OPTIONS = {"ports": 4, "layers": 2, "preset": "ideal", "seed": 1, "kernel": "numpy", "drive": "volts"}


def patterns(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((5, 4))


def settings(board: Any, count: int, seed: int = 0) -> np.ndarray:
    upper = board.description.layers[0].per_parameter("upper")
    return 0.3 * upper * np.random.default_rng(seed).random((count, len(upper)))


def prepared(board: Any) -> np.ndarray:
    for layer in (0, 1):
        board.load_inputs(layer, patterns())
        board.write_parameters(layer, settings(board, 1, layer)[0])
    return board.read_outputs(0, ROWS)


def energised(board: Any) -> np.ndarray:
    """Prepare a board, anew when its watchdog has parked it meanwhile, as it does when the computer stands still."""
    for _ in range(TRIES - 1):
        with suppress(StagingLost):
            return prepared(board)
    return prepared(board)


def until(true: Callable[[], object]) -> None:
    """Wait for something."""
    until_s = time.monotonic() + LONGEST_S
    while not true():
        assert time.monotonic() < until_s, "it did not come about"
        time.sleep(0.01)


def parked_itself(witness: Path) -> Callable[[], bool]:
    """Return whether a board is off by now, without a word to it."""
    return lambda: not read_witness(witness).left_on()


def test_a_restarted_board_is_given_everything_again_by_the_guard(serve: Callable[..., Any]) -> None:
    served = serve()
    with Guarded(served.open()) as board:
        before = prepared(board)
        served.power_cut()
        assert np.array_equal(board.read_outputs(0, ROWS), before)
        served.power_cut()
        board.write_parameters(0, settings(board, 1, 7)[0])
        board.write_parameters(0, settings(board, 1, 0)[0])
        assert np.array_equal(board.read_outputs(0, ROWS), before)
        assert np.allclose(board.read_parameters(1), settings(board, 1, 1)[0], atol=1e-3)


def test_a_restart_is_told_once_and_as_lost_staging(serve: Callable[..., Any]) -> None:
    served = serve()
    board = served.open()
    prepared(board)
    served.power_cut()
    with pytest.raises(StagingLost, match="has restarted"):
        board.read_outputs(0, ROWS)
    with pytest.raises(StagingLost, match="NOT_STAGED"):
        board.read_outputs(0, ROWS)
    assert not board.read_parameters(0).any()
    board.close()


def test_a_board_that_restarts_while_its_link_is_recovered_is_told_as_lost(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    board = served.open()
    prepared(board)
    connection = board._connection
    standing = connection._standing

    def cut_once(*_: Any) -> None:
        connection._standing = standing
        served.power_cut()
        time.sleep(0.05)
        standing(connection)

    connection._standing = cut_once
    connection.link.distrust()
    with pytest.raises(StagingLost, match="NOT_GREETED"):
        board.read_outputs(0, ROWS)
    with Guarded(board) as guarded:
        prepared(guarded)


def test_the_heart_beats_while_nobody_speaks(serve: Callable[..., Any]) -> None:
    with serve(watchdog_ms=WATCHDOG_MS).open() as board:
        for _ in range(TRIES):
            before = energised(board)
            time.sleep(2.5e-3 * WATCHDOG_MS)
            with suppress(StagingLost):
                assert np.array_equal(board.read_outputs(0, ROWS), before)
                return
        pytest.fail(f"its watchdog has parked it {TRIES} times")


def test_the_heart_stops_with_the_process_and_the_board_parks_itself_in_time(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    served = serve(watchdog_ms=WATCHDOG_MS)
    silent_ms: list[int] = []
    for _ in range(TRIES):
        with closing(served.open()) as board:
            energised(board)
            board._heartbeat.end()  # as if the process were gone, or stood still
            until(parked_itself(tmp_path / "witness.jsonl"))
            with pytest.raises(StagingLost, match="has parked itself"):
                board.read_outputs(0, ROWS)
            assert not board.read_parameters(0).any()
            parked = [entry.value for entry in board.read_log() if entry.what == What.WATCHDOG_PARKED]
            silent_ms.append(parked[-1])
        if silent_ms[-1] <= WATCHDOG_MS:
            return
    pytest.fail(f"parked after {silent_ms} ms of silence")


def test_a_board_that_has_parked_or_restarted_by_itself_can_be_parked_all_the_same(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    served = serve(watchdog_ms=WATCHDOG_MS)
    board = served.open()
    energised(board)
    board._heartbeat.end()
    until(parked_itself(tmp_path / "witness.jsonl"))
    board.park()
    with pytest.raises(StagingLost, match="has parked itself"):
        board.read_parameters(0)
    assert not board.read_parameters(0).any()
    served.power_cut()
    board.park()
    board.close()


def test_a_board_that_nobody_uses_is_parked_though_the_process_lives(serve: Callable[..., Any]) -> None:
    board = serve(watchdog_ms=4 * WATCHDOG_MS).open(idle_park_s=0.4)
    for _ in range(TRIES):
        energised(board)
        until(lambda: board.read_log()[-1].what in (What.PARKED, What.WATCHDOG_PARKED))  # asking is no use of it
        parked = board.read_log()[-1].what
        with pytest.raises(StagingLost) as told:
            board.write_parameters(0, settings(board, 1)[0])
        if parked == What.PARKED:
            break
    assert "nobody had used it" in str(told.value)
    energised(board)
    board.close()


def test_a_reading_that_comes_while_the_unused_board_is_parked_is_discarded(serve: Callable[..., Any]) -> None:
    board = serve().open()
    prepared(board)
    parks, park = threading.Event(), board._connection.park

    def slowly() -> None:
        parks.set()
        time.sleep(0.1)
        park()

    board._connection.park = slowly
    unused = threading.Thread(target=board._heartbeat._park, args=(600.0,))
    unused.start()
    assert parks.wait(LONGEST_S)
    with pytest.raises(StagingLost):
        board.read_outputs(0, ROWS)
    unused.join()
    board.close()


def test_what_another_thread_finds_lost_is_told_before_anything_is_read(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    board = serve(watchdog_ms=WATCHDOG_MS).open()
    energised(board)
    board._heartbeat.end()  # as if the process had stood still
    until(parked_itself(tmp_path / "witness.jsonl"))
    found, tell, read = threading.Event(), board._tell, threading.Event()

    def tell_late(lost: StagingLost) -> None:
        found.set()
        read.wait(LONGEST_S)
        tell(lost)

    board._tell = tell_late
    watcher = threading.Thread(target=board.read_health)
    watcher.start()
    assert found.wait(LONGEST_S)
    with pytest.raises(StagingLost):
        board.read_outputs(0, ROWS)
    read.set()
    watcher.join()
    with Guarded(board) as guarded:
        prepared(guarded)


def test_no_request_gets_the_number_of_the_last_one_that_acted(serve: Callable[..., Any]) -> None:
    board = serve({"preset": "typical"}).open()
    prepared(board)
    board._heartbeat.end()
    first = board.read_outputs(0, ROWS)
    board._connection._sequence -= 1  # as after 65,534 requests that only asked
    assert not np.array_equal(board.read_outputs(0, ROWS), first)
    board.close()


def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve().open() as board:
        prepared(board)
        probed = board.probe(0, settings(board, 3), ROWS)
        lost = iter([True])
        end = Readings.end

        def losing(self: Readings, received: bytes) -> int | None:
            if next(lost, False):
                raise ValueError("lost on the way")
            return end(self, received)

        monkeypatch.setattr(Readings, "end", losing)
        sent: list[bytes] = []
        exchange = board._connection.link.exchange
        monkeypatch.setattr(board._connection.link, "exchange", lambda m, *r: sent.append(m) or exchange(m, *r))
        assert np.array_equal(board.probe(0, settings(board, 3), ROWS), probed)
        probes = [message for message in sent if message[1] == Type.PROBE]
        assert len(probes) == 2
        assert probes[0] == probes[1]


def test_another_board_at_the_port_is_refused(serve: Callable[..., Any]) -> None:
    served = serve()
    with pytest.raises(WrongInstrument, match="BRD-1 answers, not BRD-2"):
        served.open(serial_number="BRD-2")


@pytest.mark.parametrize(
    ("table", "key", "value", "told"),
    [
        ("groups", "upper_v", 12.0, "layers.0.groups.theta: 0 to 12 V is more than the board's converter reaches"),
        ("groups", "count", 5, r"layers.0: \d+ parameters"),
        ("outputs", "full_scale_w", 9.0, "layers.0.outputs.full_scale: 9 W, the board's converter ends at 8"),
        ("inputs", "upper_amplitude", 2.0, "layers.0.inputs"),
    ],
)
def test_a_file_that_says_something_else_than_the_board_is_refused(
    serve: Callable[..., Any], table: str, key: str, value: float, told: str
) -> None:
    served = serve()
    layers = served.file()["layers"]
    changed = layers[0][table]
    (changed[0] if isinstance(changed, list) else changed)[key] = value
    with pytest.raises(ValueError, match=told):
        served.open(layers=layers)


def test_health_the_board_does_not_have_is_refused(serve: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="health: the file has 0 channels, the board 3"):
        serve().open(health=[])


def test_mistakes_in_the_file_name_the_key(bench: Any) -> None:
    content = bench.board_file(OPTIONS, "/dev/null")
    content["layers"][0]["outputs"]["full_scale_w"] = -1.0
    with pytest.raises(ValidationError, match="full_scale_w"):
        Board.Config.model_validate(content)


def test_the_files_in_the_guide_are_right() -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "board.md"
    emulated, described = (part.split("```")[0] for part in guide.read_text().split("```toml\n")[1:])
    EmulationSpec.model_validate(tomllib.loads(emulated))
    content = tomllib.loads(described)
    assert content.pop("driver") == "board"
    config = Board.Config.model_validate(content)
    assert [group.count for group in config.layers[0].groups] == [8]
    assert Board.wiring(config)[0]["range"] == "0 to 4 V, safe 0 V"


def test_a_port_that_is_not_there_is_named(bench: Any, tmp_path: Any) -> None:
    port = str(tmp_path / "ttyACM7")
    with pytest.raises(LinkLost, match="ttyACM7"):
        Board.open(Board.Config.model_validate(bench.board_file(OPTIONS, port, attempts=1)))


def test_what_the_board_refuses_by_its_own_limits_is_a_violation_and_moves_nothing(serve: Callable[..., Any]) -> None:
    with serve({"heaters": {"budget_w": 0.05}}).open() as board:
        board.load_inputs(0, patterns())
        cool = settings(board, 1)[0] * 0.1
        board.write_parameters(0, cool)
        hot = 0.99 * board.description.layers[0].per_parameter("upper")
        with pytest.raises(LimitViolation, match="refuses WRITE: POWER"):
            board.write_parameters(0, hot)
        with pytest.raises(LimitViolation, match=r"refuses PROBE: POWER .*setting 1"):
            board.probe(0, np.stack([cool, hot]), ROWS)
        assert np.allclose(board.read_parameters(0), cool, atol=1e-3)
        with pytest.raises(ValueError, match="no finite numbers"):
            board.write_parameters(0, np.full_like(cool, np.nan))


FAULTY = {"deadline_s": 0.1, "quiet_s": 0.04, "pause_s": 0.005, "baud": 2_000_000, "attempts": 11, "park_s": 100.0}
"""A lost answer is noticed soon, and asked for again for at least 5 s."""


def faulty(bench: Any, tmp_path: Any, *faults: Fault, **board: Any) -> Emulation:
    plan = FaultPlan(faults=faults)
    more = {"gap_ms": 20, "watchdog_ms": 60_000, "baud": 2_000_000, **board}
    return Emulation(bench.board_spec(OPTIONS, witness=tmp_path / "witness.jsonl", faults=plan, **more))


def opened(bench: Any, emulation: Emulation, **more: Any) -> Board:
    file = bench.board_file(OPTIONS, str(emulation.ports["board"]), **{**FAULTY, **more})
    return Board.open(Board.Config.model_validate(file))


@pytest.mark.parametrize("kind", ["drop", "delay", "garbage", "half-line", "dribble", "close", "wrong-count"])
def test_a_fault_on_the_line_costs_time_and_nothing_else(bench: Any, tmp_path: Any, kind: Any) -> None:
    fault = Fault(instrument="board", kind=kind, exchange=8, delay_s=0.13)
    with faulty(bench, tmp_path, fault) as emulation, opened(bench, emulation) as board:
        prepared(board)
        first = [board.probe(0, settings(board, 2, seed), ROWS) for seed in range(6)]
        again = [board.probe(0, settings(board, 2, seed), ROWS) for seed in range(6)]
        assert np.array_equal(first, again)
    seen = read_witness(tmp_path / "witness.jsonl")
    assert [fault["kind"] for fault in seen.faults] == [kind]
    assert not seen.left_on()


def test_a_board_that_answers_no_more_is_left_to_its_watchdog(bench: Any, tmp_path: Any) -> None:
    fault = Fault(instrument="board", kind="drop", exchange=60, lasts=10_000)
    witness = tmp_path / "witness.jsonl"
    with faulty(bench, tmp_path, fault, watchdog_ms=WATCHDOG_MS) as emulation:
        board = opened(bench, emulation, park_s=1.0)
        connection = board._connection
        connection._patience = connection.link.patience = replace(connection._patience, attempts=2)
        with pytest.raises(LinkTimeout):
            _used_until_it_answers_no_more(board, witness)
        with pytest.raises(DeviceError) as caught:
            board.close()
        assert "it parks itself 300 ms after the last word" in "".join(caught.value.__notes__)
        board.close()
        until(parked_itself(witness))
    assert not read_witness(witness).left_on()


def _used_until_it_answers_no_more(board: Board, witness: Path) -> None:
    while True:
        try:
            energised(board)
        except LinkTimeout:  # the computer may have stood still before
            if read_witness(witness).faults:
                raise


def test_nothing_that_was_under_way_is_done_again_behind_a_parking(serve: Callable[..., Any]) -> None:
    board = serve().open()
    prepared(board)
    connection = board._connection
    exchanged = connection._exchanged

    def lose_then_park(message: bytes, *more: Any) -> Any:
        if message[1] == Type.WRITE:
            connection._exchanged = exchanged
            exchanged(message, *more)
            board.park()
            raise ExchangeTimeout("not done", resource="here")
        return exchanged(message, *more)

    connection._exchanged = lose_then_park
    with pytest.raises(LinkLost, match="parked meanwhile"):
        board.write_parameters(0, settings(board, 1, 3)[0])
    assert not board.read_parameters(0).any()
    board.close()
