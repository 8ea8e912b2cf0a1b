"""Every trap of instrument links that was met in the field, and what guards against it; time is virtual."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.links import (
    Block,
    ConnectionLost,
    ExchangeTimeout,
    Identity,
    Lines,
    Link,
    Numbers,
    Patience,
    ReplyRefused,
    Text,
    WrongInstrument,
)
from ffzero_lab.device import BadReply, LinkLost, LinkTimeout

END = b""
ONE = Numbers(1)


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    def refuse(duration_s):
        raise AssertionError("a test of a time-out waited for real")

    monkeypatch.setattr(time, "sleep", refuse)


@pytest.fixture(params=["tcp", "serial"])
def instrument(request, over_tcp, over_serial):
    return over_tcp if request.param == "tcp" else over_serial


def numbered(instrument):
    """Let the instrument answer the n-th question with n."""
    instrument.answer = lambda message: [(0.001, b"%d\n" % len(instrument.questions()))]


def test_trap_late_reply_shifts_every_later_answer(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(2.1, b"1\n")]  # the first reply comes after its deadline of 2 s
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"A?\n", ONE)
    instrument.answer = lambda message: [(0.0, b"2\n")]
    assert link.query(b"B?\n", ONE) == 2.0
    instrument.answer = lambda message: [(0.0, b"3\n")]
    assert link.query(b"C?\n", ONE) == 3.0


def test_trap_cancelled_exchange_shifts_every_later_answer(instrument, link_to):
    link = link_to(instrument)
    numbered(instrument)
    instrument.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        link.query(b"A?\n", ONE)
    assert link.tainted
    assert link.query(b"B?\n", ONE) == 2.0


def test_trap_two_replies_to_one_question_are_not_taken_for_the_next(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, b"1\n"), (0.3, b"1\n")]
    assert link.exchange(b"A?\n", ONE) == 1.0
    instrument.clock.sleep_s(1.0)
    instrument.answer = lambda message: [(0.0, b"2\n")]
    with pytest.raises(ReplyRefused, match=r"2 bytes came that nobody asked for"):
        link.exchange(b"B?\n", ONE)
    assert instrument.questions() == [b"A?\n"], "the question was sent although a stray reply was there"
    assert link.query(b"B?\n", ONE) == 2.0


def test_trap_two_replies_at_once_are_refused(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, b"1\n2\n")]
    with pytest.raises(ReplyRefused, match="nobody asked for"):
        link.exchange(b"A?\n", ONE)


def test_trap_truncated_reply_parses_as_a_valid_number(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, b"1.11")]  # of 1.111000
    with pytest.raises(ExchangeTimeout, match=r"4 bytes came: b'1.11'"):
        link.exchange(b"A?\n", ONE)


def test_trap_dribbled_bytes_extend_an_idle_timeout(instrument, link_to):
    link = link_to(instrument, patience=Patience(deadline_s=0.3))
    instrument.answer = lambda message: [(0.09 * (place + 1), b"1") for place in range(1000)]
    began_s = instrument.clock.now_s()
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"A?\n", ONE)
    assert instrument.clock.now_s() - began_s == pytest.approx(0.3)


def test_trap_an_instrument_that_takes_nothing_blocks_the_sender(instrument, link_to):
    link = link_to(instrument, patience=Patience(deadline_s=0.3))
    instrument.stalled = True
    began_s = instrument.clock.now_s()
    with pytest.raises(ExchangeTimeout):
        link.write(b"V 1\n")
    assert instrument.clock.now_s() - began_s == pytest.approx(0.3)


def test_a_message_that_goes_out_in_parts_goes_out_whole(over_tcp, link_to):
    link = link_to(over_tcp)
    whole = bytearray()
    send = over_tcp.send

    def in_parts(message, wait_s):
        whole.extend(message[:3])
        return len(message[:3])

    over_tcp.send = in_parts
    link.write(b"VOLT 1,2,3\n")
    over_tcp.send = send
    assert bytes(whole) == b"VOLT 1,2,3\n"


def test_trap_endless_reply_fills_the_memory(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, b"1" * 10_000)] * 1000
    with pytest.raises(ReplyRefused, match="no end of the reply within 65536 bytes"):
        link.exchange(b"A?\n", ONE)


@pytest.mark.parametrize("reply", [b"1,2\n", b"1,2,3,4\n", b"1,2,nan\n", b"1,2,inf\n", b"1,,3\n", b"ERR\n", b"\n"])
def test_trap_wrong_count_or_no_finite_number_is_refused_and_taints(reply, instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, reply)]
    with pytest.raises(BadReply):
        link.exchange(b"A?\n", Numbers(3))
    assert link.tainted


def test_trap_write_is_never_sent_twice(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, END)]
    with pytest.raises(LinkLost):
        link.exchange(b"V 1;*OPC?\n", Text())
    assert instrument.sent.count(b"V 1;*OPC?\n") == 1
    assert link.tainted


def test_reads_are_asked_again_a_bounded_number_of_times_with_growing_pauses(over_tcp, link_to):
    link = link_to(over_tcp, patience=Patience(deadline_s=1.0, attempts=4, pause_s=0.5))
    with pytest.raises(LinkTimeout):
        link.query(b"A?\n", ONE)
    assert over_tcp.questions() == [b"A?\n"] * 4
    assert over_tcp.clock.now_s() == pytest.approx(4 * 1.0 + 0.5 + 1.0 + 2.0)


def test_connects_are_tried_again_a_bounded_number_of_times(over_tcp, link_to):
    over_tcp.refusals = 2
    assert link_to(over_tcp).identity == "Acme,M1,7,1.0"
    assert over_tcp.opened == 3


def test_an_instrument_that_stays_away_is_not_asked_for_attempts_times_attempts(over_tcp, link_to):
    link = link_to(over_tcp)
    over_tcp.come((0.0, END))
    over_tcp.refusals = 100
    with pytest.raises(ConnectionLost, match="nobody listens; is the instrument on"):
        link.query(b"A?\n", ONE)
    assert over_tcp.opened == 1 + 3


def test_trap_peer_close_is_noticed_at_once(instrument, link_to):
    link = link_to(instrument)
    instrument.answer = lambda message: [(0.0, END)]
    began_s = instrument.clock.now_s()
    with pytest.raises(ConnectionLost, match="closed by the other side"):
        link.exchange(b"A?\n", ONE)
    assert instrument.clock.now_s() == began_s


def test_trap_connection_that_died_between_exchanges_swallows_a_write(over_tcp, link_to):
    link = link_to(over_tcp)
    over_tcp.come((0.0, END))
    with pytest.raises(ConnectionLost):
        link.write(b"V 1\n")
    assert over_tcp.questions() == []


def test_trap_serial_reply_on_its_way_before_the_port_was_opened(over_serial, link_to):
    over_serial.come((0.15, b"+4.5 V\n"))  # to a process that was killed
    assert link_to(over_serial).identity == "Acme,M1,7,1.0"


def test_trap_serial_reply_that_comes_after_the_silence_is_not_taken_for_the_identity(over_serial, link_to):
    late = [True]
    identity = over_serial.identity

    def answer_late(message, wait_s, send=over_serial.send):
        if late:
            late.clear()
            over_serial.come((0.0, b"+4.5 V\n"))  # just before the identity
        return send(message, wait_s)

    over_serial.send = answer_late
    link = link_to(over_serial)
    assert over_serial.sent == [b"*IDN?\n"] * 2, "one identity was refused, the next one believed"
    assert link.identity == identity.decode().strip()
    numbered(over_serial)
    assert link.query(b"A?\n", ONE) == 1.0


def test_trap_serial_line_that_still_talks_after_the_identity(over_serial, link_to):
    doubled = [True]

    def twice(message, wait_s, send=over_serial.send):
        if doubled:
            doubled.clear()
            over_serial.come((0.1, over_serial.identity))  # a late identity: looks right, shifts all that follows
        return send(message, wait_s)

    over_serial.send = twice
    link = link_to(over_serial)
    numbered(over_serial)
    assert link.query(b"A?\n", ONE) == 1.0
    assert over_serial.sent.count(b"*IDN?\n") == 2


def test_a_serial_line_that_never_falls_silent_is_refused(over_serial, link_to):
    over_serial.come(*[(0.1 * place, b"x") for place in range(10_000)])
    with pytest.raises(ReplyRefused, match="does not fall silent"):
        link_to(over_serial)


class ErrorLines(Text):
    def read(self, reply):
        line = super().read(reply)
        if not line.startswith("E"):
            raise ValueError(f"{line!r} is no error line")


def test_trap_rack_that_never_stops_reporting_errors_can_still_be_parked(over_serial, link_to):
    answer = Lines(lambda line: not line.startswith("E"))
    identify = Identity(b"*IDN?\n", "Acme,M1,.*", LastLine(answer))
    link = link_to(over_serial, unasked=ErrorLines(), identify=identify)
    over_serial.come(*[(0.05 * place, b"E2:03\n") for place in range(1000)])
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"A\n", answer)
    over_serial.answer = lambda message: [(0.0, b"OK\n")]
    assert link.exchange(b"vall=0\n", answer)[-1] == "OK"


class LastLine:
    def __init__(self, lines):
        self.limit_bytes, self.end = lines.limit_bytes, lines.end
        self.read = lambda reply: lines.read(reply)[-1]


def test_a_serial_port_is_not_reopened_by_a_timeout_but_when_it_is_lost(over_serial, link_to):
    link = link_to(over_serial)
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"A?\n", ONE)
    numbered(over_serial)
    link.query(b"A?\n", ONE)
    assert over_serial.opened == 1
    over_serial.answer = lambda message: [(0.0, END)]
    with pytest.raises(ConnectionLost):
        link.exchange(b"A?\n", ONE)
    over_serial.plug_in()
    numbered(over_serial)
    link.query(b"A?\n", ONE)
    assert over_serial.opened == 2


def test_trap_wrong_instrument_at_the_address_is_refused(instrument, link_to):
    instrument.identity = b"Globex,X9,1,2\n"
    with pytest.raises(WrongInstrument, match=r"fake::1: .*'Globex,X9,1,2' answers, not 'Acme,M1,\.\*'"):
        link_to(instrument)


def test_trap_another_instrument_answers_after_recovery(over_tcp, link_to):
    link = link_to(over_tcp)
    over_tcp.come((0.0, END))
    over_tcp.identity = b"Acme,M1,8,1.0\n"  # fits the pattern, but has another serial number
    with pytest.raises(WrongInstrument, match=r"'Acme,M1,8,1.0' answers where 'Acme,M1,7,1.0' did"):
        link.query(b"A?\n", ONE)


def test_trap_instrument_that_lost_its_setpoints_goes_on_with_others(instrument, link_to):
    """Between the fault and the next exchange stands the driver's read-back; it is asked until it returns."""
    calls = []

    def read_back(link):
        calls.append((link.generation, float(link.query(b"V?\n", ONE)[0])))
        if len(calls) < 3:
            raise RuntimeError("the driver found other setpoints than it wrote")

    link = link_to(instrument, on_recovery=read_back)
    assert calls == [], "nothing was written before the link was opened"
    assert link.generation == 1
    instrument.answer = lambda message: [(0.0, b"4.5\n" if message == b"V?\n" else b"?\n")]
    with pytest.raises(ReplyRefused):
        link.exchange(b"A?\n", ONE)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            link.write(b"V 1\n")
    assert b"V 1\n" not in instrument.sent
    link.write(b"V 1\n")
    assert calls == [(1, 4.5)] * 3
    assert link.generation == 2
    assert instrument.sent[-1] == b"V 1\n"


def test_a_fault_during_recovery_starts_the_recovery_again(over_tcp, link_to):
    link = link_to(over_tcp, on_recovery=lambda link: link.query(b"V?\n", ONE))
    over_tcp.come((0.0, END))
    silent = [True]
    over_tcp.answer = lambda message: [] if silent and silent.pop() else [(0.0, b"1\n")]
    assert link.query(b"A?\n", ONE) == 1.0
    assert over_tcp.questions() == [b"V?\n", b"V?\n", b"A?\n"]
    assert over_tcp.opened == 3, "a late reply to the first read-back would have been taken for the second"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 40), parts=st.integers(1, 9), serial=st.booleans(), as_block=st.booleans())
def test_no_cut_and_no_dribble_makes_another_number(cut, parts, serial, as_block, over_tcp, over_serial, link_to):
    instrument = over_serial if serial else over_tcp
    whole = b"#18\x00\x00\x80?\x00\x00\x00@\n" if as_block else b"1.000000,2.000000\n"
    came = whole[:cut]
    pieces = [came[at : at + parts] for at in range(0, len(came), parts)]
    instrument.answer = lambda message: [(0.01 * place, piece) for place, piece in enumerate(pieces)]
    link = link_to(instrument)
    try:
        reply = link.exchange(b"A?\n", Block(2) if as_block else Numbers(2))
    except ExchangeTimeout:
        assert cut < len(whole)
    else:
        assert cut >= len(whole)
        assert reply.tolist() == [1.0, 2.0]
    finally:
        link.close()


def test_an_identity_is_matched_whole(over_tcp, clock):
    link = Link(over_tcp, clock, owner="test", identify=Identity(b"*IDN?\n", "Acme"))
    with pytest.raises(WrongInstrument):
        link.open()
