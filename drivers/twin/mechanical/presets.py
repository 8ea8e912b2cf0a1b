"""The mechanical twin's presets: constants of a perfect, an ordinary and a poor lattice with their benches."""

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "typical": {
        "springs": {"tolerance": 0.05, "servo_bits": 16, "backlash": 0.0005, "creep": 0.02},
        "loads": {"gain_error": 0.02},
        "gauges": {"noise": 0.001, "offset": 0.002, "gain_error": 0.02, "adc_bits": 14},
        "timing": {"exchange_s": 1e-3, "jitter": 0.1},
    },
    "harsh": {
        "springs": {"tolerance": 0.15, "servo_bits": 14, "backlash": 0.003, "creep": 0.08},
        "loads": {"gain_error": 0.05},
        "gauges": {"noise": 0.003, "offset": 0.003, "gain_error": 0.05, "adc_bits": 10},
        "timing": {"exchange_s": 5e-3, "jitter": 0.3},
    },
}
