"""What may be written: shape, finiteness, bounds, slew and total power of setpoints; range of patterns."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np

from ffzero_lab.device.description import DeviceDescription
from ffzero_lab.device.errors import LimitViolation
from ffzero_lab.device.port import FloatArray, Patterns


class SetpointLimits:
    """The limits of one device and the setpoints it stands at; checks refuse, they never change a value."""

    def __init__(self, description: DeviceDescription) -> None:
        self._description = description
        self._lower = [layer.per_parameter("lower") for layer in description.layers]
        self._upper = [layer.per_parameter("upper") for layer in description.layers]
        self._slew = [layer.per_parameter("slew_per_s") for layer in description.layers]
        self._standing: dict[int, FloatArray] = {}
        self._parked_layers: set[int] = set()
        self._parked_w = np.array([self._drawn_w(*parked)[0] for parked in self._parked()])
        self._power_w = self._parked_w.copy()

    def check_patterns(self, layer: int, patterns: Patterns) -> None:
        """Raise LimitViolation unless *patterns* (S, n_in) are finite and within the layer's input range."""
        where = self._where(layer)
        described = self._description.layers[layer]
        if self._description.topology == "cascaded" and layer != 0:
            raise LimitViolation(f"{where}: a cascade takes patterns at layer 0 only")
        if patterns.ndim != 2 or patterns.shape[1] != described.n_inputs or len(patterns) == 0:
            raise LimitViolation(
                f"{where}: patterns of shape {patterns.shape}; expected (S, {described.n_inputs}) with S > 0"
            )
        if patterns.dtype.kind != "f":
            raise LimitViolation(f"{where}: patterns of type {patterns.dtype}; expected floating-point numbers")
        memory = self._description.pattern_memory
        if memory is not None and len(patterns) > memory:
            raise LimitViolation(f"{where}: {len(patterns)} patterns do not fit into its memory of {memory}")
        if not np.isfinite(patterns).all():
            row, column = np.argwhere(~np.isfinite(patterns))[0]
            raise LimitViolation(f"{where}: pattern {row}, input {column} is {patterns[row, column]}, not a number")
        lowest, highest = float(patterns.min()), float(patterns.max())
        if lowest < described.input_lower or highest > described.input_upper:
            wrong = lowest if lowest < described.input_lower else highest
            row, column = np.argwhere(patterns == wrong)[0]
            raise LimitViolation(
                f"{where}: pattern {row}, input {column} is {wrong:.6g} {described.input_unit}; allowed "
                f"{described.input_lower:.6g} to {described.input_upper:.6g}; nothing was staged"
            )

    def check_settings(self, layer: int, settings: FloatArray) -> None:
        """Raise LimitViolation unless every one of *settings* (K, P) may be written, in this order, from now on."""
        self.check_values(layer, settings)
        self._check_slew(layer, settings)

    def check_values(self, layer: int, settings: FloatArray) -> None:
        """Raise LimitViolation unless every one of *settings* (K, P) may stand, however it is reached."""
        where = self._where(layer)
        n_parameters = self._description.layers[layer].n_parameters
        if settings.ndim != 2 or settings.shape[1] != n_parameters or settings.dtype != np.float64:
            raise LimitViolation(
                f"{where}: parameters of shape {settings.shape[1:]} and type {settings.dtype}; "
                f"expected ({n_parameters},) of float64; nothing was written"
            )
        if len(settings) == 0:
            raise LimitViolation(f"{where}: no settings to write; a probe needs at least one")
        if not np.isfinite(settings).all():
            self._refuse(layer, settings, ~np.isfinite(settings), "is not a finite number")
        below, above = settings < self._lower[layer], settings > self._upper[layer]
        if below.any() or above.any():
            self._refuse(layer, settings, below | above, "is out of bounds")
        self._check_power(layer, settings)

    def needs_standing(self, layer: int) -> bool:
        """Tell whether *layer* has a slew limit and nobody knows yet from where it moves."""
        return layer not in self._standing and self.limits_slew(layer)

    def limits_slew(self, layer: int) -> bool:
        """Tell whether any parameter of *layer* has a slew limit."""
        return bool(np.isfinite(self._slew[layer]).any())

    def most_in_one_write(self, layer: int) -> FloatArray:
        """Return how far every parameter (P,) of *layer* may move in one write; infinite without a slew limit."""
        slew, limited = self._slew[layer], np.isfinite(self._slew[layer])
        return np.where(limited, np.where(limited, slew, 0.0) * self._description.timing.write_s, np.inf)

    def where(self, layer: int) -> FloatArray | None:
        """Return where *layer* (P,) stands, as it was written, by whichever layer on shared hardware, or parked."""
        standing = self._standing.get(layer)
        if standing is None and self._description.shared_hardware:
            standing = next(iter(self._standing.values()), None)
        if standing is None and layer in self._parked_layers:
            return self._description.layers[layer].per_parameter("parked")
        return standing

    @contextmanager
    def moving(self, layer: int, settings: FloatArray) -> Generator[None]:
        """Note that *layer* moves through *settings* (K, P) to the last one inside the block.

        When the block fails, some of it may have been carried out: the power then counts at its highest, and the
        slew starts from what the hardware reports.
        """
        try:
            yield
        except BaseException:
            self._forget(layer)
            if self._description.power_budget_w is not None:
                self._power_w[layer] = max(self._power_w[layer], self._drawn_w(layer, settings).max())
            raise
        self.written(layer, settings[-1])

    def standing(self) -> dict[int, FloatArray]:
        """Return the setpoints (P,) of every layer of which they are known."""
        return dict(self._standing)

    def written(self, layer: int, values: FloatArray) -> None:
        """Note that *layer* now stands at *values* (P,); on shared hardware no other layer stands any more."""
        self._forget(layer)
        self._standing[layer] = values.copy()
        if self._description.power_budget_w is not None:
            if self._description.shared_hardware:
                self._power_w[:] = 0.0
            self._power_w[layer] = self._drawn_w(layer, values[np.newaxis])[0]

    def _forget(self, layer: int) -> None:
        """Forget where *layer* stands; on shared hardware it has taken every other layer's place."""
        if self._description.shared_hardware:
            self._standing.clear()
            self._parked_layers.clear()
        self._standing.pop(layer, None)
        self._parked_layers.discard(layer)

    def parked(self) -> None:
        """Forget the setpoints: after parking everything stands at its safe state."""
        self._standing.clear()
        self._parked_layers = set(range(len(self._description.layers)))
        self._power_w[:] = self._parked_w

    def _check_power(self, layer: int, settings: FloatArray) -> None:
        drawn_w = self._drawn_w(layer, settings).max()
        own_w = self._description.layers[layer].power_budget_w
        if own_w is not None and drawn_w > own_w:
            raise LimitViolation(
                f"{self._where(layer)}: the actuators would draw {drawn_w:.4g} W, the layer's budget is {own_w:.4g} W; "
                "nothing was written"
            )
        budget_w = self._description.power_budget_w
        if budget_w is None:
            return
        others_w = 0.0 if self._description.shared_hardware else self._power_w.sum() - self._power_w[layer]
        most_w = float(drawn_w) + float(others_w)
        if most_w > budget_w:
            raise LimitViolation(
                f"{self._where(layer)}: the actuators would draw {most_w:.4g} W, the budget is {budget_w:.4g} W; "
                "nothing was written"
            )

    def _check_slew(self, layer: int, settings: FloatArray) -> None:
        """Refuse a step larger than the slew allows during one write; waiting before it does not make a jump slower."""
        if not self.limits_slew(layer):
            return
        most, standing = self.most_in_one_write(layer), self.where(layer)
        previous = settings[0] if standing is None else standing
        for number, values in enumerate(settings):
            too_fast = np.abs(values - previous) > most
            if too_fast.any():
                self._refuse(layer, settings[number : number + 1], too_fast[np.newaxis], "moves too fast")
            previous = values

    def _parked(self) -> Iterator[tuple[int, FloatArray]]:
        for layer, described in enumerate(self._description.layers):
            yield layer, described.per_parameter("parked")[np.newaxis]

    def _drawn_w(self, layer: int, settings: FloatArray) -> FloatArray:
        """Return the power in watts of each setting (K, P) of one layer, shape (K,)."""
        drawn_w = np.zeros(len(settings))
        start = 0
        for group in self._description.layers[layer].groups:
            if group.power is not None:
                drawn_w += group.power.total_w(settings[:, start : start + group.size])
            start += group.size
        return drawn_w

    def _refuse(self, layer: int, settings: FloatArray, wrong: np.ndarray, reason: str) -> None:
        described = self._description.layers[layer]
        number, index = (int(i) for i in np.argwhere(wrong)[0])
        lower, upper = self._lower[layer][index], self._upper[layer][index]
        slew = self._slew[layer][index]
        rate = f", at most {slew:.6g} {described.unit_of(index)}/s" if np.isfinite(slew) else ""
        raise LimitViolation(
            f"{self._where(layer)}, {described.name_of(index)}: {settings[number, index]:.6g} "
            f"{described.unit_of(index)} {reason}; allowed {lower:.6g} to {upper:.6g}{rate} "
            f"({int(np.count_nonzero(wrong))} such values); nothing was written"
        )

    def _where(self, layer: int) -> str:
        return f"{self._description.name}, layer {layer}"
