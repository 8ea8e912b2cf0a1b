"""A calibration report: everything wrong first, figures in the page and beside it, nothing from outside."""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

import ffzero_lab.figures
from calibration.report import write_report
from calibration.report.fringe_choice import Swept, shown_of, swept_of
from calibration.report.health import health_of
from calibration.report.plan import plan_of
from calibration.report.wording import with_uncertainty
from calibration.report.writing import page_of
from ffzero_lab.device.record import CalibrationRecord, Finding, LayerRecord, Quantity, Spent
from ffzero_lab.errors import InputError
from ffzero_lab.figures.page import html_of

PORTS = 3
GROUPS = {"theta": (3,), "phi": (3,), "gamma": (3,)}
PI_SETTING, AMPLITUDE, OFFSET, PHASE, NOISE = 2.0, 0.4, 1.0, 0.7, 1e-3
BEGUN = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)


def record_of(*layers: LayerRecord, findings: tuple[Finding, ...] = (), **changed: Any) -> CalibrationRecord:
    spent = Spent(writes=1234, readings=99, shots=5678, seconds=61.0)
    whole = CalibrationRecord(
        device="chip",
        serial_number="A7",
        kind="photonic",
        implementation="firmware 3",
        software="0.1",
        begun=BEGUN,
        ended=BEGUN + timedelta(seconds=90),
        device_ended_s=61.0,
        valid_for_s=3600.0,
        procedures=("fringes", "noise"),
        conditions={"chip_c": 31.5},
        layers=layers,
        findings=findings,
        planned=spent,
        spent=spent,
        sweeps="a.npz",
        sweeps_sha256="0123abcd" * 8,
    )
    return whole.model_copy(update=changed)


def chip() -> LayerRecord:
    """A mesh of three ports with an open and a dark heater, and a dead output."""
    pi = np.full(9, PI_SETTING)
    pi[[1, 4]] = np.nan
    return LayerRecord(
        groups=GROUPS,
        quantities={
            "fringes.pi_setting": Quantity.of("V²", "parameter", pi, 0.01 * pi, "Δs for π"),
            "fringes.visibility": Quantity.of("1", "parameter", 0.4 + 0 * pi, np.nan, "amplitude over mean"),
            "noise.sigma": Quantity.of("1", "output", [0.002, 0.002, np.nan], 1e-5, "of full scale"),
            "noise.allan_time": Quantity.of("s", "time", [1e-3, 2e-3, 4e-3], 0.0),
            "noise.allan_deviation": Quantity.of("1", "time", [2e-3, 1.4e-3, 1e-3], 1e-5),
            "actuators.backlash": Quantity.of("µm", "parameter", np.arange(9.0), 0.1, "a kind unknown to the report"),
        },
        dead={1: "open", 4: "dark"},
        dead_outputs={2: "dead"},
    )


def fringe_sweeps(dark: int = 4) -> dict[str, NDArray[Any]]:
    """Sweeps as the sidecar holds them: fringes of known offset, amplitude and phase, none where it is dark or open."""
    rng = np.random.default_rng(1)
    s = np.array([0.0, 0.5, 1.1, 1.9, 2.4, 3.3, 4.0, 0.0])
    made: dict[str, NDArray[Any]] = {}
    for index, name in enumerate(f"{group}[{k}]" for group in GROUPS for k in range(3)):
        if index == 1:
            continue
        b = 0.0 if index == dark else AMPLITUDE
        fringe = OFFSET + b * np.cos(np.pi / PI_SETTING * s + PHASE)
        weak = OFFSET + 0.1 * b * np.cos(np.pi / PI_SETTING * s)
        readings = np.stack([weak, fringe], axis=1)[:, np.newaxis] + NOISE * rng.standard_normal((8, 1, 2))
        made |= {
            f"0/fringes/{name}/s": s,
            f"0/fringes/{name}/background": np.zeros(8, dtype=np.int64),
            f"0/fringes/{name}/readings": readings.astype(np.float32),
        }
    return made


FINDINGS = (
    Finding(severity="note", where="layer 0", what="walks a little"),
    Finding(severity="fault", where="layer 0, theta[1]", what="open: volts but no current"),
    Finding(severity="warning", where="layer 0, phi[2]", what="turns by π late"),
    Finding(severity="fault", where="layer 0, phi[1]", what="no fringe before 5 random backgrounds"),
)


@dataclass(frozen=True)
class Drawn:
    html: str
    folder: Path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    page = tmp_path_factory.mktemp("report") / "20261124-091500.html"
    folder = write_report(record_of(chip(), findings=FINDINGS), fringe_sweeps(), page)
    return Drawn(page.read_text(encoding="utf-8"), folder)


def test_the_page_needs_nothing_from_outside(drawn: Drawn) -> None:
    sources = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)""", drawn.html)
    assert sources
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"<(script|link|iframe|object)\b|@import|url\(", drawn.html)


def test_what_is_wrong_stands_before_the_figures_the_worst_first(drawn: Drawn) -> None:
    whole = drawn.html
    told = [
        whole.index(text) for text in ("open: volts but no current", "no fringe before 5", "turns by π late", "walks a")
    ]
    assert told == sorted(told)
    assert told[-1] < whole.index("<figure>")
    assert "2 faults and 1 warning" in whole[: told[0]]


def test_the_head_says_what_was_calibrated_when_and_how(drawn: Drawn) -> None:
    head = drawn.html[: drawn.html.index("<figure>")]
    for text in ("chip", "A7", "2026-11-24 09:15:00", "chip_c 31.5", "1,234 writes", "7 of 9", "2 of 3"):
        assert text in head
    for text in ("0123abcd" * 8, "firmware 3", "fringes, noise"):
        assert text in drawn.html


def test_every_figure_is_in_the_page_and_beside_it_as_png_and_svg(drawn: Drawn) -> None:
    stems = {path.stem for path in drawn.folder.iterdir()}
    assert drawn.folder.name == "20261124-091500-figures"
    assert {"layer0-health", "layer0-map-fringes-pi-setting", "layer0-fringes", "layer0-allan"} <= stems
    inside = [base64.b64decode(code) for code in re.findall(r"data:image/[a-z+]+;base64,([^\"]+)", drawn.html)]
    for stem in stems:
        png, svg = ((drawn.folder / f"{stem}.{kind}").read_bytes() for kind in ("png", "svg"))
        assert png.startswith(b"\x89PNG")
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert svg in inside or png in inside
    assert len(inside) == len(stems)


def test_what_an_unknown_procedure_found_is_drawn_too(drawn: Drawn) -> None:
    assert (drawn.folder / "layer0-actuators-parameter.svg").exists()
    assert "Actuators" in drawn.html


def test_without_sweeps_it_draws_what_it_can_and_says_what_is_missing(tmp_path: Path) -> None:
    fewer = {name: q for name, q in chip().quantities.items() if name != "actuators.backlash"}
    layer = chip().model_copy(update={"quantities": fewer})
    folder = write_report(record_of(layer), {}, tmp_path / "page.html", missing="a.npz is gone")
    stems = {path.stem for path in folder.iterdir()}
    assert {"layer0-health", "layer0-allan"} <= stems
    assert "layer0-fringes" not in stems
    whole = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "a.npz is gone" in whole
    assert "fringes cannot be drawn" in whole


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    noise = {name: quantity for name, quantity in chip().quantities.items() if "allan" in name}
    record = record_of(LayerRecord(quantities=noise))
    folders = [write_report(record, {}, tmp_path / name / "page.html") for name in ("first", "second")]
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert first == second != {}
    assert (folders[0].parent / "page.html").read_bytes() == (folders[1].parent / "page.html").read_bytes()


def test_names_are_escaped() -> None:
    evil = "<script>alert('x')</script>"
    layer = LayerRecord(quantities={f"{evil}.{evil}": Quantity.of(evil, "layer", 1.0, 0.1, evil)})
    finding = Finding(severity="fault", where=evil, what=evil)
    whole = html_of(
        page_of(record_of(layer, findings=(finding,), device=evil, serial_number=evil, sweeps=evil), {}, evil)
    )
    assert "<script" not in whole
    assert whole.count("&lt;script&gt;") > 8


def test_nothing_out_of_family_is_said_in_so_many_words() -> None:
    note = Finding(severity="note", where="layer 0", what="recommended epsilon")
    for findings in ((), (note,)):
        assert "nothing is out of family" in html_of(page_of(record_of(LayerRecord(), findings=findings), {}))


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ffzero_lab.figures, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=re.escape('pip install "ffzero-lab[report]"')):
        write_report(record_of(LayerRecord()), {}, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_the_fit_that_is_drawn_is_that_of_the_strongest_output() -> None:
    swept = {each.name: each for each in swept_of(chip(), 0, fringe_sweeps())}
    assert set(swept) == {f"{group}[{k}]" for group in GROUPS for k in range(3)} - {"theta[1]"}
    (part,) = swept["theta[0]"].backgrounds
    assert (part.offset, part.amplitude, part.phase) == pytest.approx((OFFSET, AMPLITUDE, PHASE), abs=4 * NOISE)
    assert np.isnan(swept["phi[1]"].kappa)
    assert np.isnan(swept["phi[1]"].backgrounds[0].amplitude)


def test_of_many_fringes_the_worst_a_sample_and_the_best_are_shown_and_counted() -> None:
    shares = np.random.default_rng(2).permutation(np.linspace(0.001, 0.1, 100))
    swept = [Swept(k, f"theta[{k}]", 1.0, share, 0.5, ()) for k, share in enumerate(shares.tolist())]
    swept[40] = Swept(40, "theta[40]", np.nan, np.nan, np.nan, ())
    shown, sentence = shown_of(swept)
    assert sentence.startswith("24 of 100 fringes")
    assert shown[0].name == "theta[40]"  # dark
    left = sorted((each.share for each in swept if np.isfinite(each.share)), reverse=True)
    assert [each.share for each in shown[1:10]] == left[:9]
    assert [each.share for each in shown[-4:]] == left[-4:]
    assert len({each.name for each in shown}) == 24
    assert shown_of(swept[:5])[1].startswith("All 5 fringes")


@pytest.mark.parametrize(
    ("kind", "groups", "drawn_as"),
    [
        ("photonic", {"theta": (6,), "phi": (6,), "gamma": (4,)}, "mesh"),
        ("photonic", {}, "mesh"),
        ("mechanical", {"coupling": (1, 12), "ground": (1, 9)}, "lattice"),
        ("crossbar", {"weight": (4, 6), "bias": (4,)}, "blocks"),
    ],
)
def test_a_layer_is_drawn_as_what_it_is(kind: str, groups: dict[str, tuple[int, ...]], drawn_as: str) -> None:
    over = Quantity.of("1", "parameter", np.arange(16.0), 0.1)
    plan = plan_of(LayerRecord(groups=groups, quantities={} if groups else {"any.thing": over}), kind)
    assert plan is not None
    assert plan.kind == drawn_as
    assert plan_of(LayerRecord(), kind) is None


def test_health_knows_the_dead_and_those_a_finding_names() -> None:
    findings = (*FINDINGS, Finding(severity="warning", where="layer 0, output 1 (meter B)", what="noisy"))
    layer = chip().model_copy(update={"output_names": ("meter A", "meter B", "meter C")})
    health = health_of(layer, 0, findings)
    assert health.dead == {1: "open", 4: "dark"}
    assert health.warned == {5: "turns by π late"}
    assert (health.dead_outputs, health.warned_outputs) == ({2: "dead"}, {1: "noisy"})
    assert health_of(layer, 1, findings).warned == {}


@pytest.mark.parametrize(
    ("value", "spread", "unit", "told"),
    [
        (1.92563, 0.0123, "mW", "1.926 ± 0.012 mW"),
        (1234.5, 67.0, "", "1234 ± 67"),
        (0.5, float("nan"), "rad", "0.5 rad"),
        (float("nan"), 0.1, "rad", "not measured"),
    ],
)
def test_numbers_have_as_many_digits_as_their_uncertainty_leaves(
    value: float, spread: float, unit: str, told: str
) -> None:
    assert with_uncertainty(value, spread, unit) == told
