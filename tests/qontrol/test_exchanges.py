"""What goes over the line, exchange by exchange, as the manual of a rack has it."""

import numpy as np
import pytest

from drivers.qontrol import QontrolActuators, QontrolInputs
from drivers.qontrol.errors import OverLimit, RackComplaint
from ffzero_lab.device import BadReply, LimitViolation

OPENING = (
    ("id?\n", "Q8iv-0A2F\n"),
    ("nup=0\n", "OK\n"),
    ("nupall?\n", "Q8iv-0A2F:0\nQ8iv-0A30:1\nOK\n"),
    ("vfull?\n", "+12.000000 V\n"),
    ("ifull?\n", "+24.000000 mA\n"),
    ("nchan?\n", "8\n"),
)
LIMITS = (
    *((f"vmax{channel}=6.00000\nimax{channel}=10.00000\n", "OK\nOK\n") for channel in (8, 9, 10)),
    *((f"vmax{channel}?\nimax{channel}?\n", "+6.000046 V\n+9.999893 mA\n") for channel in (8, 9, 10)),
)
FRAME = bytes([0x83, 0x00, 0, 0, 8, 0, 3, 0x55, 0x55, 0x00, 0x00, 0x33, 0x33])
"""V of three words from channel 8 on: a third, nothing, and a fifth of full scale."""


def asked(*volts: float) -> list[tuple[str, str]]:
    return [(f"v{channel}?\n", f"{value:+.6f} V\n") for channel, value in zip((8, 9, 10), volts, strict=True)]


def test_opening_enumerates_programs_the_limits_and_reads_them_back(script, open_role, clock):
    rack = script(*OPENING, *LIMITS)
    heaters = open_role(QontrolActuators, clock)
    assert not rack.rows
    assert heaters.identify() == "Q8iv-0A2F, Q8iv-0A30"


def test_a_vector_goes_out_as_text_and_is_measured(script, open_role, clock):
    vector = ("vvec8=4.00000,0.00000,2.40000\n", "OK\n")
    measured = asked(4.0, 0.0, 2.3995)
    rack = script(*OPENING, *LIMITS, *asked(0.0, 0.0, 0.0), vector, *measured, *measured)
    heaters = open_role(QontrolActuators, clock)
    heaters.write(np.array([4.0, 2.4]))
    assert heaters.read_back().tolist() == pytest.approx([4.0, 2.4], abs=1e-9)
    assert not rack.rows


def test_a_vector_goes_out_as_a_binary_frame(script, open_role, clock):
    rack = script(*OPENING, *LIMITS, *asked(0.0, 0.0, 0.0), (FRAME, "OK\n"), *asked(4.0, 0.0, 2.4))
    open_role(QontrolActuators, clock, link={"form": "binary"}).write(np.array([4.0, 2.4]))
    assert not rack.rows


def test_with_read_back_of_readings_a_write_is_one_message(script, open_role, clock):
    vector = ("vvec8=4.00000,0.00000,2.40000\n", "OK\n")
    rack = script(*OPENING, *LIMITS, *asked(0.0, 0.0, 0.0), vector, *asked(4.0, 0.0, 2.4))
    heaters = open_role(QontrolActuators, clock, read_back="reading")
    heaters.write(np.array([4.0, 2.4]))
    heaters.confirm()
    assert not rack.rows


def test_inputs_are_told_in_volts_of_their_unit(script, open_role, clock):
    limits = [(message.replace("6.0", "5.0"), reply.replace("6.000046", "4.999954")) for message, reply in LIMITS]
    vector = ("vvec8=4.99995,0.00000,2.49998\n", "OK\n")
    rack = script(*OPENING, *limits, *asked(0.0, 0.0, 0.0), vector, *asked(5.0, 0.0, 2.5))
    inputs = open_role(QontrolInputs, clock, unit="amplitude", upper=1.0, volts_per_unit=5.0)
    inputs.present(np.array([1.0, 0.5]))
    assert not rack.rows


def test_currents_are_driven_and_limited_as_currents(script, open_role, clock):
    limits = (
        *((f"imax{channel}=6.00000\nvmax{channel}=11.00000\n", "OK\nOK\n") for channel in (8, 9, 10)),
        *((f"imax{channel}?\nvmax{channel}?\n", "+5.999908 mA\n+11.000000 V\n") for channel in (8, 9, 10)),
    )
    measured = [(f"i{channel}?\n", f"+{value}00000 mA\n") for channel, value in ((8, 4.8), (9, 0.0), (10, 1.6))]
    nothing = [(message, "+0.000000 mA\n") for message, _ in measured]
    rack = script(*OPENING, *limits, *nothing, ("ivec8=4.80000,0.00000,1.60000\n", "OK\n"), *measured)
    open_role(QontrolActuators, clock, unit="mA", imax_ma=None, vmax_v=11.0).write(np.array([4.8, 1.6]))
    assert not rack.rows


def test_parking_writes_zero_and_measures_it(script, open_role, clock):
    rack = script(*OPENING, *LIMITS, ("vvec8=0.00000,0.00000,0.00000\n", "OK\n"), *asked(0.0, 0.0, 0.0))
    open_role(QontrolActuators, clock).park()
    assert not rack.rows


def test_health_is_measured_by_the_rack(script, open_role, clock):
    currents = [(f"i{channel}?\n", f"+{value}.000000 mA\n") for channel, value in ((8, 4), (9, 0), (10, 2))]
    rack = script(*OPENING, *LIMITS, ("v9?\n", "+0.100000 V\n"), *currents, *asked(2.0, 0.0, 3.0))
    names = ["channel_9_v", "highest_ma", "power_w"]
    health = open_role(QontrolActuators, clock, health=names).health()
    assert health == pytest.approx({"channel_9_v": 0.1, "highest_ma": 4.0, "power_w": 2.0 * 4e-3 + 3.0 * 2e-3})
    assert not rack.rows


def test_measured_volts_and_amperes_are_those_of_the_mapped_channels(script, open_role, clock):
    currents = [(f"i{channel}?\n", f"+{value}.000000 mA\n") for channel, value in ((8, 4), (9, 0), (10, 2))]
    script(*OPENING, *LIMITS, *asked(2.0, 0.0, 3.0), *currents)
    volts, amperes = open_role(QontrolActuators, clock).measure()
    assert volts.tolist() == [2.0, 3.0]
    assert amperes.tolist() == pytest.approx([4e-3, 2e-3])


def test_a_limit_that_is_not_read_back_is_no_limit(script, open_role, clock):
    other = (*LIMITS[:5], ("vmax10?\nimax10?\n", "+12.000000 V\n+9.999893 mA\n"))
    parked = (("vvec8=0.00000,0.00000,0.00000\n", "OK\n"), *asked(0.0, 0.0, 0.0))
    rack = script(*OPENING, *other, *parked)
    with pytest.raises(RackComplaint, match=r"vmax of channel 10 reads 12, 6 was programmed .*nothing was energised"):
        open_role(QontrolActuators, clock)
    assert not rack.rows


@pytest.mark.parametrize(
    ("line", "error", "told"),
    [
        ("E01:08", OverLimit, r"E1 \(over-voltage\), channel 8"),
        ("ERR02:10", LimitViolation, r"E2 \(over-current\), channel 10"),
        ("E10:00", RackComplaint, "unrecognised command"),
        ("E11:08", BadReply, "bad parameter"),
        ("E14:00", RackComplaint, "serial buffer overflow.*give links.….buffer_bytes less"),
        ("E00:00", RackComplaint, "unknown error"),
        ("E99:00", BadReply, "of no meaning that is known"),
    ],
)
def test_error_lines_are_told_by_their_names(script, open_role, clock, line, error, told):
    answered = (("vvec8=4.00000,0.00000,2.40000\n", f"{line}\n"), *asked(0.0, 0.0, 0.0))
    script(*OPENING, *LIMITS, *asked(0.0, 0.0, 0.0), *answered)
    with pytest.raises(error, match=told):
        open_role(QontrolActuators, clock, attempts=1).write(np.array([4.0, 2.4]))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"unit": "rad"}, "driven in V, mV, A, mA, not in rad"),
        ({"lower": -1.0}, "gives nothing below 0"),
        ({"imax_ma": None}, "give imax_ma"),
        ({"vmax_v": 6.0}, "vmax_v is the upper limit of the table itself"),
        ({"unit": "mA", "imax_ma": None}, "give vmax_v"),
        ({"all_channels": (10, 9, 8)}, "list channels in rising order"),
    ],
)
def test_what_a_rack_cannot_do_is_refused_before_it_is_spoken_to(script, open_role, clock, keys, told):
    script()
    with pytest.raises(ValueError, match=told):
        open_role(QontrolActuators, clock, **keys)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"all_channels": (8, 16)}, "channel 16 is missing: the rack has 2 modules, channels 0 to 15"),
        ({"upper": 15.0}, "limit of 15 V, but the rack goes up to 12 V"),
        ({"imax_ma": 30.0}, "limit of 30 mA, but the rack goes up to 24 mA"),
    ],
)
def test_what_this_rack_cannot_do_is_refused_before_it_is_told_anything(script, open_role, clock, keys, told):
    script(*OPENING)
    with pytest.raises(RackComplaint, match=told):
        open_role(QontrolActuators, clock, **{"channels": (8,), **keys})
