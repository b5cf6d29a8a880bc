"""The page: what the template is given, in words and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader

from klint import __version__
from klint.finding import Finding, Location
from klint.output.frame import screen_text
from klint.verify.html.mathematics import Statement, state
from klint.verify.html.plots import Plot, plots
from klint.verify.html.source import Line, frame
from klint.verify.report import Column, columns
from klint.verify.results import Result, Verdict, VerifyReport


@dataclass(frozen=True)
class Entry:
    """One finding as the page shows it. ``anchor`` is where it stands on the page."""

    anchor: str
    result: Result
    place: str
    lines: Sequence[Line]
    statement: Statement | None
    plots: Sequence[Plot]
    columns: Sequence[Column]
    related: Sequence[tuple[str, str]]

    @property
    def finding(self) -> Finding:
        """The finding."""
        return self.result.finding

    @property
    def verdict(self) -> str:
        """The verdict, which is the name of a style too."""
        return self.result.verdict.value

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, row by row, each once: some sites have but one size whatever is asked for."""
        return list(dict.fromkeys(zip(*(column.cells for column in self.columns), strict=True)))

    @property
    def raised(self) -> list[str]:
        """What torch said to the code as written and the reason does not tell, each once."""
        said = dict.fromkeys(str(run.raised) for run in self.result.runs if run.raised is not None)
        return [text for text in said if text not in self.result.reason]

    @property
    def key(self) -> list[str]:
        """The lines that the plots draw."""
        return list(dict.fromkeys(label for plot in self.plots for label in plot.labels))


def render(report: VerifyReport) -> str:
    """The page of a report."""
    environment = Environment(
        loader=PackageLoader("klint.verify.html"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    counts = Counter(result.verdict for result in report.results)
    return environment.get_template("page.html").render(
        entries=list(_entries(report)),
        counts=[(verdict.value, counts[verdict]) for verdict in Verdict],
        sites=[(_place(site.location), site) for site in report.sites or ()],
        not_checked=report.not_checked,
        errors=report.errors,
        environment=list(_environment(report.environment)),
        version=__version__,
    )


def _entries(report: VerifyReport) -> Iterator[Entry]:
    for number, result in enumerate(report.results, 1):
        finding = result.finding
        anchor = f"finding-{number}"
        yield Entry(
            anchor,
            result,
            _place(finding.location),
            frame(report.sources.get(finding.location.source, ()), finding.location),
            None if result.claim is None else state(result.claim),
            plots(result.runs, anchor),
            columns(result.runs),
            [(_place(related.location), related.message) for related in finding.related],
        )


def _place(location: Location) -> str:
    return f"{location.source}:{location.row}:{location.column}"


def _environment(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the replays ran on, name by name."""
    yield "klint", __version__
    for name, value in environment.items():
        words = value if isinstance(value, (list, tuple)) else ["none" if value is None else value]
        yield name, ", ".join(map(str, words))


def _shown(value: object) -> object:
    """Text as it may be shown: no control character reaches the page, and none that turns the text around."""
    return screen_text(value) if type(value) is str else value
