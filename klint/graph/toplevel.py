"""The statements of a module: which are walked in their order, and which wait until a name that they bind is asked for."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from klint.graph.slices import Body

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, eq=False)
class TopLevel:
    """``walked`` statements, in order, and by name those that bind what waits."""

    walked: list[ast.stmt] = field(default_factory=list)
    waiting: dict[str, list[ast.stmt]] = field(default_factory=dict)


def top_level(
    statements: list[tuple[ast.stmt, set[str]]], seeds: Collection[str], rebound: Collection[str]
) -> TopLevel:
    """What of a module's statements, each with the names that it mentions, mentions ``seeds``, with all that this rests on.

    The rest waits, but for what would see something else later on: names that are bound again (``rebound``), or changed.
    """
    bound = [_bound(tree) for tree, _ in statements]
    times = Counter(name for names in bound for name in names)
    changing = {name for name, count in times.items() if count > 1}.union(rebound)
    binders: dict[str, list[int]] = {}
    for index, names in enumerate(bound):
        for name in names:
            binders.setdefault(name, []).append(index)
    queue = [
        index
        for index, (tree, names) in enumerate(statements)
        if not names.isdisjoint(seeds)
        or "*" in bound[index]
        or not (isinstance(tree, _DEFINITIONS) or names.isdisjoint(changing))
    ]
    walked = set(queue)
    for index in queue:
        for name in statements[index][1] | bound[index]:
            for other in binders.get(name, ()):
                if other not in walked:
                    walked.add(other)
                    queue.append(other)
    result = TopLevel([tree for index, (tree, _) in enumerate(statements) if index in walked])
    for index, (tree, _) in enumerate(statements):
        if index not in walked:
            for name in bound[index]:
                result.waiting.setdefault(name, []).append(tree)
    return result


def _bound(tree: ast.stmt) -> set[str]:
    """The names that a statement binds, or whose values it changes in place."""
    if isinstance(tree, _DEFINITIONS):
        return {tree.name}
    return {name for step in Body.of_statements([tree]).steps for name in step.binds}
