"""One chip of the photonic twin: drive, heaters, drift and mesh, from what is written to optical fields."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.twin.drift import OrnsteinUhlenbeck
from drivers.twin.photonic.adjoint import phase_slopes
from drivers.twin.photonic.config import PhotonicConfig
from drivers.twin.photonic.drive import Drive
from drivers.twin.photonic.heating import Heating, Spread, heater_faults
from drivers.twin.photonic.mesh import Mesh, MeshGeometry
from drivers.twin.photonic.truth import fabricate

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


class Chip:
    """A mesh with its truth and its drive; setpoints are written, fields pass through."""

    def __init__(self, config: PhotonicConfig, layer: int, from_others: Spread | None) -> None:
        geometry = MeshGeometry(config.ports)
        self.truth = truth = fabricate(config, layer)
        self._drive = Drive(config.drive, config.heaters)
        self._heating = Heating(
            truth,
            from_others,
            config.heaters.settling_s,
            heater_faults(config.faults, layer, geometry.n_mzi, config.ports),
        )
        self._drift = OrnsteinUhlenbeck(
            geometry.n_parameters, config.drift.phase_rad, config.drift.time_s, (config.seed, (4, layer))
        )
        self._mesh = Mesh(
            geometry,
            truth.splitter_first,
            truth.splitter_second,
            column_loss_db=config.mesh.column_loss_db,
            coupler_loss_db=config.mesh.coupler_loss_db,
            kernel=config.kernel,
        )

    @property
    def kernel(self) -> str:
        """What computes the mesh, with its version."""
        return f"{self._mesh.kernel} {version(self._mesh.kernel)}"

    @property
    def setpoints(self) -> FloatArray:
        """What (P,) the drive's registers hold, in the unit that is written."""
        return self._drive.requested(self._heating.volts)

    def write(self, requested: FloatArray, now_s: float) -> None:
        """Drive the heaters to *requested* (P,) from the device time *now_s* on."""
        self._heating.set_volts(self._drive.volts(requested), now_s)

    def intensities(self, fields: FloatArray | ComplexArray, now_s: float) -> FloatArray:
        """Return |E|² (B, N) at the outputs for input fields (B, N)."""
        if fields.dtype.kind == "f":
            return self._mesh.intensities(fields.real, self.phases(now_s))
        leaving = self._mesh.propagate(fields, self.phases(now_s))
        return leaving.real**2 + leaving.imag**2

    def fields(self, inputs: FloatArray | ComplexArray, now_s: float) -> ComplexArray:
        """Return the fields (B, N) at the outputs for input fields (B, N)."""
        return self._mesh.propagate(inputs, self.phases(now_s))

    def phases(self, now_s: float) -> FloatArray:
        """Return the phases (P,) that the light meets, rad."""
        return self.truth.offsets + self._drift.at(now_s) + self._heating.phases(now_s)

    def phases_at(self, requested: FloatArray, now_s: float) -> FloatArray:
        """Return the phases (P,), rad, that settle when *requested* (P,) is driven without the converter's steps."""
        settled = self._heating.settled(self._drive.squares(requested), now_s)
        return self.truth.offsets + self._drift.at(now_s) + settled

    def slopes(
        self,
        requested: FloatArray,
        fields: FloatArray | ComplexArray,
        slope_of: Callable[[FloatArray], FloatArray],
        now_s: float,
    ) -> FloatArray:
        """Return the exact slopes (P,) in *requested* (P,) of a loss of the intensities.

        *slope_of* maps the intensities (B, N) that *fields* (B, N) bring to the loss's slopes in them. Drift goes on
        to *now_s*; nothing else changes.
        """
        phases = self.phases_at(requested, now_s)
        leaving = self._mesh.propagate(fields, phases)
        slopes_in_intensities = slope_of(leaving.real**2 + leaving.imag**2)
        slopes_in_phases = phase_slopes(self._mesh.passive, phases, fields, slopes_in_intensities)
        slopes_in_squares = self._heating.slopes_in_squares(slopes_in_phases, now_s)
        return slopes_in_squares * self._drive.slopes_in_squares(requested)

    def drawn(self, now_s: float) -> tuple[FloatArray, FloatArray]:
        """Return the volts (P,) and amperes (P,) of the heaters."""
        return self._heating.drawn(now_s, self._drive.most_a)

    def heat_w(self, now_s: float) -> float:
        """Return the heat on the chip."""
        return self._heating.power_w(now_s)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return everything that decides later fields."""
        drifted, looked = self._drift.state()
        return {**self._heating.state(), "drift_rad": drifted, "drift_at": looked}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state` returned."""
        self._heating.restore(state)
        self._drift.restore(state["drift_rad"], state["drift_at"])
