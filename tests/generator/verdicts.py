"""Holds klint's verdicts against the truth of a program."""

from __future__ import annotations

from dataclasses import dataclass

from klint import lint_source
from klint.rules import RULES
from tests.generator.operands import RANK_DECIDES
from tests.generator.programs import Program
from tests.generator.truth import MEASURES, Place, measure

NOT_CLAIMED: dict[str, tuple[str, str]] = {
    "scores that are a parameter": ("KL102", "only its callers know what a parameter holds"),
    RANK_DECIDES: ("KL", "only its callers know the rank of a parameter, and so which dim an index drops"),
    "a parameter as input": ("KL202 KL301", "only its callers know the rank of a parameter"),
    "times the rows of a parameter": ("KL201", "of a 1-D parameter size(0) is the class count"),
    "viewed and back": ("KL", "a tensor that was flattened has lost its class dim"),
    "flattened and back": ("KL", "a tensor that was flattened has lost its class dim"),
    "log in place of a view": ("KL", "what is done in place to a view leaves the rest of the tensor unknown"),
    "exp in place of a view": ("KL", "what is done in place to a view leaves the rest of the tensor unknown"),
    "decorator": ("KL", "a decorator of the program's own may change what a function returns"),
}
"""Features of programs in which klint may stay silent: the codes (or their prefixes) that it may miss, and why."""


REPLACED = {rule.code: rule.replaces for rule in RULES}
"""The codes that each rule reports in one with its own."""


@dataclass(frozen=True)
class Disagreement:
    """A code that klint reports and torch denies, or that torch demands and klint does not report."""

    program: Program
    place: Place
    false_alarm: bool
    message: str = ""

    def __str__(self) -> str:
        row, code = self.place
        what = f"false alarm: {self.message}" if self.false_alarm else "missed"
        line = self.program.source.splitlines()[row - 1].strip()
        return f"seed {self.program.seed}, row {row}: {code} {what}\n    {line}"

    @property
    def excuse(self) -> str | None:
        """The feature for which klint may miss this; nothing excuses a false alarm."""
        code = self.place[1]
        features = (name for name, (codes, _) in NOT_CLAIMED.items() if code.startswith(tuple(codes.split())))
        return None if self.false_alarm else next((name for name in features if name in self.program.features), None)


def disagreements(program: Program) -> list[Disagreement]:
    """Where klint and torch differ about a program, excused or not. A finding that replaces others says what they say."""
    report = lint_source(program.source, "program.py")
    if report.errors:
        raise AssertionError(f"seed {program.seed}: klint could not read the program: {report.errors}")
    truth = measure(program)
    found = {(f.location.row, f.code): f.message for f in report.findings if f.code in MEASURES}
    alarms = [Disagreement(program, place, True, found[place]) for place in sorted(found) if truth.denies(place)]
    said = {(f.location.row, code) for f in report.findings for code in (f.code, *REPLACED.get(f.code, ()))}
    return alarms + [Disagreement(program, place, False) for place in truth.demands() if place not in said]
