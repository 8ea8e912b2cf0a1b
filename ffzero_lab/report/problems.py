"""What a person should know of a run before looking at its figures, the worst first."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from ffzero_lab.figures.page import Problem, Severity
from ffzero_lab.report.account import Account
from ffzero_lab.report.amplitudes import amplitudes_of
from ffzero_lab.runs.standing import state_told

NEAR_RESOLUTION = 2.0
"""Steps of the resolution under which an amplitude is told."""
DROWNED = 1.0
"""Slope over the noise of the readings alone, under which it is told."""
OFF_PLAN = 0.2
"""Share by which device time may differ from the prediction."""
OFTEN = 1e-3
"""Share of all updates of all parameters that may be stopped at a bound."""
RANK: Mapping[Severity, int] = {"fault": 0, "warning": 1, "note": 2}


def problems_of(account: Account) -> tuple[Problem, ...]:
    """Return them, the worst first, else in the order of the questions: did it end, was it told, is it plausible."""
    found = [
        *_ending(account),
        *(Problem("warning", "files", told) for told in account.unreadable),
        *_told(account),
        *_calibration(account),
        *_amplitudes(account),
        *_layers(account),
        *_scores(account),
        *_cost(account),
        *_links(account),
        *_history(account),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda problem: RANK[problem.severity]))


def _ending(account: Account) -> Iterator[Problem]:
    if account.summary is not None:
        return
    status: Mapping[str, Any] = account.status or {}
    state, reason = str(status.get("state", "unknown")), str(status.get("reason", "no reason is kept"))
    going = state in ("running", "paused")
    if going and state_told(account.path) == state:
        yield Problem("note", "the run", f"still {state}: this page shows how far it was when it was written")
        return
    if state == "complete":
        told = "incomplete: it says that it is complete, but no summary can be read, so no final number is told"
        yield Problem("fault", "the run", told)
        return
    resume = f"go on with: ffzero-lab train --resume {shlex.quote(str(account.path))}"
    if state == "tripped":
        yield Problem("fault", "interlock", f"{reason}; remove the cause, then {resume} --after-trip")
    elif state == "failed":
        yield Problem("fault", "the run", f"it failed: {reason}; {resume}")
    else:
        told = "its process is gone" if going else reason
        yield Problem("warning", "the run", f"incomplete ({told}): the test part was not measured; {resume}")


def _told(account: Account) -> Iterator[Problem]:
    told = account.rows.problems if account.summary is None else account.summary["problems"]
    for message in told:
        yield Problem("warning", _where_told(str(message)), str(message))
    for note in account.notes:
        yield Problem("warning" if "drift" in note else "note", "the protocol", note)


def _where_told(message: str) -> str:
    words = {"full scale": "saturated readings", "detection floor": "dark patterns", "training range": "test inputs"}
    return next((where for word, where in words.items() if word in message), "the run")


def _calibration(account: Account) -> Iterator[Problem]:
    record, description = account.calibration, account.description
    if account.settings.uncalibrated and description.raw_units:
        unit = description.layers[0].groups[0].unit
        yield Problem("warning", "uncalibrated", f"trained in raw units ({unit}), without a calibration record")
    if record is None:
        return
    age_s = (datetime.fromisoformat(account.manifest["started"]) - record.ended).total_seconds()
    if age_s > record.valid_for_s:
        age = f"{age_s / 3600.0:.1f} h old and valid for {record.valid_for_s / 3600.0:.1f} h"
        yield Problem("warning", "calibration", f"its record was {age} when the run began")
    for severity in ("fault", "warning"):
        count = sum(finding.severity == severity for finding in record.findings)
        if count:
            told = f"the record holds {count} {severity}{'' if count == 1 else 's'}: see its own report"
            yield Problem("note", "calibration", told)
    for number, layer in enumerate(description.layers):
        if layer.dead:
            told = f"{len(layer.dead)} of {layer.n_parameters} parameters do not move and were left out"
            yield Problem("note", f"layer {number}", told)


def _amplitudes(account: Account) -> Iterator[Problem]:
    for used in amplitudes_of(account):
        if used.steps < NEAR_RESOLUTION:
            told = f"ε is {used.steps:.2g} steps of the resolution: slopes are measured between rounded settings"
            yield Problem("warning", f"layer {used.layer}, {used.group}", told)
    for number, rows in account.rows.layers.items():
        ratios = [row["signal_to_noise"] for row in rows.amplitudes if row["signal_to_noise"] is not None]
        if ratios and min(ratios) < DROWNED:
            told = (
                f"where ε was measured, slopes were {min(ratios):.2g} of the readings' noise: a larger batch would pay"
            )
            yield Problem("note", account.name_of(number), told)


def _layers(account: Account) -> Iterator[Problem]:
    for number, rows in account.rows.layers.items():
        done = rows.done
        if done is None:
            continue
        where, moved = account.name_of(number), int(done["steps"]) * account.trained.layers[number].n_parameters
        if done["dark"]:
            told = f"{done['dark']:,} patterns read in training were under the detection floor"
            yield Problem("warning", where, told)
        if done["projected"]:
            often = done["projected"] > OFTEN * moved
            told = f"{done['projected']:,} updates of {moved:,} ended at a bound and were projected onto it"
            yield Problem("warning" if often else "note", where, told)
        if done["wrapped"]:
            told = f"periodic parameters came back by a whole period {done['wrapped']:,} times"
            yield Problem("note", where, told)
        if done["stopped_by"] != "steps":
            why = {"budget": "the budget of device time was spent", "patience": "validation did not get better"}
            told = f"ended after {done['steps']:,} steps: {why.get(done['stopped_by'], done['stopped_by'])}"
            yield Problem("note", where, told)


def _scores(account: Account) -> Iterator[Problem]:
    summary, score = account.summary, account.test_score
    if summary is None or score is None:
        return
    if account.untrained_score is not None and score <= account.untrained_score:
        yield Problem("warning", "the result", "no better than the untrained device with the same readout")
    if account.linear_score is not None and score < account.linear_score:
        yield Problem("note", "the result", "below a linear model of the raw features")
    readout: str = summary["readout"]
    alone: list[float] = [layer[f"test_{account.measure}"] for layer in summary["layers"]]
    if len(alone) > 1 and max(alone) > score:
        best = int(np.argmax(alone))
        yield Problem("note", "the result", f"layer {best} alone does better than all layers by {readout!r}")


def _cost(account: Account) -> Iterator[Problem]:
    summary = account.summary
    if summary is None or not summary["predicted_seconds"]:
        return
    ratio = summary["device_seconds"] / summary["predicted_seconds"]
    ended_early = any(layer["stopped_by"] != "steps" for layer in summary["layers"])
    if ratio > 1.0 + OFF_PLAN or (ratio < 1.0 - OFF_PLAN and not ended_early):
        told = f"device time was {ratio:.2f} times the predicted one: τp or τx of the device's description is off"
        yield Problem("warning", "device time", told)


def _links(account: Account) -> Iterator[Problem]:
    links: Mapping[str, Mapping[str, Any]] = (account.status or {}).get("links") or {}
    for name, link in links.items():
        retries, recoveries = int(link.get("retries", 0)), int(link.get("recoveries", 0))
        if retries or recoveries:
            told = f"{retries:,} retries and {recoveries:,} recoveries in {int(link.get('exchanges', 0)):,} exchanges"
            yield Problem("warning" if recoveries else "note", f"link {name}", told)


def _history(account: Account) -> Iterator[Problem]:
    if account.superseded:
        told = f"resumed: {account.superseded:,} rows behind the checkpoint were superseded and measured again"
        yield Problem("note", "the run", told)
    if account.manifest.get("started_from"):
        yield Problem("note", "the run", f"went on from {account.manifest['started_from']}")
