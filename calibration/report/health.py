"""What is wrong with which parameter and output of a layer, from the dead ones and from the findings."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from calibration.report.plan import parameters_of
from ffzero_lab.device.record import Finding, LayerRecord, Severity

BROKEN = ("open", "short", "stuck", "dark", "dead")
"""Words for what does not move or sees nothing; others are shown alike."""


@dataclass(frozen=True)
class Health:
    """One layer.

    Attributes
    ----------
    dead, dead_outputs
        As in the record.
    warned, warned_outputs
        Those that live, with what a finding says of them.
    """

    dead: Mapping[int, str]
    dead_outputs: Mapping[int, str]
    warned: Mapping[int, str]
    warned_outputs: Mapping[int, str]


def health_of(layer: LayerRecord, number: int, findings: Iterable[Finding]) -> Health:
    """Return what is wrong with the layer of that *number*."""
    told = {
        finding.where.removeprefix(f"layer {number}, "): finding.what
        for finding in reversed(tuple(findings))  # the worst come first, and stay
        if finding.where.startswith(f"layer {number}, ") and finding.severity != ("note")
    }
    warned = {
        index: told[name]
        for index in range(parameters_of(layer))
        if (name := layer.name_of(index)) in told and index not in layer.dead
    }
    outputs: dict[int, str] = {}
    for name, what in told.items():
        numbered = re.match(r"output (\d+)", name)
        if numbered and int(numbered[1]) not in layer.dead_outputs:
            outputs[int(numbered[1])] = what
    return Health(layer.dead, layer.dead_outputs, warned, outputs)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first, else in their order."""
    rank: Mapping[Severity, int] = {"fault": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: rank[finding.severity])
