"""The measured numbers of one finding as pictures: as written, expected and fixed, over the class counts of its runs."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from klint.verify.judge import agree
from klint.verify.protocol import Run

# Colours that stand for the page's own, so that a picture follows it into the dark.
_INK, _QUIET, _WRITTEN, _EXPECTED, _FIXED = "#010101", "#020202", "#030303", "#040404", "#050505"
_VARIABLES = {_INK: "--ink", _QUIET: "--quiet", _WRITTEN: "--written", _EXPECTED: "--expected", _FIXED: "--fixed"}

_STYLE: Any = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _QUIET,
    "axes.edgecolor": _QUIET,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "grid.color": _QUIET,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "axes.formatter.useoffset": False,
}
_LINES, _BARS = (5.2, 2.7), (5.2, 1.5)
"""How large a picture is, in inches."""
_LOG_FROM = 20.0
"""From which span of positive values on a logarithmic axis shows more than a linear one."""


@dataclass(frozen=True)
class Plot:
    """A picture, what it shows, and what it says to those who do not see it."""

    title: str
    svg: Markup
    description: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """One line of a picture: a value for each class count."""

    label: str
    colour: str
    marker: str
    points: tuple[tuple[int, float], ...]

    @property
    def finite(self) -> list[tuple[int, float]]:
        """The points that can be drawn where they lie."""
        return [point for point in self.points if math.isfinite(point[1])]


def plots(runs: Sequence[Run], name: str) -> list[Plot]:
    """A picture of the first device and dtype, and one of each other whose numbers are others. ``name`` keeps ids apart."""
    groups = list(_groups(runs))
    shown = [group for index, group in enumerate(groups) if index == 0 or _differs(group, groups[0])]
    drawn = []
    for number, group in enumerate(shown):
        series = [line for line in _series(group) if line.points]
        if len(series) > 1 and series[-1].label == "as written":
            drawn.append(_draw(group, series, f"{name}-{number}"))
    return drawn


def _groups(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """The runs that differ in the class count alone."""
    groups: dict[object, list[Run]] = {}
    for run in runs:
        groups.setdefault((run.device, run.dtype, run.sizes.get("score_gap")), []).append(run)
    yield from groups.values()


def _differs(group: list[Run], first: list[Run]) -> bool:
    """Whether some number of a group is another one than in the first, beyond rounding."""
    return any(
        not _alike(left, right, run.dtype)
        for run, other in zip(group, first, strict=False)
        for left, right in ((run.as_written, other.as_written), (run.fixed, other.fixed))
    )


def _alike(left: float | None, right: float | None, dtype: str) -> bool:
    if left is None or right is None or not (math.isfinite(left) and math.isfinite(right)):
        return left is right or str(left) == str(right)
    return agree(left, right, dtype)


def _series(runs: list[Run]) -> Iterator[Series]:
    """What is compared: gradients where the claim is about one, else values."""
    if any(run.subject_gradient is not None for run in runs):
        yield _line("fixed", _FIXED, "s", ((run.classes, run.fixed_subject_gradient) for run in runs))
        yield _line("as written", _WRITTEN, "o", ((run.classes, run.subject_gradient) for run in runs))
        return
    if any(run.reference == "definition" for run in runs):
        yield _line("expected", _EXPECTED, "", ((run.classes, run.expected) for run in runs))
    yield _line("fixed", _FIXED, "s", ((run.classes, run.fixed) for run in runs))
    yield _line("as written", _WRITTEN, "o", ((run.classes, run.as_written) for run in runs))


def _line(label: str, colour: str, marker: str, points: Iterable[tuple[int, float | None]]) -> Series:
    known = {(classes, value): None for classes, value in points if value is not None}
    return Series(label, colour, marker, tuple(known))


def _draw(runs: list[Run], series: list[Series], name: str) -> Plot:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        classes = sorted({count for line in series for count, _ in line.points})
        figure = Figure(figsize=_LINES if len(classes) > 1 else _BARS, layout="constrained")
        axes = figure.add_subplot()
        if len(classes) > 1:
            _lines(axes, series, classes)
        else:
            _bars(axes, series)
        axes.set_axisbelow(True)
        output = io.StringIO()
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    title = _title(runs)
    what = "; ".join(
        f"{line.label}: {', '.join(f'{value:.4g} at {count} classes' for count, value in line.points)}"
        for line in series
    )
    return Plot(
        title,
        Markup(_embedded(output.getvalue(), name)),
        f"{title}. {what}",
        tuple(line.label for line in reversed(series)),
    )


def _title(runs: list[Run]) -> str:
    run = runs[0]
    gap = run.sizes.get("score_gap")
    what = f"gradient norm at {run.subject}" if run.subject_gradient is not None else "value"
    spread = "" if gap is None else f", scores {gap:g} apart"
    return f"{what}, {run.dtype} on {'the CPU' if run.device == 'cpu' else run.device}{spread}"


def _lines(axes: Axes, series: list[Series], classes: list[int]) -> None:
    """Values over class counts. What is infinite or no number is a cross at the upper edge, named there."""
    for line in series:
        style = "--" if line.label == "expected" else "-"
        width = 4.5 if line.label == "fixed" else 1.8
        axes.plot(
            *_columns(line.finite), style, color=line.colour, marker=line.marker or None, markersize=5,
            linewidth=width, alpha=0.35 if line.label == "fixed" else 1.0, label=line.label,
        )  # fmt: skip
        lost = [(count, value) for count, value in line.points if not math.isfinite(value)]
        for count, value in lost:
            axes.plot([count], [0.97], "x", color=line.colour, transform=axes.get_xaxis_transform(), clip_on=False)
            axes.annotate(
                _words(value), (count, 0.97), xycoords=axes.get_xaxis_transform(), xytext=(0, 5),
                textcoords="offset points", ha="center", color=line.colour,
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(classes, [str(count) for count in classes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.08, y=0.14)
    if _is_wide(value for line in series for _, value in line.finite):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        "{x:g}"
    )  # the formatter of logarithmic axes typesets mathematics, at 20 times the cost
    axes.set_xlabel("classes")
    axes.grid(axis="y")


def _bars(axes: Axes, series: list[Series]) -> None:
    """One bar a value, for sites that fix the class count."""
    for at, line in enumerate(series):
        value = line.points[0][1]
        width = value if math.isfinite(value) else 0.0
        axes.barh([at], [width], color=line.colour, height=0.56, alpha=0.85)
        side = -1 if width < 0 else 1
        axes.annotate(
            _words(value), (width, at), xytext=(6 * side, 0), textcoords="offset points", va="center",
            ha="left" if side > 0 else "right",
        )  # fmt: skip
    axes.set_yticks(range(len(series)), [line.label for line in series])
    axes.axvline(0, color=_QUIET, linewidth=0.6)
    axes.margins(x=0.2, y=0.1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlim(*_room(axes.get_xlim()))


def _room(limits: tuple[float, float]) -> tuple[float, float]:
    """Limits of the axis with room for the numbers that stand beside the bars."""
    low, high = limits
    return (low if low < 0 else 0.0, high if high > 0 else 0.0) if low != high else (0.0, 1.0)


def _columns(points: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [count for count, _ in points], [value for _, value in points]


def _is_wide(values: Iterable[float]) -> bool:
    known = list(values)
    return bool(known) and min(known) > 0 and max(known) / min(known) >= _LOG_FROM


def _words(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return f"{value:.4g}" if math.isfinite(value) else "∞" if value > 0 else "\N{MINUS SIGN}∞"


def _embedded(svg: str, name: str) -> str:
    """The picture as a part of the page: its colours and font are the page's, and its ids its own."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(r' id="[a-zA-Z]+[\d.]*_\d+"', "", svg)
    svg = re.sub(r'(id="|href="#|url\(#)(?=\w)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)  # as wide as the page allows
    return svg.strip()
