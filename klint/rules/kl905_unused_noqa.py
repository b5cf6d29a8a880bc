"""KL905: a noqa comment names a code of klint's and silences nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from klint.finding import Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.edits import edit
from klint.rules.fixes import safe
from klint.source.python import SourceUnit
from klint.source.suppress import NoqaCode

_COMMENT = re.compile(r"# noqa:\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+)", re.IGNORECASE)
_BETWEEN = " ,\t"


@dataclass(frozen=True)
class UnusedCode:
    """A code of a ``noqa`` comment that has silenced no finding of the file."""

    unit: SourceUnit
    place: NoqaCode


class UnusedNoqa(Rule[UnusedCode]):
    """A `noqa` comment names a code of klint's, and there is no such finding on its line.

    ## What it does

    Finds codes that start with `KL` in `# noqa:` comments for which the line has no finding of a rule that is switched on. Comments
    without codes, and codes of other linters, are not looked at.

    ## Why it is wrong

    The mistake that the comment was for has been mended, or has moved. The comment stays behind as a claim that the line is
    wrong on purpose, and would silence the next, real mistake there. It has no numeric effect.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")  # noqa: KL201
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
    ```

    ## Fix

    Safe, since comments compute nothing: the code is taken out, and the comment with it where it names no other.

    ## References

    - [flake8: selecting and ignoring violations](https://flake8.pycqa.org/en/latest/user/violations.html)
    """

    code = "KL905"
    name = "unused-noqa"
    summary = "a noqa for a klint code that suppresses nothing"
    severity = Severity.NOTE
    default = False
    site = UnusedCode

    def check(self, site: UnusedCode) -> Iterator[Draft]:
        """Nothing is left to judge: the code has silenced nothing."""
        place = site.place
        anchor = site.unit.stretch(place.row, place.column, place.end_column)
        yield Draft(
            anchor,
            f"noqa names {place.code}, which is not reported here; use the comment without it",
            None,
            fix=lambda: _fix(site),
        )


def _fix(site: UnusedCode) -> Fix | None:
    """The comment without the code, or no comment where it is the only one; what else is said there stays."""
    place, unit = site.place, site.unit
    line = unit.lines[place.row - 1].rstrip()
    start, end = place.column - 1, place.end_column - 1
    found = (match for match in _COMMENT.finditer(line) if match.start("codes") <= start < match.end("codes"))
    comment = next(found, None)
    if comment is None or line[start:end] != place.code:
        return None
    before, after = (
        line[slice(*ends)].strip(_BETWEEN) for ends in ((comment.start("codes"), start), (end, comment.end("codes")))
    )
    if after:
        end = line.index(after, end)
    elif before:
        start = len(line[:start].rstrip(_BETWEEN))
    elif comment.end() < len(line):
        start, end = comment.start() + len("# "), comment.end()
    else:
        start, end = len(line[: comment.start()].rstrip()), len(unit.lines[place.row - 1].rstrip("\n"))
    offset = unit.offset(place.row, 1)
    return safe("Use the comment without it", (edit(unit, offset + start, offset + end, ""),))
