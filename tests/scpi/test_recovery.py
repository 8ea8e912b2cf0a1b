"""What becomes of outputs when something goes wrong: a box on a virtual clock, in the words of its error queue."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

from drivers.bench.roles import LinkTable, Wiring
from drivers.links import LinkFault
from drivers.scpi import ScpiActuators, ScpiDetectors, ScpiInputs
from drivers.scpi.commands import number_format
from drivers.scpi.connection import Complained
from drivers.scpi.detectors import SettingsLost
from drivers.scpi.sources import OutputsOff
from ffzero_lab.device import BadReply, DeviceError, LimitViolation, StagingLost, VirtualClock

LOST = ""
"""As a reply: it does not come, though the box has obeyed."""
NOT_OBEYED = "-"
"""The message does not arrive."""


class Box:
    """A source and a meter of two channels; *trouble* may answer a message instead, or say that it is lost."""

    closing_discards = True

    def __init__(self, clock: VirtualClock) -> None:
        self.resource = f"fake::{next(NUMBERS)}"
        self.clock = clock
        self.latency_s = 0.0
        self.trouble: Callable[[str], str | None] = lambda message: None
        self.sent: list[str] = []
        self.volts, self.on, self.events = [0.0, 0.0], False, 128
        self.errors: list[str] = []
        self.digits = 17
        self.memory: dict[int, list[float]] = {}
        self.sequence: list[int] = []
        self.position = 0
        self._coming: list[tuple[float, bytes]] = []

    def restart(self) -> None:
        self.volts, self.on, self.events, self.errors = [0.0, 0.0], False, 128, []
        self.cut()

    def cut(self) -> None:
        """Lose the connection once."""
        seen: list[str] = []
        before = self.trouble

        def closed(message: str) -> str | None:
            if not seen:
                seen.append(message)
                self.trouble = before
                raise ConnectionResetError("closed by the other side")
            return None

        self.trouble = closed

    def once(self, begin: str, reply: str) -> None:
        """Answer the next message that begins so with *reply*."""

        def trouble(message: str) -> str | None:
            if message.startswith(begin):
                self.trouble = lambda message: None
                return reply
            return None

        self.trouble = trouble

    def trigger(self) -> None:
        if self.position + 1 < len(self.sequence):
            self.position += 1
            self.volts = list(self.memory[self.sequence[self.position]])

    def open(self, wait_s: float) -> "Box":
        self._coming.clear()
        return self

    def close(self) -> None:
        pass

    def send(self, message: bytes, wait_s: float) -> int:
        text = message.decode().strip()
        self.sent.append(text)
        reply = self.trouble(text)
        if reply is None or reply == LOST:
            answered = self.obey(text)
            reply = answered if reply is None else LOST
        if reply not in (LOST, NOT_OBEYED):
            self._coming.append((self.clock.now_s() + self.latency_s, reply.encode() + b"\n"))
        return len(message)

    def receive(self, most: int, wait_s: float) -> bytes:
        until_s = self.clock.now_s() + wait_s
        if not self._coming or self._coming[0][0] > until_s:
            self.clock.sleep_s(wait_s)
            return b""
        when_s, content = self._coming.pop(0)
        self.clock.sleep_s(max(0.0, when_s - self.clock.now_s()))
        return content

    def obey(self, message: str) -> str:
        replies: list[str] = []
        for command in message.split(";"):
            header, _, given = command.partition(" ")
            numbers = [float(number) for number in given.split(",")] if given else []
            if header == ":V":
                self.volts = numbers
            elif header == ":ON":
                self.on = True
            elif header == ":OFF":
                self.on = False
            elif header == ":ST":
                self.memory[int(numbers[0])] = numbers[1:]
            elif header == ":RC":
                self.volts, self.sequence = list(self.memory[int(given)]), []
            elif header == ":SQ":
                self.sequence, self.position = [int(number) for number in numbers], 0
                self.volts = list(self.memory[self.sequence[0]])
            elif header.endswith("?"):
                replies.append(self.answer(header, given))
            elif header != ":PREP":
                self.errors.append('-113,"Undefined header"')
                break  # and the rest of the message is thrown away (SCPI-99 volume 1, 6.2.6)
        return ";".join(replies) or LOST

    def answer(self, query: str, given: str) -> str:
        if query == "*ESR?":
            events, self.events = self.events, 0
            return str(events)
        if query == ":ERR?":
            return self.errors.pop(0) if self.errors else '0,"No error"'
        answers = {
            "*IDN?": "BOX,1",
            ":V?": ",".join(f"{volts:.{self.digits}g}" for volts in self.volts),
            ":READ?": ",".join(map(repr, self.volts)),
            ":ON?": str(int(self.on)),
            ":PO?": str(self.position),
        }
        return ",".join(map(repr, self.memory[int(given)])) if query == ":ST?" else answers[query]


SOURCE: dict[str, Any] = {
    "set_list": ":V {values}",
    "read_list": ":V?",
    "output_on": ":ON",
    "output_off": ":OFF",
    "output_query": ":ON?",
}
MEMORY: dict[str, Any] = {
    "store": ":ST {address},{values}",
    "read_stored": ":ST? {address}",
    "recall": ":RC {address}",
    "step_through": ":SQ {addresses}",
    "position": ":PO?",
}
NUMBERS = count()
"""Every box has an address of its own."""
ONE, TWO = np.array([1.0, 0.5]), np.array([1.5, 0.25])


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def box(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Box:
    made = Box(clock)
    monkeypatch.setattr("drivers.scpi.connection.VisaTransport", lambda resource, library: made)
    return made


def table(**link: Any) -> LinkTable:
    keys = {"resource": "fake", "identity": "BOX.*", "error_query": ":ERR?", "pause_s": 0.001, "deadline_s": 0.3}
    return LinkTable("box", keys | link)


def opened(role: Any, clock: VirtualClock, keys: dict[str, Any], link: LinkTable | None = None, **wiring: Any) -> Any:
    wires = {"name": "heaters", "channels": (1, 2), "all_channels": (1, 2), "unit": "V", "lower": 0.0, "upper": 2.0}
    wired = Wiring(**(wires | wiring), link=link or table())
    return role.open(role.Config.model_validate(keys), wired, clock)


@pytest.fixture
def heaters(box: Box, clock: VirtualClock) -> ScpiActuators:
    return opened(ScpiActuators, clock, SOURCE)


class TestParking:
    def test_comes_before_looking_after_a_recovered_link(self, box: Box, heaters: ScpiActuators) -> None:
        heaters.write(ONE)
        box.trouble = lambda message: "1.0" if message.startswith(":V?") else None
        box.cut()
        heaters.park()
        assert not box.on
        assert box.volts == [0.0, 0.0]

    def test_is_not_kept_from_it_by_another_user_of_the_link(self, box: Box, clock: VirtualClock) -> None:
        link = table()
        heaters = opened(ScpiActuators, clock, SOURCE, link)
        opened(ScpiDetectors, clock, {"read_list": ":READ?", "prepare": [":PREP"]}, link, name="meter", upper=9.0)
        heaters.write(ONE)
        box.trouble = lambda message: '-221,"Settings conflict"' if ":PREP" in message else None
        box.cut()
        heaters.park()
        assert not box.on
        box.trouble = lambda message: None
        seen = len(box.sent)
        heaters.read_back()
        assert ":PREP;:ERR?" in box.sent[seen:], "what parking has skipped is made good before the next exchange"

    def test_gets_through_an_error_queue_that_makes_no_sense(self, box: Box, heaters: ScpiActuators) -> None:
        heaters.write(ONE)
        box.trouble = lambda message: "garbage" if message == ":ERR?" else None
        box.cut()
        heaters.park()
        assert not box.on

    @pytest.mark.parametrize("refused", [":OFF", ":V "])
    def test_switches_off_and_sets_the_safe_values_whichever_of_them_fails(
        self, box: Box, heaters: ScpiActuators, refused: str
    ) -> None:
        heaters.write(ONE)
        box.trouble = lambda message: NOT_OBEYED if message.startswith(refused) else None
        with pytest.raises(DeviceError):
            heaters.park()
        assert (box.volts == [0.0, 0.0]) == (refused != ":V ")
        assert box.on == (refused == ":OFF")

    @pytest.mark.parametrize("lost", [":OFF", ":V "])
    @pytest.mark.parametrize("reply", [LOST, NOT_OBEYED])
    def test_survives_a_lost_reply_within_its_time_whatever_the_deadline_of_the_link(
        self, box: Box, clock: VirtualClock, lost: str, reply: str
    ) -> None:
        heaters = opened(ScpiActuators, clock, SOURCE, table(deadline_s=30.0))
        heaters.write(ONE)
        box.once(lost, reply)
        began_s = clock.now_s()
        heaters.park()
        assert (box.on, box.volts) == (False, [0.0, 0.0])
        assert clock.now_s() - began_s <= 1.5

    def test_of_a_slow_instrument_is_possible_in_the_time_that_is_stated(self, box: Box, clock: VirtualClock) -> None:
        box.latency_s = 0.9
        heaters = opened(ScpiActuators, clock, SOURCE, table(deadline_s=1.0), park_s=6.0)
        heaters.write(ONE)
        box.once(":OFF", LOST)
        began_s = clock.now_s()
        heaters.park()
        assert (box.on, box.volts) == (False, [0.0, 0.0])
        assert clock.now_s() - began_s <= 6.0

    def test_comes_through_when_the_instrument_answers_again_in_time(self, box: Box, clock: VirtualClock) -> None:
        heaters = opened(ScpiActuators, clock, SOURCE, table(deadline_s=1.0))
        heaters.write(ONE)
        free_s = clock.now_s() + 0.9
        box.trouble = lambda message: NOT_OBEYED if clock.now_s() < free_s else None
        heaters.park()
        assert (box.on, box.volts) == (False, [0.0, 0.0])
        assert clock.now_s() < free_s + 0.5

    def test_happens_when_an_instrument_that_was_left_on_cannot_be_prepared(
        self, box: Box, clock: VirtualClock
    ) -> None:
        box.on, box.volts = True, [2.0, 2.0]
        box.once(":PREP", '-221,"Settings conflict"')
        with pytest.raises(Complained, match="-221 'Settings conflict'"):
            opened(ScpiActuators, clock, {**SOURCE, "prepare": [":PREP"]})
        assert (box.on, box.volts) == (False, [0.0, 0.0])

    def test_is_not_hindered_by_a_restart_and_a_write_after_it_switches_on(
        self, box: Box, heaters: ScpiActuators
    ) -> None:
        heaters.write(ONE)
        box.restart()
        heaters.park()
        heaters.write(TWO)
        assert (box.on, box.volts) == (True, [1.5, 0.25])


class TestOutputSwitch:
    def test_is_switched_on_with_the_first_setpoints_only(self, box: Box, heaters: ScpiActuators) -> None:
        heaters.write(ONE)
        heaters.write(TWO)
        heaters.park()
        heaters.write(ONE)
        assert [":ON;" in message for message in box.sent if message.startswith(":V 1")] == [True, False, True]

    @pytest.mark.parametrize("recovered", [False, True])
    @pytest.mark.parametrize("call", ["confirm", "write"])
    def test_off_without_our_doing_ends_the_run_and_is_never_switched_on_again(
        self, box: Box, heaters: ScpiActuators, call: str, recovered: bool
    ) -> None:
        heaters.write(ONE)
        box.on, box.volts = False, [0.0, 0.0]
        if recovered:
            box.cut()
        for _ in range(3):
            with pytest.raises(OutputsOff, match=r"heaters: its outputs are off, and nobody here .* park the bench"):
                heaters.confirm() if call == "confirm" else heaters.write(TWO)
            assert not box.on
        heaters.park()
        heaters.write(TWO)
        assert box.on

    def test_off_without_our_doing_is_forgotten_by_parking_also_where_nothing_switches_off(
        self, box: Box, clock: VirtualClock
    ) -> None:
        heaters = opened(ScpiActuators, clock, {**SOURCE, "output_off": None})
        heaters.write(ONE)
        box.on = False
        with pytest.raises(OutputsOff):
            heaters.write(TWO)
        heaters.park()
        heaters.write(TWO)
        assert (box.on, box.volts) == (True, [1.5, 0.25])

    @pytest.mark.parametrize("call", ["confirm", "write"])
    def test_off_after_a_restart_is_lost_staging(self, box: Box, heaters: ScpiActuators, call: str) -> None:
        heaters.write(ONE)
        box.on, box.events = False, 128
        with pytest.raises(StagingLost, match="heaters has restarted"):
            heaters.confirm() if call == "confirm" else heaters.write(TWO)
        heaters.write(TWO)
        assert box.on

    def test_needs_a_way_to_switch_on(self) -> None:
        with pytest.raises(ValueError, match="output_query goes with output_on"):
            ScpiActuators.Config.model_validate({**SOURCE, "output_on": None})


class TestRestart:
    @pytest.mark.parametrize("lost", ["*ESR?", ":V?", ":ERR?"])
    def test_is_not_forgotten_when_recovery_is_tried_again(self, box: Box, heaters: ScpiActuators, lost: str) -> None:
        heaters.write(ONE)
        box.events, box.on = 128, False  # a box that keeps its setpoints without power, and not its output
        box.once(lost, LOST)
        box.cut()
        with pytest.raises(StagingLost, match="restarted"):
            heaters.read_back()

    def test_of_a_meter_without_stated_settings_is_told_with_every_reading(self, box: Box, clock: VirtualClock) -> None:
        meter = opened(ScpiDetectors, clock, {"read_list": ":READ?"}, name="meter", upper=9.0)
        meter.read()
        box.restart()
        for _ in range(3):
            with pytest.raises(SettingsLost, match=r"meter was switched on anew.*prepare.*unit_query"):
                meter.read()

    def test_of_a_meter_whose_settings_are_brought_back_is_no_error(self, box: Box, clock: VirtualClock) -> None:
        keys = {"read_list": ":READ?", "prepare": [":PREP"]}
        meter = opened(ScpiDetectors, clock, keys, name="meter", upper=9.0)
        box.restart()
        assert meter.read().tolist() == [0.0, 0.0]

    def test_before_anything_was_given_loses_nothing(self, box: Box, heaters: ScpiActuators) -> None:
        box.restart()
        heaters.write(ONE)
        assert box.on


class TestErrorQueue:
    def test_of_somebody_before_us_is_cleared_when_the_link_is_opened(self, box: Box, clock: VirtualClock) -> None:
        box.errors = ['-113,"left behind"', '-222,"left behind"']
        opened(ScpiActuators, clock, {**SOURCE, "prepare": [":PREP"]}).write(ONE)

    def test_explains_a_command_that_was_not_understood(self, box: Box, clock: VirtualClock) -> None:
        heaters = opened(ScpiActuators, clock, {**SOURCE, "set_list": ":VOLTS {values}"})
        with pytest.raises(LinkFault) as caught:
            heaters.write(ONE)
        assert f"{box.resource} reports -113 'Undefined header'" in caught.value.__notes__


class TestLostWrites:
    @pytest.mark.parametrize("reply", [LOST, NOT_OBEYED])
    def test_the_very_first_write_may_be_lost(self, box: Box, heaters: ScpiActuators, reply: str) -> None:
        box.volts = [0.7, 0.7]  # whoever was here before
        box.once(":V ", reply)
        heaters.write(ONE)
        assert (box.on, box.volts) == (True, [1.0, 0.5])

    def test_the_write_after_a_sequence_may_be_lost(self, box: Box, clock: VirtualClock) -> None:
        modulator = opened(ScpiInputs, clock, SOURCE | MEMORY)
        modulator.load(0, np.linspace(0.1, 1.0, 16).reshape(8, 2))
        modulator.arm(range(8))
        for _ in range(8):
            box.trigger()
        modulator.finish(8)
        modulator.confirm()
        box.once(":V ", NOT_OBEYED)
        modulator.present(ONE)
        assert box.volts == [1.0, 0.5]


class TestSteps:
    @pytest.mark.parametrize("triggers", [2, 4, 5])
    def test_a_lost_or_a_surplus_step_is_noticed(self, box: Box, clock: VirtualClock, triggers: int) -> None:
        modulator = opened(ScpiInputs, clock, SOURCE | MEMORY)
        modulator.load(0, np.linspace(0.1, 1.0, 6).reshape(3, 2))
        modulator.arm([0, 1, 2])
        for _ in range(triggers):
            box.trigger()
        with pytest.raises(StagingLost, match="after 3 readings"):
            modulator.finish(3)

    def test_a_pattern_that_is_not_there_is_lost_staging(self, box: Box, clock: VirtualClock) -> None:
        modulator = opened(ScpiInputs, clock, SOURCE | MEMORY)
        with pytest.raises(StagingLost, match="no pattern at address 3"):
            modulator.recall(3)


class TestNumbers:
    @pytest.mark.parametrize("value", ["9.91E+37", repr(float(np.float32(9.91e37)))])
    def test_not_a_number_is_no_over_range(self, box: Box, clock: VirtualClock, value: str) -> None:
        meter = opened(ScpiDetectors, clock, {"read_list": ":READ?"}, name="meter", upper=9.0)
        box.trouble = lambda message: f"0.5,{value}" if message == ":READ?" else None
        with pytest.raises(BadReply, match="meter, channel 2"):
            meter.read()
        box.trouble = lambda message: "0.5,9.9E37" if message == ":READ?" else None
        assert meter.read().tolist() == [0.5, np.inf]

    def test_what_is_compared_is_what_was_sent(self, box: Box, clock: VirtualClock) -> None:
        heaters = opened(ScpiActuators, clock, {**SOURCE, "number": ".4f"})
        heaters.write(np.array([1.23456789, 0.1]))
        assert box.volts == [1.2346, 0.1]
        heaters.confirm()

    def test_a_setpoint_is_held_as_exactly_as_the_instrument_can(self, box: Box, clock: VirtualClock) -> None:
        box.digits = 5
        heaters = opened(ScpiActuators, clock, SOURCE, resolution=1e-4)
        heaters.write(np.array([1.23456789, 0.1]))
        heaters.close()
        coarse = opened(ScpiActuators, clock, SOURCE)
        with pytest.raises(BadReply, match=r"1\.23456789 V was written 3 times, 1\.2346 is read back"):
            coarse.write(np.array([1.23456789, 0.1]))

    def test_nothing_is_rounded_over_the_limit(self, box: Box, clock: VirtualClock) -> None:
        heaters = opened(ScpiActuators, clock, {**SOURCE, "number": ".3g"}, upper=1.236)
        seen = len(box.sent)
        with pytest.raises(LimitViolation, match=r"1\.236 V would be sent as 1\.24.*nothing was sent"):
            heaters.write(np.array([1.0, 1.236]))
        assert box.sent[seen:] == []

    def test_safe_values_that_could_not_be_written_are_told_when_it_is_opened(
        self, box: Box, clock: VirtualClock
    ) -> None:
        with pytest.raises(LimitViolation, match=r"0\.26 V would be sent as 0\.3"):
            opened(ScpiActuators, clock, {**SOURCE, "number": ".1f"}, safe=0.26, upper=0.27)

    @pytest.mark.parametrize("spec", [",.4f", "_.4f", "d", "%", "10.2f", "+,.3f", "x"])
    def test_a_format_that_writes_no_plain_number_is_refused(self, spec: str) -> None:
        with pytest.raises(ValueError, match="Python format of a number"):
            number_format(spec)

    @pytest.mark.parametrize("spec", [".9g", ".4f", "+.3e", ".0f"])
    def test_other_formats_are_taken(self, spec: str) -> None:
        assert number_format(spec) == spec
