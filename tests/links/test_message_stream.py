"""Instruments that are reached through the calls of a VISA library only: USB, GPIB, LAN."""

from types import SimpleNamespace

import pytest
from pyvisa import ResourceManager
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource

from drivers.links import ConnectionLost, ExchangeTimeout, Identity, Link, Numbers, VisaTransport
from ffzero_lab.device import VirtualClock

ONE = Numbers(1)


class Session(MessageBasedResource):
    """A session of a library that is not there; a read with nothing to say takes its whole time-out."""

    def __init__(self, clock):
        self.clock = clock
        self.output = b""
        self.timeouts_ms = []
        self.reads = self.clears = self.closes = 0
        self.can_clear = True
        self.broken = None

    session = 7
    resource_name = "USB0::1::2::3::INSTR"

    @property
    def visalib(self):
        return SimpleNamespace(write=self.take, read=self.say)

    @property
    def timeout(self):
        return self.timeouts_ms[-1]

    @timeout.setter
    def timeout(self, timeout_ms):
        self.timeouts_ms.append(timeout_ms)

    def take(self, session, message):
        if self.broken:
            raise self.broken
        self.output += {b"*IDN?\n": b"Acme\n", b"A?\n": b"1\n"}.get(message, b"")
        return len(message), StatusCode.success

    def say(self, session, most):
        self.reads += 1
        if not self.output:
            self.clock.sleep_s(self.timeout / 1e3)
            raise VisaIOError(StatusCode.error_timeout)
        said, self.output = self.output[:most], self.output[most:]
        return said, StatusCode.success

    def clear(self):
        self.clears += 1
        if not self.can_clear:
            raise VisaIOError(StatusCode.error_nonsupported_operation)
        self.output = b""

    def close(self):
        self.closes += 1

    def __del__(self):
        pass


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def session(clock, monkeypatch):
    session = Session(clock)
    monkeypatch.setattr(ResourceManager, "open_resource", lambda self, name, open_timeout: session)
    return session


@pytest.fixture
def link(clock):
    link = Link(VisaTransport("USB0::1::2::3::INSTR"), clock, owner="test", identify=Identity(b"*IDN?\n", "Acme"))
    yield link
    link.close()


def test_an_exchange_gives_the_library_what_is_left_of_the_deadline(session, link):
    link.open()
    assert link.exchange(b"A?\n", ONE, 0.25) == 1.0
    assert session.timeouts_ms[-1] == 250
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"B\n", ONE, 0.25)


def test_an_instrument_is_not_read_before_it_was_asked(session, link):
    link.open()
    reads = session.reads
    link.write(b"V 1\n")
    assert session.reads == reads


def test_trap_late_reply_is_discarded_by_a_device_clear(session, link):
    link.open()
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"B\n", ONE)
    session.output = b"9\n"
    assert link.query(b"A?\n", ONE) == 1.0
    assert (session.clears, session.closes) == (2, 1)


def test_trap_late_reply_is_drained_where_no_clear_is_possible(session, link):
    session.can_clear = False
    link.open()
    with pytest.raises(ExchangeTimeout):
        link.exchange(b"B\n", ONE)
    session.output = b"9\n"
    assert link.query(b"A?\n", ONE) == 1.0
    assert session.closes == 0


@pytest.mark.parametrize(
    "error", [VisaIOError(StatusCode.error_connection_lost), BrokenPipeError("gone"), KeyError("of a protocol")]
)
def test_whatever_a_library_raises_is_a_lost_connection(session, link, error):
    link.open()
    session.broken = error
    with pytest.raises(ConnectionLost):
        link.exchange(b"A?\n", ONE)
    session.broken = None
    assert link.query(b"A?\n", ONE) == 1.0


def test_a_session_that_cannot_be_closed_is_given_up_with_a_warning(session, link, monkeypatch):
    def refuse():
        raise VisaIOError(StatusCode.error_system_error)

    link.open()
    monkeypatch.setattr(session, "close", refuse)
    with pytest.warns(RuntimeWarning, match="closing failed"):
        link.close()
    link.close()


def test_a_failing_clear_is_a_lost_connection(session, link, monkeypatch):
    def fail():
        raise VisaIOError(StatusCode.error_io)

    monkeypatch.setattr(session, "clear", fail)
    with pytest.raises(ConnectionLost, match="no connection"):
        link.open()
