"""Explanations as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from klint.explain.model import Explanation, Holding, SideBySide, SiteExplanation, Way
from klint.finding import Location
from klint.output.concise import one_line


def render(explanations: Iterable[Explanation]) -> str:
    """All explanations, with an empty line after each site."""
    return "".join(f"{one_line(line)}\n" for explanation in explanations for line in _lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    for site in explanation.sites:
        yield from _site(site)
    for comparison in explanation.comparisons:
        yield from _comparison(comparison)


def _site(site: SiteExplanation) -> Iterator[str]:
    for way in site.ways:
        where = [f"where {' and '.join(way.where)}"] if way.where else []
        yield ", ".join([f"{_place(site.location)}: {site.loss}", *_called(way.called_at), *where])
        yield from _way(way)
        yield ""
    if site.more:
        yield f"{_place(site.location)}: {site.loss}, and {site.more} more way{'' if site.more == 1 else 's'} to reach it"
        yield ""


def _way(way: Way) -> Iterator[str]:
    yield f"  {way.formula}: {way.because}"
    yield f"  input: {_holding(way.input)}"
    yield f"  target: {_holding(way.target)}"
    yield f"  reduction: {way.reduction}; divisor: {way.divisor}"
    if way.options:
        yield f"  options: {', '.join(way.options)}"
    for then in way.then:
        yield f"  then {then.by} at row {then.row}: {then.formula}"


def _holding(holding: Holding) -> str:
    return " <- ".join((holding.holds, *holding.steps))


def _comparison(comparison: SideBySide) -> Iterator[str]:
    yield ", ".join([f"{_place(comparison.location)}: side by side", *_called(comparison.called_at)])
    width = max(len(value.name) for value in comparison.values)
    for value in comparison.values:
        relation = f" = {value.relation}" if value.relation else ""
        yield f"  {value.name:<{width}} = {value.formula}{relation}"
    if comparison.symbols:
        yield f"  with {', '.join(f'{letter} = {text}' for letter, text in comparison.symbols)}"
    yield ""


def _called(places: tuple[str, ...]) -> list[str]:
    return [f"called at {', from '.join(places)}"] if places else []


def _place(location: Location) -> str:
    return f"{location.source}:{location.row}:{location.column}"
