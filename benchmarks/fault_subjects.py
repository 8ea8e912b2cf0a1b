"""The benches that a campaign of faults disturbs: how each is emulated, told, driven and read, and what goes wrong."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from board_bench import board_file, board_hello, board_spec
from qontrol_bench import VOLTS_PER_UNIT, rack_bench_of
from wired_bench import MEMORY, WATTS_PER_UNIT, as_toml, bench_of

from drivers.bench import BenchConfig
from drivers.emulator import EmulationSpec
from drivers.emulator.faults import FaultKind
from drivers.emulator.of_bench import connected, emulation_of

TWIN = {"ports": 4, "layers": 1, "preset": "ideal", "seed": 1, "kernel": "numpy"}
DEADLINE_S = 0.1
LINK = {"deadline_s": DEADLINE_S, "connect_s": 1.0, "pause_s": 0.005}
KINDS: tuple[FaultKind, ...] = (
    "drop",
    "delay",
    "garbage",
    "half-line",
    "dribble",
    "close",
    "reboot",
    "wrong-count",
    "partial-list",
    "over-range",
)
BAUD = 2_000_000
RACK_LINK = {"deadline_s": DEADLINE_S, "connect_s": 1.0, "pause_s": 0.005, "quiet_s": 0.05}
RACK_KINDS: tuple[FaultKind, ...] = ("serial-error", "complaint", "module-restart", "stuck", "dead-channel")
WITHIN = 2e-5
"""How far a measured output may be off: little more than a step of the converter, which is 1.5e-5 of full scale."""
FULL_SCALE_V, FULL_WORD = 12.0, 0xFFFF


class Subject:
    """The bench that is disturbed: a source and modulators that speak SCPI over TCP.

    Attributes
    ----------
    ways
        In how many ways it is spoken to.
    kinds
        What goes wrong.
    """

    ways: tuple[str, ...] = ("stepping", "recalled", "one by one")
    kinds: tuple[FaultKind, ...] = KINDS

    def content_of(self, way: str) -> dict[str, Any]:
        """Return the bench file; the emulated source would go on to 10 V, so that the witness could see too much."""
        content = bench_of(TWIN, link=LINK, memory=way != "one by one", name="campaign")
        if way != "one by one":
            content["inputs"]["modulator0"]["memory"] = 10  # less than the data set
        if way == "recalled":
            for key in ("step_through", "position"):
                assert key in MEMORY
                del content["inputs"]["modulator0"][key]
        content["emulation"]["instruments"]["source"] = {"lower": -10.0, "upper": 10.0}
        content["emulation"]["instruments"]["modulator0"] = {"lower": -10.0, "upper": 10.0}
        return content

    def spec_of(self, way: str) -> EmulationSpec:
        """Return what is emulated."""
        return emulation_of(BenchConfig.model_validate(self.content_of(way)))

    def file_of(self, way: str, resources: Mapping[str, str]) -> str:
        """Return the bench file that leads to *resources*."""
        content = self.content_of(way)
        return connected(as_toml(content), resources, BenchConfig.model_validate(content))

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return what stands at the heaters (P,) when *setpoints* were written."""
        return setpoints

    def reported(self, intensities: np.ndarray) -> np.ndarray:
        """Return the readings (n,) of *intensities* (n,)."""
        return (intensities * WATTS_PER_UNIT).astype(np.float32)

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return what stands at the inputs (n,) when *pattern* was presented."""
        return pattern

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest setpoint that a channel may see."""
        del channel
        return {"source": heater_upper_v, "modulator0": 1.0}[instrument]

    def called(self, instrument: str) -> tuple[str, ...]:
        """Return the names by which an error may call an instrument."""
        return (instrument,)


class RackSubject(Subject):
    """A Qontrol rack for both; its converters have steps, and VMAX is lost when a module restarts."""

    ways = ("ascii", "binary")
    kinds = KINDS + RACK_KINDS

    def content_of(self, way: str) -> dict[str, Any]:
        """Return the bench file."""
        measured = {"measured_within": WITHIN, "settle_s": 0.001}
        return rack_bench_of(TWIN, baud=BAUD, form=way, link=LINK, rack=RACK_LINK, channels=measured, name="campaign")

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return the voltages on the steps of the converter."""
        return np.rint(setpoints / FULL_SCALE_V * FULL_WORD) * (FULL_SCALE_V / FULL_WORD)

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return the amplitudes on the steps of the converter."""
        return self.driven(pattern * VOLTS_PER_UNIT) / VOLTS_PER_UNIT

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest voltage of a heater or of a modulator, to a step."""
        del instrument
        return (heater_upper_v if channel < 16 else VOLTS_PER_UNIT) + FULL_SCALE_V / FULL_WORD / 2.0

    def called(self, instrument: str) -> tuple[str, ...]:
        """Return the names by which an error may call an instrument."""
        return (instrument, "heaters", "modulator0") if instrument == "rack" else (instrument,)


class BoardSubject(Subject):
    """An all-in-one board: everything has steps, and one memory holds more than the other."""

    ways = ("list mode", "little memory")
    kinds = tuple(kind for kind in KINDS if kind != "partial-list")

    def __init__(self) -> None:
        self._hello = board_hello({**TWIN, "drive": "volts"})

    def spec_of(self, way: str) -> EmulationSpec:
        """Return what is emulated."""
        little = {"payload_max": 200, "readings_max": 16, "pattern_words": 200} if way == "little memory" else {}
        return board_spec({**TWIN, "drive": "volts"}, gap_ms=20, baud=BAUD, **little)

    def file_of(self, way: str, resources: Mapping[str, str]) -> str:
        """Return the bench file that leads to *resources*."""
        del way
        link = {"deadline_s": DEADLINE_S, "quiet_s": 0.04, "pause_s": 0.005, "baud": BAUD}
        content = board_file({**TWIN, "drive": "volts"}, resources["board"], **link)
        content["health"] = [{key: channel[key] for key in ("name", "unit")} for channel in content["health"]]
        return as_toml({"driver": "board", **content})

    def driven(self, setpoints: np.ndarray) -> np.ndarray:
        """Return the voltages on the steps of the converter."""
        span = self._hello.layers[0].parameter_span
        return span.values(span.codes(setpoints))

    def presented(self, pattern: np.ndarray) -> np.ndarray:
        """Return the amplitudes on the steps of the converter."""
        span = self._hello.layers[0].input_span
        return span.values(span.codes(pattern))

    def reported(self, intensities: np.ndarray) -> np.ndarray:
        """Return the readings on the steps of the converter."""
        span = self._hello.layers[0].output_span
        return span.values(span.codes(intensities))

    def upper(self, instrument: str, channel: int, heater_upper_v: float) -> float:
        """Return the largest setpoint, to a step."""
        del channel
        return 1.0 if instrument == "board-inputs" else heater_upper_v * (1.0 + 1e-12)


SUBJECTS: Mapping[str, type[Subject]] = {"scpi": Subject, "qontrol": RackSubject, "board": BoardSubject}
