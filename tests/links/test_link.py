"""What a link promises beside the traps: one owner, one exchange at a time, messages that tell, a record."""

import json
import threading
import warnings

import pytest

from drivers.links import (
    ConnectionLost,
    ExchangeTimeout,
    Identity,
    Link,
    LinkInUse,
    LogFile,
    Numbers,
    Patience,
    ReplyRefused,
    Text,
)
from ffzero_lab.device import BadReply, DeviceError, LinkLost, LinkTimeout

ONE = Numbers(1)


def test_errors_name_resource_command_elapsed_time_and_what_came(over_tcp, link_to):
    link = link_to(over_tcp, patience=Patience(deadline_s=0.5))
    over_tcp.answer = lambda message: [(0.1, b"1.1")]
    with pytest.raises(LinkTimeout) as caught:
        link.exchange(b":READ:POW?\n", ONE)
    assert str(caught.value) == (
        "fake::1: b':READ:POW?\\n': not done within 0.500 s; is the instrument on, and the deadline enough? "
        "(0.500 s elapsed, 3 bytes came: b'1.1')"
    )
    fault = caught.value
    assert isinstance(fault, ExchangeTimeout)
    assert (fault.resource, fault.command, fault.received) == ("fake::1", b":READ:POW?\n", b"1.1")
    assert fault.elapsed_s == pytest.approx(0.5)


def test_long_messages_are_shortened_in_errors(over_tcp, link_to):
    link = link_to(over_tcp)
    over_tcp.answer = lambda message: [(0.0, b"x" * 5000 + b"\n")]
    with pytest.raises(ReplyRefused) as caught:
        link.exchange(b"V " + b"1," * 3000 + b"\n", ONE)
    assert len(str(caught.value)) < 500
    assert len(caught.value.command) == 6003


def test_each_fault_is_one_of_the_device_port():
    assert issubclass(ExchangeTimeout, LinkTimeout)
    assert issubclass(ConnectionLost, LinkLost)
    assert issubclass(ReplyRefused, BadReply)
    assert issubclass(LinkInUse, DeviceError)


def test_a_resource_has_one_owner(over_tcp, link_to, clock):
    first = link_to(over_tcp, owner="heaters")
    second = Link(over_tcp, clock, owner="meter", identify=Identity(b"*IDN?\n", ".*"))
    with pytest.raises(LinkInUse, match="fake::1: meter cannot have it, heaters does"):
        second.open()
    assert over_tcp.closed == 1, "the connection of the first is left alone"
    first.close()
    with second:
        assert second.identity == "Acme,M1,7,1.0"


def test_a_link_that_was_closed_may_find_another_instrument(over_tcp, link_to):
    link = link_to(over_tcp)
    link.close()
    over_tcp.identity = b"Acme,M1,8,1.0\n"
    link.open()
    assert link.identity == "Acme,M1,8,1.0"


def test_a_link_that_could_not_be_opened_gives_the_resource_back(over_tcp, link_to):
    over_tcp.refusals = 3
    with pytest.raises(ConnectionLost):
        link_to(over_tcp)
    link_to(over_tcp)


def test_a_link_that_is_not_open_says_so_and_tries_nothing(over_tcp, link_to):
    link = link_to(over_tcp)
    link.close()
    link.close()
    began_s = over_tcp.clock.now_s()
    with pytest.raises(ConnectionLost, match="not open"):
        link.query(b"A?\n", ONE)
    assert (over_tcp.clock.now_s(), over_tcp.opened) == (began_s, 1)


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_deadline_is_a_finite_number_above_0(deadline_s, over_tcp, link_to):
    link = link_to(over_tcp)
    with pytest.raises(ValueError, match="deadline_s"):
        link.exchange(b"A?\n", ONE, deadline_s)
    with pytest.raises(ValueError, match="deadline_s"):
        Patience(deadline_s=deadline_s)
    assert not link.tainted


def test_threads_take_turns(over_tcp, link_to):
    link = link_to(over_tcp)
    over_tcp.answer = lambda message: [(0.0, message[1:])]
    wrong = []

    def ask(number):
        replies = [link.exchange(b"?%d\n" % number, ONE)[0] for _ in range(200)]
        wrong.extend(reply for reply in replies if reply != number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_who_waits_for_a_busy_link_waits_no_longer_than_the_deadline(over_tcp, link_to):
    link = link_to(over_tcp, owner="heaters")
    caught = []

    def ask():
        try:
            link.exchange(b"B?\n", ONE, 0.001)
        except ExchangeTimeout as error:
            caught.append(str(error))

    def answer(message):
        other = threading.Thread(target=ask)
        other.start()
        other.join()
        return [(0.0, b"1\n")]

    over_tcp.answer = answer
    assert link.exchange(b"A?\n", ONE) == 1.0
    assert "busy with another exchange of heaters" in caught[0]
    assert not link.tainted, "the exchange that was going on is not touched"


def test_an_error_of_the_drivers_own_passes_and_taints(over_tcp, link_to):
    class Overvoltage(DeviceError):
        pass

    class Checked(Text):
        def read(self, reply):
            raise Overvoltage("channel 3")

    link = link_to(over_tcp)
    over_tcp.answer = lambda message: [(0.0, b"E1:03\n")]
    with pytest.raises(Overvoltage):
        link.query(b"V 1\n", Checked())
    assert over_tcp.questions() == [b"V 1\n"]
    assert link.tainted


class Unasked(Text):
    """Lines that an instrument sends by itself."""

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "heard", [])

    def read(self, reply):
        text = super().read(reply)
        if not text.startswith("E"):
            raise ValueError(f"{text!r} is no error line")
        self.heard.append(text)


def test_unasked_lines_are_heard_between_replies_and_a_late_reply_is_not_taken_for_one(over_serial, link_to):
    unasked = Unasked()
    link = link_to(over_serial, unasked=unasked)
    over_serial.answer = lambda message: [(0.0, b"OK\nE15:00\nE1"), (0.1, b"0:02\n")]
    over_serial.come((0.0, b"E90:0"), (0.05, b"1\n"))
    assert link.exchange(b"A\n", Text()) == "OK"
    assert unasked.heard == ["E90:01", "E15:00", "E10:02"]
    over_serial.come((0.0, b"+4.5 V\n"))
    with pytest.raises(ReplyRefused, match="no error line"):
        link.exchange(b"A\n", Text())


def test_every_exchange_is_recorded_with_its_bytes(over_tcp, link_to, tmp_path):
    log = LogFile(tmp_path / "exchanges.jsonl")
    link = link_to(over_tcp, owner="meter", log=log)
    over_tcp.answer = lambda message: [(0.25, b"\x00\xff\n")]
    with pytest.raises(ReplyRefused):
        link.exchange(b"A?\n", ONE)
    log.close()
    identity, failed = [json.loads(line) for line in (tmp_path / "exchanges.jsonl").read_text().splitlines()]
    assert (identity["sent"], identity["received"], identity["fault"]) == ("*IDN?\n", "Acme,M1,7,1.0\n", None)
    assert (failed["resource"], failed["owner"], failed["elapsed_s"]) == ("fake::1", "meter", 0.25)
    assert failed["received"].encode("latin-1") == b"\x00\xff\n"
    assert failed["fault"].startswith("ReplyRefused: fake::1")


def test_a_cancelled_exchange_and_what_was_drained_are_recorded(over_serial, link_to):
    log = []
    link = link_to(over_serial, log=log.append)
    over_serial.answer = lambda message: [(0.0, b"1\n")]
    over_serial.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        link.query(b"A?\n", ONE)
    link.query(b"B?\n", ONE)
    assert [(entry.sent, entry.received, entry.fault) for entry in log[1:]] == [
        (b"A?\n", b"", "KeyboardInterrupt: "),
        (b"", b"1\n", None),
        (b"*IDN?\n", over_serial.identity, None),
        (b"B?\n", b"1\n", None),
    ]


def test_a_log_that_fails_keeps_nobody_from_parking(over_tcp, link_to):
    def full(exchange):
        raise OSError("No space left on device")

    with pytest.warns(RuntimeWarning, match="fake::1: exchanges are logged no more: No space left"):
        link = link_to(over_tcp, log=full)
    over_tcp.answer = lambda message: [(0.0, b"0\n")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert link.exchange(b"PARK;*OPC?\n", ONE) == 0.0


def test_a_link_told_not_to_be_trusted_recovers_first_also_when_told_during_an_exchange(over_tcp, link_to):
    recovered: list[int] = []
    link = link_to(over_tcp, on_recovery=lambda link: recovered.append(link.generation))

    def answered(message):
        if not recovered:
            link.distrust()
        return [(0.0, b"1\n")]

    over_tcp.answer = answered
    link.query(b"A?\n", ONE)
    assert link.tainted
    assert not recovered
    link.query(b"A?\n", ONE)
    assert not link.tainted
    assert recovered == [1]


def test_patience_may_be_replaced_while_the_link_is_open(over_tcp, link_to):
    link = link_to(over_tcp, patience=Patience(deadline_s=60.0))
    link.patience = Patience(deadline_s=0.25, attempts=1)
    with pytest.raises(ExchangeTimeout, match=r"not done within 0\.250 s"):
        link.query(b"A?\n", ONE)


@pytest.mark.parametrize("instrument", ["over_tcp", "over_serial"])
def test_switching_off_goes_out_whatever_state_the_link_is_in(instrument, link_to, request):
    """Even where the answers are all refused, the identity included."""
    refusing = request.getfixturevalue(instrument)
    link = link_to(refusing)
    refusing.answer = lambda message: [(0.0, b"\xff\xff\n")]
    with pytest.raises(ReplyRefused):
        link.exchange(b":READ:POW?\n", ONE)
    refusing.identity = b"\xff\xff\n"
    refusing.answer = lambda message: []
    with pytest.raises(ReplyRefused):
        link.exchange(b":OUTP OFF;*OPC?\n", ONE)
    assert refusing.questions() == [b":READ:POW?\n"]
    link.send_blindly(b":OUTP OFF\n")
    assert refusing.questions() == [b":READ:POW?\n", b":OUTP OFF\n"]
    assert link.tainted


def test_what_cannot_be_sent_blindly_is_told(over_tcp, link_to):
    link = link_to(over_tcp, patience=Patience(deadline_s=0.5))
    over_tcp.refusals = 1
    with pytest.raises(ConnectionLost, match="nobody listens"):
        link.send_blindly(b":OUTP OFF\n")
    over_tcp.stalled = True
    with pytest.raises(ExchangeTimeout, match=r"b':OUTP OFF\\n': not done within 0\.500 s"):
        link.send_blindly(b":OUTP OFF\n")
    link.close()
    with pytest.raises(ConnectionLost, match="not open"):
        link.send_blindly(b":OUTP OFF\n")


def test_a_link_that_is_distrusted_recovers_before_the_next_exchange(over_tcp, link_to):
    link = link_to(over_tcp)
    assert link.tally.recoveries == 0
    link.distrust()
    over_tcp.answer = lambda message: [(0.0, b"1.5\n")]
    assert link.exchange(b":READ:POW?\n", ONE) == 1.5
    assert link.generation == 2
    assert link.tally.recoveries == 1


def test_a_link_tells_how_long_exchanges_take_and_what_was_asked_again(over_tcp, link_to):
    link = link_to(over_tcp, patience=Patience(deadline_s=0.5, pause_s=0.01))
    before = link.tally
    assert (before.retries, before.recoveries) == (0, 0)
    over_tcp.answer = lambda message: [(0.2, b"1.0\n")]
    link.query(b"V?\n", ONE)
    assert link.tally.exchanges == before.exchanges + 1
    assert link.tally.slowest_s == pytest.approx(0.2)
    replies = iter([[(0.9, b"1.0\n")]])
    over_tcp.answer = lambda message: next(replies, [(0.01, b"1.0\n")])
    link.query(b"V?\n", ONE)
    told = link.tally
    assert (told.exchanges, told.retries, told.recoveries) == (before.exchanges + 2, 1, 1)
    assert told.latency_s == pytest.approx((0.2 + 0.01) / told.exchanges, abs=1e-6)
