"""Holds what ``klint verify`` says of the findings in a program against the truth of it."""

from __future__ import annotations

from dataclasses import dataclass

from klint.rules import RULES
from klint.rules.engine import diagnose
from klint.source.python import parse_source
from klint.verify import Result, Verdict, VerifyOptions, verify_diagnoses
from klint.verify.sandbox import Sandbox
from tests.generator.programs import Program
from tests.generator.truth import MEASURES, measure


@dataclass(frozen=True)
class Verified:
    """A finding of a program, put to the test. ``is_real`` says that real tensors bear it out; None where they do not say."""

    program: Program
    result: Result
    is_real: bool | None

    @property
    def is_wrong(self) -> bool:
        """Whether verify refutes the finding, does not confirm what is real, or confirms what is not."""
        verdict = self.result.verdict
        return (
            verdict is Verdict.REFUTED
            or (self.is_real is True and verdict is not Verdict.CONFIRMED)
            or (self.is_real is False and verdict is Verdict.CONFIRMED)
        )

    def __str__(self) -> str:
        finding, verdict = self.result.finding, self.result.verdict.value
        return f"seed {self.program.seed}, row {finding.location.row}: {finding.code} {verdict}: {self.result.reason}"


def verified(program: Program, sandbox: Sandbox) -> list[Verified]:
    """The findings of a program with their verdicts, by all rules, those included that are off by default."""
    diagnoses = diagnose(parse_source(program.source, "program.py"), RULES).diagnoses
    results = verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox).results
    truth = measure(program)
    demanded = set(truth.demands())

    def is_real(result: Result) -> bool | None:
        place = (result.finding.location.row, result.finding.code)
        if place[1] not in MEASURES:
            return None
        return True if place in demanded else False if truth.denies(place) else None

    return [Verified(program, result, is_real(result)) for result in results]
