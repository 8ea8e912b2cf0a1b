"""One instrument at its socket or serial line: exchange by exchange, with its faults, under the lock of the bench."""

from threading import RLock

from drivers.emulator.delivery import NOTHING, RESTARTED, Delivery, deliver
from drivers.emulator.instrument import Instrument
from drivers.emulator.troubles import Troubles


class Station:
    """What a server of any kind talks to: bytes of a message in, what to do with the reply out."""

    def __init__(self, instrument: Instrument, troubles: Troubles, lock: RLock) -> None:
        self._instrument = instrument
        self._troubles = troubles
        self._lock = lock

    @property
    def instrument(self) -> Instrument:
        """The instrument, for what never changes of it."""
        return self._instrument

    def exchange(self, message: bytes) -> Delivery:
        """Let the instrument obey a *message* (without terminator); one that it restarts on is lost."""
        with self._lock:
            self._troubles.next_exchange()
            if self._troubles.strikes("reboot"):
                self._instrument.power_up()
                return RESTARTED
            return deliver(self._instrument.answer(message), self._troubles)

    def overrun(self) -> Delivery:
        """Tell the instrument that a message was too long."""
        with self._lock:
            self._troubles.next_exchange()
            return _said(self._instrument.overrun())

    def broken_off(self, received: bytes) -> Delivery:
        """Tell the instrument that a message broke off."""
        with self._lock:
            self._troubles.next_exchange()
            return _said(self._instrument.broken_off(received))

    def tick(self) -> Delivery:
        """Let the instrument do what it does by itself."""
        with self._lock:
            return _said(self._instrument.tick())

    def greeting(self) -> bytes | None:
        """Return what the instrument says after it has restarted; None: its port vanishes for a moment instead."""
        with self._lock:
            return self._instrument.greeting()

    def undelivered(self) -> None:
        """Tell the instrument that nobody took its reply."""
        with self._lock:
            self._instrument.undelivered()

    def power_up(self) -> None:
        """Switch the instrument on."""
        with self._lock:
            self._instrument.power_up()


def _said(words: bytes) -> Delivery:
    return Delivery((words,)) if words else NOTHING
