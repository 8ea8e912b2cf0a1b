"""Finding and opening a device by name: near matches, options, drivers of one's own, shadowed packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.twin.photonic import PhotonicTwin
from ffzero_lab import open_device
from ffzero_lab.device import Guarded, VirtualClock
from ffzero_lab.errors import InputError
from ffzero_lab.opening import open_configured

HOME = Path(__file__).resolve().parents[2]


def python(*arguments: str, folder: Path, path: Path = HOME) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_twin_is_the_photonic_twin_behind_the_guard():
    for name in ("twin", "twin:photonic"):
        with open_device(name, ports=5, preset="ideal") as device:
            assert isinstance(device, Guarded)
            assert isinstance(device.driver, PhotonicTwin)
            assert device.description.layers[0].n_outputs == 5
            assert not any(device.read_parameters(layer).any() for layer in (0, 1))


def test_options_reach_the_driver_and_the_clock_is_the_one_given():
    clock = VirtualClock(7.0)
    options = {
        "ports": 4,
        "layers": 3,
        "topology": "cascaded",
        "heaters": {"budget_w": 1.5},
        "detectors": {"thermal_noise": 0.01, "dark_offset": 0.0, "full_scale": 2.0},
    }
    device = open_device("twin:photonic", clock, **options)
    assert device.clock is clock
    assert len(device.description.layers) == 3
    assert device.description.topology == "cascaded"
    assert [layer.power_budget_w for layer in device.description.layers] == [1.5] * 3
    assert device.description.layers[0].detection_floor == pytest.approx(4 * 0.01 * 2.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "twin:fotonic",
            ["device 'twin:fotonic' is unknown", "did you mean 'twin:photonic'?", "allowed: bench, board, twin"],
        ),
        ("twim", ["'twim'", "did you mean 'twin'?"]),
        ("", ["device '' is unknown", "allowed: bench, board, twin, twin:crossbar, twin:mechanical, twin:photonic"]),
        ("no_such_module:Mesh", ["device 'no_such_module:Mesh'", "allowed: bench, board, twin"]),
        ("drivers.twin.nothing:Mesh", ["'drivers.twin.nothing:Mesh' cannot be loaded", "drivers.twin.nothing"]),
        ("drivers.twin.photonic:Mash", ["'drivers.twin.photonic:Mash' cannot be loaded", "Mash"]),
        ("drivers.twin.photonic:PhotonicConfig", ["is no driver: it needs a Config and open(config, clock)"]),
    ],
)
def test_an_unknown_device_is_named_with_what_is_allowed(name, words):
    with pytest.raises(InputError) as caught:
        open_device(name)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prots": 8}, ["device 'twin'", "unknown key 'prots'", "did you mean 'ports'?", "allowed: ", "seed"]),
        ({"heaters": {"budget": 1.0}}, ["'heaters.budget'", "did you mean 'budget_w'?", "pi_power_w"]),
        ({"ports": 1}, ["ports is 1: ", "greater than or equal to 2"]),
        ({"ports": "many"}, ["ports is 'many': ", "integer"]),
        ({"preset": "typicl"}, ["preset is 'typicl'", "'ideal'", "did you mean 'typical'?"]),
        ({"detectors": {"thermal_noise": float("nan")}}, ["thermal_noise is nan: ", "finite"]),
        ({"detectors": {"full_scale": 0.0}}, ["full_scale is 0.0: ", "greater than or equal to 0"]),
        ({"heaters": {"power_limit_w": 1.0}}, ["heaters", "power_limit_w is 1 W", "only reach"]),
        ({"run": "x"}, ["unknown key 'run'", "allowed: activation"]),
        ({"wait_s": 1.0}, ["unknown key 'wait_s'", "allowed: activation"]),
        ({"device": "x"}, ["unknown key 'device'", "allowed: activation"]),
        ({"ports": 1, "layers": 0}, ["ports is 1", "; layers is 0"]),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options, words):
    with pytest.raises(InputError) as caught:
        open_device("twin", **options)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_option_that_somebody_wrote_is_taken_for_an_argument():
    with pytest.raises(InputError, match=r"unknown key 'clock'.*; unknown key 'wait_s'"):
        open_configured("twin", {"clock": 3, "wait_s": 1.0})


def test_a_latency_that_is_not_given_keeps_its_default():
    with open_device("twin", ports=4, timing={"write_s": 0.01}) as device:
        assert device.description.timing.write_s == 0.01
        assert device.description.timing.shot_s == 10e-6
        assert device.description.timing.imitates == "latencies of one's own"


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (
            "ValueError('the slot\\n7 is empty')",
            "device 'stubborn_lab:Bench' refuses its settings: the slot 7 is empty",
        ),
        ("ImportError('no pyvisa')", "device 'stubborn_lab:Bench' needs a package that is not installed: no pyvisa"),
        ("InputError('say it so')", "say it so"),
        (
            "ffzero_lab.device.HealthChannel(name='heat')",
            "device 'stubborn_lab:Bench' cannot be as its settings say: unit: field required",
        ),
    ],
)
def test_a_driver_that_refuses_to_open_ends_in_one_message(tmp_path: Path, monkeypatch, raised: str, message: str):
    (tmp_path / "stubborn_lab.py").write_text(
        "import ffzero_lab.device\n"
        "from drivers.twin.photonic import PhotonicTwin\n"
        "from ffzero_lab.errors import InputError\n"
        "class Bench(PhotonicTwin):\n"
        "    @classmethod\n"
        "    def open(cls, config, clock=None):\n"
        f"        raise {raised}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "stubborn_lab", raising=False)
    with pytest.raises(InputError) as caught:
        open_device("stubborn_lab:Bench")
    assert str(caught.value) == message


def test_a_driver_of_ones_own_is_found_by_module_and_class(tmp_path: Path):
    (tmp_path / "my_lab.py").write_text(
        "from drivers.twin.photonic import PhotonicTwin\n"
        "class Bench(PhotonicTwin):\n    pass\n"
        "class Half:\n    Config = dict\n"
    )
    (tmp_path / "broken_lab.py").write_text("import a_vendor_library_that_is_missing\n")
    program = (
        "import ffzero_lab\nfrom ffzero_lab.errors import InputError\n"
        "print(type(ffzero_lab.open_device('my_lab:Bench', ports=3).driver).__name__)\n"
        "for name in ('my_lab:Half', 'my_lab:Missing', 'broken_lab:Bench'):\n"
        "    try:\n        ffzero_lab.open_device(name)\n"
        "    except InputError as error:\n        print(error)\n"
    )
    done = python("-c", program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    bench, half, missing, broken = done.stdout.splitlines()
    assert bench == "Bench"
    assert half == "device 'my_lab:Half' is no driver: it needs a Config and open(config, clock)"
    assert "has no attribute 'Missing'" in missing
    assert "a_vendor_library_that_is_missing" in broken


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "__init__.py").write_text("raise RuntimeError('the wrong drivers package was imported')\n")
    return tmp_path


def test_a_drivers_package_in_the_way_is_named_with_ours(foreign: Path):
    program = (
        "import ffzero_lab\nfrom ffzero_lab.errors import InputError\n"
        "try:\n    ffzero_lab.open_device('twin')\nexcept InputError as error:\n    print(error)\n"
    )
    done = python("-c", program, folder=foreign)
    assert done.returncode == 0, done.stderr
    assert "the package 'drivers' is found at " in done.stdout
    assert str(foreign.resolve() / "drivers") in done.stdout
    assert str(HOME / "drivers") in done.stdout


def test_help_works_beside_a_drivers_package_in_the_way_and_training_names_both(foreign: Path):
    helped = python("-m", "ffzero_lab", "--help", folder=foreign)
    assert helped.returncode == 0, helped.stderr
    trained = python("-m", "ffzero_lab", "train", "--device", "twin", "--steps", "1", folder=foreign)
    assert trained.returncode == 2
    for path in (foreign.resolve() / "drivers", HOME / "drivers"):
        assert str(path) in trained.stderr
    assert "Traceback" not in trained.stderr


@pytest.mark.parametrize("module", ["ffzero_lab", "ffzero_lab.cli", "ffzero_lab.device"])
def test_importing_stays_light(module: str, tmp_path: Path):
    program = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = python("-c", program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    heavy = {"numba", "matplotlib", "scipy", "pyvisa", "serial", "jax", "pytest", "drivers"}
    assert not heavy & set(done.stdout.split())
