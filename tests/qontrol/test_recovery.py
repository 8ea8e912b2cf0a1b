"""What becomes of outputs when something goes wrong with a rack: a rack without a wire, on a virtual clock."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivers.links import LinkFault, ReplyRefused, WrongInstrument
from drivers.qontrol import QontrolActuators
from drivers.qontrol.errors import ChannelTripped, GarbledCommand, ModuleRestarted, RackComplaint
from drivers.qontrol.rack import Rack
from ffzero_lab.device import BadReply, DeviceError, InterlockTripped, StagingLost, VirtualClock

ONE, TWO = np.array([4.0, 2.4]), np.array([0.8, 4.0])
LOST = b""
"""As a reply: nothing comes, and nothing was obeyed."""


@pytest.fixture
def start(rack: Any, open_role: Any, clock: VirtualClock) -> Callable[..., QontrolActuators]:
    return lambda **keys: open_role(QontrolActuators, clock, **keys)


@pytest.fixture
def heaters(start: Callable[..., QontrolActuators]) -> QontrolActuators:
    return start()


def vectors(rack: Any) -> list[str]:
    return [text for text in rack.texts() if text.startswith("vvec")]


class TestWriting:
    def test_a_lost_answer_is_followed_by_a_recovery_and_a_measurement_before_it_is_written_again(
        self, rack, heaters, outputs
    ):
        heaters.write(ONE)
        rack.sent.clear()
        rack.once("vvec", LOST)
        heaters.write(TWO)
        assert outputs()[[8, 9, 10]] == pytest.approx([0.8, 0.0, 4.0])
        sent = rack.texts()
        again = sent.index("vvec8=0.80000,0.00000,4.00000", 1)
        assert sent[4:7] == ["id?", "nup=0", "nupall?"]
        assert {"vmax8?", "v8?", "v9?", "v10?"} <= {*sent[7:again]}
        assert len(vectors(rack)) == 2

    @pytest.mark.parametrize("upper", [6.0, 5.9999, 12.0])
    def test_the_upper_limit_is_not_exceeded_by_the_rounding_to_a_step(self, start, outputs, upper):
        start(upper=upper, imax_ma=24.0).write(np.array([upper, upper]))
        assert upper - 12.0 / 65535 < outputs()[8] <= upper * (1 + 1e-12)

    def test_one_that_never_gets_through_is_given_up_after_so_many_attempts(self, rack, heaters):
        heaters.write(ONE)
        rack.sent.clear()
        rack.once("vvec", LOST, times=99)
        with pytest.raises(LinkFault):
            heaters.write(TWO)
        assert len(vectors(rack)) == 3

    def test_a_garbled_command_is_sent_again_a_bounded_number_of_times(self, rack, heaters, outputs):
        rack.once("vvec", b"E15:00\n", times=2)
        heaters.write(ONE)
        assert outputs()[8] == pytest.approx(4.0)
        rack.sent.clear()
        rack.once("vvec", b"E15:00\n", times=99)
        with pytest.raises(GarbledCommand, match="serial communication error"):
            heaters.write(TWO)
        assert len(vectors(rack)) == 3
        assert outputs()[8] == pytest.approx(4.0)

    def test_an_output_that_does_not_obey_is_told_with_what_it_measures(self, rack, heaters):
        rack.once("v10?", b"+0.000000 V\n", times=99)
        with pytest.raises(
            BadReply, match=r"channel 10: 2.400000 V was written 3 times, 0.000000 V is measured \(1 such"
        ):
            heaters.write(ONE)

    def test_a_converter_that_lags_behind_is_measured_once_more(self, rack, heaters, clock):
        rack.once("v10?", b"+0.000000 V\n", times=2)  # before anything was written, and right after it
        began_s = clock.now_s()
        heaters.write(ONE)
        assert clock.now_s() - began_s == pytest.approx(0.01)
        assert len(vectors(rack)) == 1

    def test_a_vector_that_was_cut_short_without_notice_is_noticed(self, rack, heaters, outputs):
        heaters.write(ONE)
        rack.once("vvec", b"OK\n")
        heaters.write(TWO)
        assert outputs()[[8, 10]] == pytest.approx(TWO)
        rack.once("vvec", b"OK\n", times=99)
        with pytest.raises(BadReply, match="was written 3 times"):
            heaters.write(ONE)

    def test_a_late_answer_is_not_taken_for_the_next(self, rack, heaters):
        heaters.write(ONE)
        rack.say(b"+0.000000 V\n")
        assert heaters.read_back() == pytest.approx(ONE)


class TestWhatIsSaidUnasked:
    @pytest.mark.parametrize("line", [b"E18:08\n", b"E30:00\n", b"ERR19:03\n"])
    def test_trouble_is_told_once_and_nothing_is_sent_before(self, rack, heaters, outputs, line):
        heaters.write(ONE)
        rack.say(line)
        rack.sent.clear()
        with pytest.raises(RackComplaint, match="the rack reports E"):
            heaters.write(TWO)
        assert not vectors(rack)
        heaters.write(TWO)
        assert outputs()[[8, 10]] == pytest.approx(TWO)

    @pytest.mark.parametrize("line", [b"E01:10\n", b"E02:08\n", b"E05:09\n", b"E20:08\n"])
    def test_a_channel_that_protects_itself_ends_it_until_it_is_parked(self, rack, heaters, line):
        heaters.write(ONE)
        rack.say(line)
        for _ in range(2):
            with pytest.raises(InterlockTripped, match="park the bench"):
                heaters.write(TWO)
        heaters.park()
        heaters.write(TWO)

    def test_trips_and_restarts_of_other_modules_are_none_of_ours(self, rack, heaters):
        heaters.write(ONE)
        rack.say(b"E05:03\nE90:00\n")
        heaters.write(TWO)

    def test_an_error_between_answers_is_told_with_them(self, rack, heaters):
        heaters.write(ONE)
        rack.once("v9?", b"+0.000000 V\nE18:09\n")
        with pytest.raises(RackComplaint, match="ADC error"):
            heaters.read_back()

    def test_what_comes_while_the_line_falls_silent_is_heard(self, rack, heaters):
        heaters.write(ONE)
        rack.once("v8?", b"E90:08\nnoise")
        with pytest.raises(ModuleRestarted):
            heaters.read_back()

    @pytest.mark.parametrize("reply", [b"E02:08\nnoise\n", b"noise\nE02:08\n"])
    def test_a_trip_among_what_is_thrown_away_is_not_energised_again(self, rack, heaters, reply):
        heaters.write(ONE)
        rack.once("v8?", reply)
        rack.instrument._volts[8] = 0.0
        rack.sent.clear()
        with pytest.raises(InterlockTripped, match="over-current"):
            heaters.write(ONE)
        assert len(vectors(rack)) <= 1, "the one in whose answer it was"

    def test_a_trip_before_anything_was_written_is_found_after_the_reading(self, rack, start):
        heaters = start(health=("highest_v",))
        rack.once("v8?", b"E05:08\n+0.000000 V\n")
        heaters.health()
        with pytest.raises(InterlockTripped, match="output error"):
            heaters.confirm()


class TestRestarts:
    @pytest.mark.parametrize("silently", [False, True])
    def test_a_restart_while_nothing_is_written_is_found_after_the_reading(self, rack, heaters, outputs, silently):
        heaters.write(ONE)
        heaters.confirm()
        rack.restart(silently=silently)
        with pytest.raises(StagingLost) as lost:
            heaters.confirm()
        assert not lost.value.returns_slowly
        heaters.write(ONE)
        assert outputs()[[8, 10]] == pytest.approx(ONE)

    def test_limits_are_programmed_again_before_anything_is_energised(self, rack, heaters):
        heaters.write(ONE)
        rack.restart()
        rack.sent.clear()
        with pytest.raises(StagingLost):
            heaters.write(TWO)
        assert not vectors(rack)
        assert "vmax8=6.00000" in rack.texts()
        assert rack.instrument._vmax[8:11] == pytest.approx(6.0, abs=1e-3)
        assert rack.instrument._imax[8:11] == pytest.approx(10.0, abs=1e-3)

    def test_a_restart_without_a_word_is_known_by_its_limits_when_the_link_recovers(self, rack, heaters):
        heaters.write(ONE)
        rack.restart(silently=True)
        rack.once("v8?", LOST)
        with pytest.raises(StagingLost, match="restarted"):
            heaters.read_back()
        assert rack.instrument._vmax[8] == pytest.approx(6.0, abs=1e-3)

    def test_one_before_anything_was_given_only_costs_the_limits(self, rack, heaters, outputs):
        rack.restart()
        heaters.write(ONE)
        assert rack.instrument._vmax[8] == pytest.approx(6.0, abs=1e-3)
        assert outputs()[8] == pytest.approx(4.0)

    def test_as_configured_it_ends_until_it_is_parked(self, rack, start, outputs):
        heaters = start(after_restart="park")
        heaters.write(ONE)
        rack.restart()
        for _ in range(2):
            with pytest.raises(ChannelTripped, match='after_restart = "park"'):
                heaters.write(TWO)
        assert outputs().max() == 0.0
        heaters.park()
        heaters.write(TWO)

    def test_setpoints_come_back_no_faster_than_the_slew_limit(self, rack, start, clock):
        heaters = start(slew_per_s=10.0)
        heaters.write(ONE)
        rack.restart()
        with pytest.raises(StagingLost) as lost:
            heaters.confirm()
        assert lost.value.returns_slowly
        rack.sent.clear()
        began_s = clock.now_s()
        heaters.write(ONE)
        first = [float(text.split("=")[1].split(",")[0]) for text in vectors(rack)]
        assert first == pytest.approx([0.5 * step for step in range(1, 9)], abs=1e-3)
        assert clock.now_s() - began_s == pytest.approx(7 * 0.05)
        heaters.write(TWO)
        assert len(vectors(rack)) == 9, "from then on the guard keeps the slew"

    @pytest.mark.parametrize("form", ["ascii", "binary"])
    @pytest.mark.parametrize("off_v", [-6e-4, 6e-4])
    def test_a_meter_that_is_off_puts_no_setpoint_on_the_way_back_out_of_limits(
        self, rack, start, outputs, monkeypatch, off_v, form
    ):
        heaters = start(slew_per_s=10.0, channels=(0, 8), all_channels=(0, 8, 9), link={"form": form})
        wanted, measured = np.array([6.0, 2.4]), rack.instrument._measured_v
        heaters.write(wanted)
        monkeypatch.setattr(rack.instrument, "_measured_v", lambda: measured() + off_v)
        rack.instrument._switch_on([1])
        rack.say(rack.instrument.greeting())
        with pytest.raises(StagingLost):
            heaters.confirm()
        heaters.write(wanted)
        assert outputs()[[0, 8]] == pytest.approx(wanted, abs=1e-4)

    def test_a_way_back_that_takes_too_long_is_not_gone(self, rack, start):
        heaters = start(slew_per_s=0.1)
        heaters.write(ONE)
        rack.restart()
        with pytest.raises(StagingLost):
            heaters.confirm()
        rack.sent.clear()
        with pytest.raises(InterlockTripped, match="by their slew limit"):
            heaters.write(ONE)
        assert not vectors(rack)


class TestParking:
    def test_brings_all_channels_of_the_table_to_the_safe_value_and_measures_that(self, rack, heaters, outputs):
        heaters.write(ONE)
        rack.instrument._volts[9] = 3.0
        heaters.park()
        assert outputs().max() == 0.0
        rack.once("v9?", b"+0.100000 V\n", times=10_000)
        with pytest.raises(BadReply, match=r"channel 9: 0.000000 V was written to park, 0.100000 V is measured"):
            heaters.park()

    def test_comes_before_looking_after_a_recovered_link(self, rack, heaters, outputs):
        heaters.write(ONE)
        rack.once("v8?", b"what?\n")
        with pytest.raises(DeviceError):
            heaters._channels.rack.tell(heaters._channels.measuring("v"))
        rack.trouble = lambda message: b"E18:00\n" if message.startswith((b"nup", b"vmax", b"imax")) else None
        heaters.park()
        assert outputs().max() == 0.0
        rack.trouble = lambda message: None
        rack.sent.clear()
        heaters.read_back()
        assert "nupall?" in rack.texts(), "what parking has skipped is made good before the next exchange"

    def test_is_told_blindly_when_no_answer_makes_sense(self, rack, heaters, outputs):
        heaters.write(ONE)

        def nonsense(message: bytes) -> bytes:
            rack.instrument.answer(message)
            return b"nonsense\n"

        rack.trouble = nonsense
        with pytest.raises(DeviceError) as error:
            heaters.park()
        assert outputs().max() == 0.0
        assert "was told once more to go to its safe state" in "".join(error.value.__notes__)

    def test_an_instrument_that_is_another_is_told_nothing(self, rack, heaters):
        heaters.write(ONE)
        heaters._rack.link.distrust()
        rack.once("id?", b"Q8iv-FFFF\n", times=99)
        rack.sent.clear()
        with pytest.raises(WrongInstrument):
            heaters.park()
        assert not vectors(rack)

    def test_a_rack_that_complains_without_end_is_parked_all_the_same(self, rack, heaters, outputs):
        heaters.write(ONE)
        obey = rack.instrument.answer
        rack.trouble = lambda message: b"E18:08\n" + obey(message) + b"E17:08\nE90:08\n"
        heaters.park()
        assert outputs().max() == 0.0

    def test_what_cannot_be_limited_is_parked_and_not_opened(self, rack, start, outputs):
        rack.instrument._volts[8:11] = 5.0
        rack.trouble = lambda message: b"E13:08\n" if message.startswith(b"vmax8=") else None
        with pytest.raises(RackComplaint, match="operation forbidden"):
            start()
        assert outputs()[8:11].max() == 0.0

    def test_closing_lets_the_rack_go_once(self, heaters):
        heaters.close()
        heaters.close()
        with pytest.raises(DeviceError, match="not open"):
            heaters.write(ONE)


def test_another_chain_than_before_is_refused(rack, heaters):
    heaters.write(ONE)
    heaters._rack.link.distrust()
    rack.once("nupall?", b"Q8iv-0A2F:0\nOK\n", times=99)
    with pytest.raises(WrongInstrument, match="the chain has become Q8iv-0A2F; it was Q8iv-0A2F, Q8iv-0A30"):
        heaters.read_back()


@pytest.mark.parametrize("asked", ["nup", "nupall", "vfull", "nchan", "vmax8?"])
def test_a_garbled_answer_while_it_is_opened_is_asked_for_again(rack, start, asked):
    rack.once(asked, b"\xff\xfe\n")
    assert start().identify() == "Q8iv-0A2F, Q8iv-0A30"


def test_a_rack_of_another_kind_is_refused(rack, start):
    rack.once("id?", b"MC2-0001\n", times=99)
    with pytest.raises(WrongInstrument, match="answers, not 'Q8"):
        start()


def test_a_readable_message_for_a_missing_link(clock):
    with pytest.raises(ValueError, match=r"heaters: give the name of its link"):
        Rack.of(None, clock, "heaters")


def test_the_log_tells_every_exchange(rack, start, tmp_path):
    heaters = start(link={"log": str(tmp_path / "log.jsonl")})
    heaters.write(ONE)
    heaters.close()
    assert "vvec8=4.00000,0.00000,2.40000" in (tmp_path / "log.jsonl").read_text()


def test_refused_replies_are_told_as_such(rack, heaters):
    rack.once("v8?", b"+4.5 V\n", times=99)
    with pytest.raises(ReplyRefused, match=r"a number such as \+4.500000 V was expected, not '\+4.5 V'"):
        heaters.read_back()
