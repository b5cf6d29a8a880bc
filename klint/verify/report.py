"""What verify found out, for people and for programs."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from klint import __version__
from klint.output.concise import one_line
from klint.verify.judge import as_fraction
from klint.verify.protocol import Run
from klint.verify.results import Result, SiteResult, SiteVerdict, Verdict, VerifyReport

_STYLES = {Verdict.CONFIRMED: "bold red", Verdict.REFUTED: "bold yellow", Verdict.INCONCLUSIVE: "bold blue"}
_WIDTH = 120


class Column(NamedTuple):
    """One column of the table of runs: a word or number a run, empty where there is none."""

    title: str
    cells: list[str]

    @property
    def is_number(self) -> bool:
        """Whether the cells are numbers, which are read from the right."""
        return self.title not in ("device", "dtype", "sizes")


def render_text(report: VerifyReport, colour: bool = False, width: int = _WIDTH) -> str:
    """The report as text: a block for each finding, a summary, and what was not checked. Ends with a newline."""
    output = io.StringIO()
    console = Console(
        file=output, width=width, force_terminal=colour, no_color=not colour, highlight=False, legacy_windows=False
    )
    for result in report.results:
        _print_result(console, result)
    for site in report.holes:
        _print_hole(console, site)
    console.print(_summary_line(report), soft_wrap=True)
    if report.sites is not None:
        console.print(one_line(_sites_line(report.sites)), soft_wrap=True, markup=False)
    if report.environment:
        console.print(_environment_line(report.environment), soft_wrap=True)
    if report.not_checked:
        console.print(one_line(f"Not checked: {'; '.join(report.not_checked)}."), soft_wrap=True, markup=False)
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())


def to_json(report: VerifyReport) -> dict[str, Any]:
    """The report as plain data; numbers that JSON lacks are the strings ``NaN``, ``Infinity`` and ``-Infinity``."""
    return {
        "findings": [_result_to_json(result) for result in report.results],
        "summary": {
            "findings": len(report.results),
            "confirmed": len(report.confirmed),
            "refuted": len(report.refuted),
            "inconclusive": len(report.inconclusive),
            "errors": len(report.errors),
            "not_checked": list(report.not_checked),
            **({} if report.sites is None else {"sites": _site_counts(report.sites)}),
        },
        "environment": {"klint": __version__, **report.environment},
        **({} if report.sites is None else {"sites": [_site_to_json(site) for site in report.sites]}),
    }


def _result_to_json(result: Result) -> dict[str, Any]:
    return {
        **result.finding.to_json(),
        "verdict": result.verdict.value,
        "reason": result.reason,
        "assumptions": list(result.assumptions),
        "runs": [_run_to_json(run) for run in result.runs],
    }


def _site_to_json(site: SiteResult) -> dict[str, Any]:
    place = site.location
    return {
        "filename": place.filename,
        "cell": place.cell,
        "location": {"row": place.row, "column": place.column},
        "end_location": {"row": place.end_row, "column": place.end_column},
        "loss": site.loss,
        "verdict": site.verdict.value,
        "reason": site.reason,
        "codes": list(site.codes),
        "assumptions": list(site.assumptions),
        "runs": [_run_to_json(run) for run in site.runs],
    }


def _site_counts(sites: Sequence[SiteResult]) -> dict[str, Any]:
    """How many sites there are of each verdict, and why so many are not decided."""
    verdicts = Counter(site.verdict for site in sites)
    reasons = Counter(site.reason for site in sites if site.verdict is SiteVerdict.UNDECIDED)
    return {
        **{verdict.value: verdicts[verdict] for verdict in SiteVerdict},
        "holes": sum(site.is_hole for site in sites),
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    }


def _sites_line(sites: Sequence[SiteResult]) -> str:
    counts = _site_counts(sites)
    why = "; ".join(f"{count} times: {reason}" for reason, count in counts["reasons"].items())
    return (
        f"{len(sites)} loss site{'' if len(sites) == 1 else 's'}: {counts['agrees']} agree with the definition, "
        f"{counts['deviates']} deviate, {counts['holes']} of them without a finding, {counts['undecided']} undecided"
        f"{f' ({why})' if why else ''}."
    )


def _print_hole(console: Console, site: SiteResult) -> None:
    place = site.location
    title = (one_line(f"{place.source}:{place.row}:{place.column}:"), "bold")
    console.print(Text.assemble(title, f" {site.loss} without a finding"), soft_wrap=True)
    if site.runs:
        console.print(Padding(_table(site.runs), (0, 0, 0, 2)))
    reason = f": {one_line(site.reason)}; please report it as a bug in klint"
    verdict = Text.assemble((site.verdict.value, "bold red"), reason)
    console.print(Padding(verdict, (0, 0, 0, 2)))
    if site.assumptions:
        console.print(Padding(Text(one_line(f"assuming that {'; '.join(site.assumptions)}")), (0, 0, 0, 2)))
    console.print()


def _run_to_json(run: Run) -> dict[str, Any]:
    return {
        "device": run.device,
        "dtype": run.dtype,
        "sizes": dict(run.sizes),
        "as_written": _json_number(run.as_written),
        "expected": _json_number(run.expected),
        "reference": run.reference,
        "fixed": _json_number(run.fixed),
        "raised": None if run.raised is None else str(run.raised),
        "counterpart": _json_number(run.counterpart),
        "ratio": _json_number(run.ratio),
        "gap": _json_number(run.gap),
        "grad_ratio": _json_number(run.grad_ratio),
        "grad_cosine": _json_number(run.grad_cosine),
        "subject": run.subject,
        "subject_gradient": _json_number(run.subject_gradient),
        "fixed_subject_gradient": _json_number(run.fixed_subject_gradient),
    }


def _json_number(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _print_result(console: Console, result: Result) -> None:
    finding = result.finding
    place = finding.location
    console.print(
        Text.assemble(
            (one_line(f"{place.source}:{place.row}:{place.column}:"), "bold"),
            " ",
            (finding.code, "bold red"),
            f" {one_line(finding.message)}",
        ),
        soft_wrap=True,
    )
    if result.runs:
        console.print(Padding(_table(result.runs), (0, 0, 0, 2)))
    verdict = Text.assemble((result.verdict.value, _STYLES[result.verdict]), f": {one_line(result.reason)}")
    console.print(Padding(verdict, (0, 0, 0, 2)))
    if result.assumptions:
        console.print(Padding(Text(one_line(f"assuming that {'; '.join(result.assumptions)}")), (0, 0, 0, 2)))
    console.print()


def columns(runs: Sequence[Run]) -> list[Column]:
    """The runs as a table of words, one row each; a column that no run fills is left out."""
    cells: list[Column] = [
        Column("device", [run.device for run in runs]),
        Column("dtype", [run.dtype for run in runs]),
        Column("sizes", [_sizes(run.sizes) for run in runs]),
        Column("as written", [_number(run.as_written) if run.raised is None else run.raised.type for run in runs]),
        Column("expected", [_number(run.expected) if run.reference == "definition" else "" for run in runs]),
        Column("fixed", [_number(run.fixed) for run in runs]),
        Column("other side", [_number(run.counterpart) for run in runs]),
        Column("ratio", [_ratio(run.ratio) for run in runs]),
        Column("gradient ratio", [_ratio(run.grad_ratio) for run in runs]),
        Column("cosine", [_cosine(run.grad_cosine) for run in runs]),
        Column("subject's gradient", [_number(run.subject_gradient) for run in runs]),
        Column("when fixed", [_number(run.fixed_subject_gradient) for run in runs]),
    ]
    return [column for column in cells if any(column.cells)]


def _table(runs: tuple[Run, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    filled = columns(runs)
    for column in filled:
        table.add_column(column.title, justify="right" if column.is_number else "left", overflow="fold")
    # Some sites have but one size whatever is asked for: equal rows are shown once.
    for row in dict.fromkeys(zip(*(column.cells for column in filled), strict=True)):
        table.add_row(*(Text(cell) for cell in row))
    return table


def _sizes(sizes: Mapping[str, Any]) -> str:
    both = [sizes[slot] for slot in ("input", "target") if slot in sizes]
    shapes = [_shape(shape) for index, shape in enumerate(both) if shape not in both[:index]]
    gap = f", gap {sizes['score_gap']:g}" if "score_gap" in sizes else ""
    return " and ".join(shapes) + gap


def _shape(sizes: list[int]) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _cosine(value: float | None) -> str:
    """The angle to the expected gradient, where it does not point the same way."""
    return "" if value is None or value > 1 - 1e-3 else f"{value:.4g}"


def _ratio(value: float | None) -> str:
    """A ratio, also as a fraction where it is a simple one: ``0.25 = 1/4``."""
    if value is None or not math.isfinite(value):
        return ""
    fraction = as_fraction(value)
    return f"{value:.4g}" if fraction is None else f"{float(fraction):.4g} = {fraction}"


def _summary_line(report: VerifyReport) -> Text:
    count = len(report.results)
    if not count:
        return Text("No findings to verify.")
    parts = [
        (f"{len(results)} {verdict.value}", _STYLES[verdict] if results else "")
        for verdict, results in (
            (Verdict.CONFIRMED, report.confirmed),
            (Verdict.REFUTED, report.refuted),
            (Verdict.INCONCLUSIVE, report.inconclusive),
        )
    ]
    head = f"{count} finding{'' if count == 1 else 's'}: "
    return Text.assemble(head, parts[0], ", ", parts[1], ", ", parts[2])


def _environment_line(environment: Mapping[str, Any]) -> Text:
    device = f" and {environment['cuda']}" if environment.get("cuda") else ""
    network = str(environment["network"]).partition(":")[0]
    return Text(
        f"torch {environment['torch']} on the CPU{device}, seed {environment['seed']}; worker's network: {network}"
    )
