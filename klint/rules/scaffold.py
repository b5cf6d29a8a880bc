"""A new rule's files: the rule, its fixtures and its line in the changelog, ready to be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_RULE = '''"""{code}: {words}."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.rewrite import kl_claim, with_arguments
from klint.torch_model.sites import LossSite


class {cls}(Rule[LossSite]):
    """What is wrong, in one sentence.

    ## What it does

    Finds ...

    ## Why it is wrong

    ...

    ## Example

    ```python
    import torch
    import torch.nn.functional as F
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F
    ```

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "{code}"
    name = "{name}"
    summary = "{words}"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """When it is a misuse."""
        yield Draft(
            site.anchor,
            "what the code does; use what is right",
            kl_claim(site, "what verify tests", Effect.DIFFERS, with_arguments(site.call)),
        )
'''
_BAD = '"""What {code} finds, in code as people write it. The expectation stands at its line."""\n\nimport torch\n'
_GOOD = '"""What looks like {code} and is right: nothing is reported here."""\n\nimport torch\n'


def new_rule(code: str, name: str, root: Path) -> Iterator[Path]:
    """Write the files of a new rule below ``root``, the project's directory; each path as it is written.

    Raises ``ValueError`` for a code or name that cannot be one, or is taken.
    """
    if not re.fullmatch(r"KL\d{3}", code):
        raise ValueError(f"a code is KL and three digits, not {code!r}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", name):
        raise ValueError(f"a name is lower-case words joined by hyphens, not {name!r}")
    taken = sorted((root / "klint" / "rules").glob(f"{code.lower()}_*.py"))
    if taken:
        raise ValueError(f"{code} is taken by {taken[0].name}")
    words = name.replace("-", " ")
    cls = words.title().replace(" ", "")
    contents = {
        root / "klint" / "rules" / f"{code.lower()}_{name.replace('-', '_')}.py": _RULE.format(
            code=code, name=name, words=words, cls=cls
        ),
        root / "fixtures" / code.lower() / "bad.py": _BAD.format(code=code),
        root / "fixtures" / code.lower() / "good.py": _GOOD.format(code=code),
    }
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        yield path
    changelog = root / "CHANGELOG.md"
    text = changelog.read_text("utf-8")
    before, heading, after = text.partition("### Added\n\n")
    changelog.write_text(f"{before}{heading}- Rule {code} {name}.\n{after}", encoding="utf-8")
    yield changelog
