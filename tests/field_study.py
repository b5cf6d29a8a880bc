"""How much of real code klint understands: ``python -m tests.field_study DIRECTORY...``.

For every call of a loss in the files below the directories it asks what the two slots hold, in any way in which the call is
reached, and prints the shares that are known for each loss, and why the rest is not, with places to read.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from klint.graph.nodes import Choice, Node, Operation, Parameter, Unknown
from klint.graph.project import Project
from klint.rules.engine import sites
from klint.source.python import SourceError, parse_source, read_source
from klint.torch_model.facts import Space
from klint.torch_model.losses import names_loss
from klint.torch_model.sites import LossSite, Slot

STUDIED = ("kl_div", "cross_entropy", "nll_loss")
PROJECT = Project()
PLACES = 12
"""How many places are listed for each reason."""

Row = tuple[str, str, dict[str, str | None]]
"""A loss, its place, and for each slot why nothing is known of it (None: it is known)."""


def reason(site: LossSite, slot: Slot) -> str | None:
    """Why nothing is known of a slot, in few words."""
    if slot.facts.space is not Space.UNKNOWN:
        return None
    node: Node = slot.node
    for _ in range(60):
        node = site.inference.resolve(node)
        if isinstance(node, Parameter):
            return "a parameter"
        if isinstance(node, Unknown):
            return node.why
        if isinstance(node, Choice):
            first = site.inference.facts(node.then).space
            node = node.then if first is Space.UNKNOWN else node.otherwise
        elif isinstance(node, Operation):
            inner = node.arguments.get("input")
            if inner is None or site.inference.facts(inner).space is not Space.UNKNOWN:
                return f"{node.name} is not followed here"
            node = inner
        else:
            return f"it is a {type(node).__name__.lower()}"
    return "it is too long a way"


def say(*lines: str) -> None:
    """Print some lines."""
    sys.stdout.writelines(line + "\n" for line in lines)


def study(filename: str) -> list[Row]:
    """The loss calls that stand in one file."""
    text = read_source(Path(filename), filename)
    if isinstance(text, SourceError) or not names_loss(text):
        return []
    unit = parse_source(text, filename)
    places: dict[int, dict[str, str | None]] = {}
    rows: dict[int, LossSite] = {}
    for site in sites(unit, PROJECT)[0]:
        if site.loss not in STUDIED or site.anchor.unit is not unit:
            continue
        key = id(site.anchor.tree)
        rows.setdefault(key, site)
        slots = places.setdefault(key, {})
        for slot in (site.input, site.target):
            why = reason(site, slot)
            slots[slot.name] = None if why is None or slots.get(slot.name, why) is None else why
    return [(site.loss, f"{filename}:{site.anchor.location.row}", places[key]) for key, site in rows.items()]


def main(directories: list[str]) -> None:
    """Print the study."""
    files = sorted(str(path) for directory in directories for path in Path(directory).rglob("*.py"))
    files = [name for name in files if names_loss(Path(name).read_text(errors="replace"))]
    with ProcessPoolExecutor() as pool:
        rows = [row for found in pool.map(study, files, chunksize=4) for row in found]
    for loss in STUDIED:
        of_loss = [slots for name, _, slots in rows if name == loss]
        known = {slot: sum(slots.get(slot) is None for slots in of_loss) for slot in ("input", "target")}
        both = sum(all(why is None for why in slots.values()) for slots in of_loss)
        say(f"{loss}: {len(of_loss)} calls, input known {known['input']}, target {known['target']}, both {both}")
    reasons: Counter[tuple[str, str, str]] = Counter()
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for loss, place, slots in rows:
        for slot, why in slots.items():
            if why is not None:
                reasons[loss, slot, why] += 1
                places[loss, slot, why].append(place)
    for key, count in reasons.most_common():
        say(f"{count:5} {': '.join(key)}", *(f"        {place}" for place in places[key][:PLACES]))


if __name__ == "__main__":
    main(sys.argv[1:])
