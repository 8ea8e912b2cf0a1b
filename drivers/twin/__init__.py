"""Digital twins: physical models with hidden truth behind the device port."""
