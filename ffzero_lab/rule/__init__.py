"""The learning rule: arrays in, arrays out; it knows no device."""
