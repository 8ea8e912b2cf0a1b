"""A photonic twin that writes down, when it is closed, which phases it stood at: the truth at the end of a calibration.

``revealing_twin:RevealingTwin`` with this folder on the Python path, as a device of its own or behind an emulation.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np

from drivers.twin.photonic import PhotonicConfig, PhotonicTwin
from ffzero_lab.device import Clock


class RevealingConfig(PhotonicConfig):
    """The twin's configuration, and where its truth goes."""

    reveal: Path
    """File (npy) for the phases (P,) of the first mesh at zero drive, rad, drift included."""


class RevealingTwin(PhotonicTwin):
    """See the module."""

    Config: ClassVar[type[PhotonicConfig]] = RevealingConfig

    @classmethod
    def open(cls, config: PhotonicConfig, clock: Clock | None = None) -> "RevealingTwin":
        """Make the chips of *config*."""
        plain = PhotonicTwin.open(config, clock)
        return cls(config, plain.clock)

    def close(self) -> None:
        """Reveal, then close."""
        config = self._config
        assert isinstance(config, RevealingConfig)
        if self._staged:  # a look at the description alone is no calibration
            np.save(config.reveal, self.reveal_phases(0, np.zeros(self.description.layers[0].n_parameters)))
        super().close()
