"""The photonic twin's presets: constants of a perfect, an ordinary and a poor chip with their benches."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "typical": {
        "mesh": {
            "splitter_error_rad": 0.03,
            "random_offsets": True,
            "column_loss_db": 0.1,
            "coupler_loss_db": 0.01,
        },
        "heaters": {
            "pi_power_spread": 0.05,
            "resistance_spread": 0.03,
            "drive_bits": 16,
            "crosstalk": 0.005,
            "settling_s": 50e-6,
            "metering_noise": 0.002,
        },
        "modulators": {"leak": 1e-3, "gain_error": 0.02},
        "detectors": {
            "responsivity_error": 0.02,
            "dark_offset": 0.001,
            "thermal_noise": 0.002,
            "shot_noise": 0.001,
            "adc_bits": 14,
        },
        "drift": {"phase_rad": 0.02},
        "timing": {"exchange_s": 50e-6, "jitter": 0.1},
    },
    "harsh": {
        "mesh": {
            "splitter_error_rad": 0.06,
            "random_offsets": True,
            "column_loss_db": 0.2,
            "coupler_loss_db": 0.05,
        },
        "heaters": {
            "pi_power_spread": 0.1,
            "resistance_spread": 0.06,
            "drive_bits": 12,
            "crosstalk": 0.02,
            "crosstalk_decay_pitches": 2.0,
            "settling_s": 100e-6,
            "metering_noise": 0.01,
        },
        "modulators": {"leak": 1e-2, "gain_error": 0.05, "chirp_rad": 0.1},
        "detectors": {
            "responsivity_error": 0.1,
            "dark_offset": 0.005,
            "thermal_noise": 0.01,
            "shot_noise": 0.005,
            "adc_bits": 10,
        },
        "drift": {"phase_rad": 0.1, "time_s": 1800.0},
        "timing": {"exchange_s": 100e-6, "jitter": 0.3},
    },
}
