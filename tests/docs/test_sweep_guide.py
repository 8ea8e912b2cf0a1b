"""The sweep of the guide is one whose points a twin can measure, the noisiest among them."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "sweep.md"


def test_the_noisiest_point_of_the_guide_is_measured(ask: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    table = tomllib.loads(text)
    settings = table.pop("sweep")["settings"]
    noise = settings["device.detectors.thermal_noise"]["to"]
    (tmp_path / "point.toml").write_text(text.partition("[sweep]")[0])
    more = ("--set", f"device.detectors.thermal_noise={noise}", "--steps", 1, "--batch", 32, "--json")
    code, out, _ = ask("train", "--config", "point.toml", *more)
    assert code == 0, out
