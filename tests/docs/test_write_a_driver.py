"""The driver of the how-to guide passes the suite that the guide tells its reader to run."""

import re
from pathlib import Path
from typing import Any

from ffzero_lab.conformance import DeviceConformance

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-driver.md"


def driver_of_the_guide() -> Any:
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0]
    assert len(code.splitlines()) < 60
    namespace: dict[str, Any] = {"__name__": "film_bench"}
    exec(compile(code, str(GUIDE), "exec"), namespace)
    return namespace["FilmBench"]


class TestDriverOfTheGuide(DeviceConformance):
    def open_driver(self) -> Any:
        driver = driver_of_the_guide()
        return driver.open(driver.Config())
