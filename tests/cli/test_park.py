"""Parking a bench whose owner does not answer."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ffzero_lab.bench_lock import BenchLock

Command = Callable[..., Any]
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-driver.md"


def test_an_owner_that_does_not_answer_is_named_with_the_remedy(
    cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FFZERO_LOCK_DIR", str(tmp_path / "locks"))
    (tmp_path / "film_of_a_test.py").write_text(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0])
    monkeypatch.syspath_prepend(tmp_path)
    with BenchLock("film F-1") as lock:
        lock.acquire(str(tmp_path))
        (tmp_path / "control").mkdir()
        ended = cli("park", "film_of_a_test:FilmBench", "--wait", 0.2)
        assert ended.code == 3
        assert "did not let go within 0.2 s" in ended.err
        assert "end that process, then park again" in ended.err
    assert "is parked" in cli("park", "film_of_a_test:FilmBench").out
