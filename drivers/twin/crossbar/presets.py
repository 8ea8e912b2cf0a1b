"""The crossbar twin's presets: constants of a perfect, an ordinary and a poor array with their benches."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "typical": {
        "cells": {
            "programming_error": 0.01,
            "relative_error": 0.03,
            "spread": 0.03,
            "bits": 11,
            "stuck_off": 0.001,
            "stuck_on": 0.001,
        },
        "drift": {"exponent": 0.05, "exponent_spread": 0.015},
        "drivers": {"dac_bits": 8},
        "readout": {"gain_error": 0.02, "offset": 0.002, "noise": 0.002, "adc_bits": 10},
        "timing": {"exchange_s": 50e-6, "jitter": 0.1},
    },
    "harsh": {
        "cells": {
            "programming_error": 0.02,
            "relative_error": 0.06,
            "spread": 0.1,
            "bits": 8,
            "stuck_off": 0.01,
            "stuck_on": 0.01,
        },
        "drift": {"exponent": 0.1, "exponent_spread": 0.03},
        "drivers": {"dac_bits": 6},
        "readout": {"gain_error": 0.05, "offset": 0.005, "noise": 0.005, "adc_bits": 8},
        "timing": {"exchange_s": 100e-6, "jitter": 0.3},
    },
}
