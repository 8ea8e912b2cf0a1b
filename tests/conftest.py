"""Property tests draw the same examples every time, and do not fail because the machine is busy."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("repeatable")
