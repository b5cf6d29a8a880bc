"""What a finding is known by from one version of a file to the next: its code and what stands there, not its line."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from klint.finding import Finding, Location


def fingerprints(findings: Iterable[Finding], sources: Mapping[str, Sequence[str]]) -> list[str]:
    """One for each finding, unique among those of its file, whose lines ``sources`` holds; white space counts for nothing.

    Of findings that are alike, each is known by how many precede it. Files are not told apart.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    result = []
    for finding in findings:
        place = finding.location
        alike = (place.filename, finding.code, "".join(stretch(place, sources.get(place.source, ())).split()))
        result.append(digest(*alike[1:], str(seen[alike])))
        seen[alike] += 1
    return result


def digest(*parts: str) -> str:
    """A short name for these texts in this order."""
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]


def stretch(location: Location, lines: Sequence[str]) -> str:
    """The text at a location, as far as the lines go."""
    chosen = list(lines[location.row - 1 : location.end_row])
    if len(chosen) > location.end_row - location.row:
        chosen[-1] = chosen[-1][: location.end_column - 1]
    return "".join(chosen)[location.column - 1 :]
