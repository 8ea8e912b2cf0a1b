"""Random faults, exchange by exchange: no wrong value is accepted, nothing is sent twice, every exchange is in time."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.links import Identity, Link, LinkFault, Numbers, Patience
from ffzero_lab.device import VirtualClock

DEADLINE_S = 1.0
FAULTS = ("none", "slow", "drop", "late", "half", "dribble", "garbage", "twice", "count", "overflow", "close")


def arrivals(fault, reply):
    """Return what comes instead of *reply*."""
    return {
        "none": [(0.0, reply)],
        "slow": [(0.9, reply)],
        "drop": [],
        "late": [(1.15, reply)],
        "half": [(0.0, reply[:-2])],
        "dribble": [(0.1 * place, reply[place : place + 1]) for place in range(len(reply))],
        "garbage": [(0.0, b"\x00\xfe" + reply)],
        "twice": [(0.0, reply), (0.0, reply)],
        "count": [(0.0, reply[:-1] + b",7\n")],
        "overflow": [(0.0, b"1e999,1\n")],
        "close": [(0.0, reply[:2]), (0.01, b"")],
    }[fault]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=30),
    writes=st.sets(st.integers(10, 40)),
    serial=st.booleans(),
)
def test_no_fault_makes_a_wrong_value(faults, writes, serial, over_tcp):
    clock = VirtualClock()
    instrument = type(over_tcp)(clock, closing_discards=not serial)
    coming = iter(faults)
    log = []

    def answer(message):
        number = int(message[1:-2])
        return arrivals(next(coming, "none"), b"%d.250000,%d.500000\n" % (number, number))

    instrument.answer = answer
    identify = Identity(b"*IDN?\n", "Acme,M1,.*")
    patience = Patience(deadline_s=DEADLINE_S)
    with Link(instrument, clock, owner="test", identify=identify, patience=patience, log=log.append) as link:
        for number in range(10, 10 + len(faults)):
            question = b"%s%d?\n" % (b"W" if number in writes else b"R", number)
            try:
                values = (link.exchange if number in writes else link.query)(question, Numbers(2))
            except LinkFault:
                instrument.plug_in()
                continue
            assert values.tolist() == [number + 0.25, number + 0.5]
        assert link.query(b"R99?\n", Numbers(2)).tolist() == [99.25, 99.5], "the link recovers from everything"
    written = [message for message in instrument.questions() if message.startswith(b"W")]
    assert len(written) == len(set(written))
    assert all(entry.elapsed_s <= DEADLINE_S * 1.1 for entry in log if entry.sent)
