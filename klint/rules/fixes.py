"""The fixes that rules share: a slot's value is put into the right space, an option of the loss is set, arguments are swapped.

Each returns None where it is not sure: where it would change what other code sees, or cannot be written with the names at hand.
A fix through a variable or a module changes it where it is made if the loss is all that uses it, and else the loss call alone.
"""

from __future__ import annotations

import ast

from klint.finding import Applicability, Fix
from klint.graph.nodes import ModuleObject, Operation
from klint.rules.edits import (
    Argument,
    Arguments,
    Edits,
    kept,
    literal,
    method_called,
    renamed,
    replaced,
    spelled,
    text_of,
    wrapped,
)
from klint.rules.makers import log_softmax_behind, name_of, operand, reads_of, undone_behind, with_dim
from klint.source.names import names_of
from klint.torch_model.facts import Space
from klint.torch_model.library import TORCH
from klint.torch_model.losses import LOSSES
from klint.torch_model.sites import LossSite, Slot


def safe(message: str, edits: Edits | None) -> Fix | None:
    """A fix that keeps the value, if there are edits."""
    return None if not edits else Fix(Applicability.SAFE, message, edits)


def unsafe(message: str, edits: Edits | None) -> Fix | None:
    """A fix that changes the value, if there are edits."""
    return None if not edits else Fix(Applicability.UNSAFE, message, edits)


# Where things stand in the code.


def argument(site: LossSite, slot: str) -> Argument | None:
    """The argument of the loss call that a slot is given."""
    found = arguments(site)
    return None if found is None else found.find(slot)


def arguments(site: LossSite) -> Arguments | None:
    """The arguments of the loss call, where its signature is sure."""
    call = site.call
    if call.constructor is not None:
        return Arguments.of(call.anchor.unit, call.anchor.tree, LOSSES[call.name].slots)
    return _signature_arguments(call)


def options(site: LossSite) -> Arguments | None:
    """The arguments that hold the options of the loss: the constructor's, or those of the functional call."""
    return _signature_arguments(site.options)


def is_sole_use(site: LossSite) -> bool:
    """Whether this call alone is subject to its options: they are its own, or its module is called nowhere else."""
    made = site.call.constructor
    return made is None or reads_of(made.anchor.unit, made.anchor.tree) == 1


def is_everywhere(site: LossSite, slot: str, *spaces: Space) -> bool:
    """Whether a slot holds one of some spaces for every caller that is known, so that a change at the call suits all."""
    own = site.inference.argument(site.call, slot).space in spaces
    others = (site.inference.argument(call, slot).space for call in _callers(site))
    return own and all(space in spaces for space in others)


def has_rank_everywhere(site: LossSite, rank: int) -> bool:
    """Whether the input has this rank for every caller that is known."""
    own = site.input.facts.rank == rank
    return own and all(site.inference.argument(call, "input").rank == rank for call in _callers(site))


def _callers(site: LossSite) -> list[Operation]:
    """The readings of the loss call that start from a caller: of others, what is passed is not known."""
    return [call for call in site.readings.calls if call.callers]


def _signature_arguments(made: ModuleObject | Operation) -> Arguments | None:
    unit, tree = made.anchor.unit, made.anchor.tree
    name = names_of(unit).qualified(tree.func) if isinstance(tree, ast.Call) else None
    if name is None or made.open:
        return None
    if isinstance(made, ModuleObject):
        module = TORCH.module(TORCH.canonical(name))
        slots = None if module is None or TORCH.canonical(name) != made.name else module.slots
    else:
        function = TORCH.function(TORCH.canonical(name))
        slots = None if function is None or function.operation != made.name else function.slots
    return None if slots is None else Arguments.of(unit, tree, slots)


# Options.


def option(site: LossSite, name: str, value: object) -> Edits | None:
    """Set an option of the loss; None where it is no literal now, or where other calls are subject to it."""
    found = options(site)
    item = None if found is None else found.find(name)
    if found is None or not is_sole_use(site) or (item is not None and not isinstance(item.value, ast.Constant)):
        return None
    if _is_set_later(site, name):
        return None
    return found.set(name, literal(found.unit, value))


def in_log_target(site: LossSite) -> Edits | None:
    """Set ``log_target=True``, if the target holds log-probabilities for every caller."""
    return option(site, "log_target", True) if is_everywhere(site, "target", Space.LOG_PROBABILITIES) else None


def without_option(site: LossSite, name: str) -> Edits | None:
    """Leave an option of the loss at its default."""
    found = options(site)
    item = None if found is None else found.find(name)
    return None if found is None or item is None or not is_sole_use(site) else found.dropped(item)


def reduction(site: LossSite, value: str, shared: bool = False) -> Edits | None:
    """Set the reduction, in place of legacy arguments too; ``shared`` where it is meant for all calls of the module."""
    found = options(site)
    if found is None or not (shared or is_sole_use(site)) or _is_set_later(site, "reduction"):
        return None
    content = literal(found.unit, value)
    present = [item for item in map(found.find, ("size_average", "reduce", "reduction")) if item is not None]
    written = [item for item in present if not _is_none(item.value)]
    if not all(isinstance(item.value, ast.Constant) for item in written):
        return None
    legacy = [item for item in written if item is not found.find("reduction")]
    if not legacy:
        return found.set("reduction", content)
    changed = [found.as_keyword(legacy[0], f"reduction={content}")]
    changed += [found.dropped(item) for item in written if item is not legacy[0]]
    return None if None in changed else tuple(change for part in changed for change in part or ())


def _is_set_later(site: LossSite, name: str) -> bool:
    """Whether an option of the module is set once more as its attribute: ``criterion.reduction = "sum"``."""
    made = site.call.constructor
    if made is None:
        return False
    parent = made.anchor.unit.parents.get(id(made.anchor.tree))
    targets = parent.targets if isinstance(parent, ast.Assign) else []
    owners = {name_of(target) for target in targets}
    binders = names_of(made.anchor.unit).attribute(name).binders
    return any(isinstance(binder, ast.Attribute) and name_of(binder.value) in owners for binder in binders)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


# What the slots hold.


def in_logs(site: LossSite, slot: Slot) -> Edits | None:
    """Turn the probabilities of a slot into log-probabilities: log_softmax in place of softmax, else their log."""
    given, unit = argument(site, slot.name), site.anchor.unit
    if given is None:
        return None
    maker = slot.maker
    at_maker = log_softmax_behind(unit, given.value, maker) if maker is not None else None
    if at_maker is not None:
        return at_maker
    if not is_everywhere(site, slot.name, Space.PROBABILITIES):
        return None
    if maker is not None and maker.name == "exp" and maker.anchor.tree is given.value:
        inner = operand(unit, given.value)
        return None if inner is None else kept(unit, given.value, inner)
    return method_called(unit, given.value, ".log()")


def normalised(site: LossSite, slot: Slot, function: str, dim: int) -> Edits | None:
    """Turn the scores of a slot into a distribution by ``function``: softmax or log_softmax."""
    given, unit = argument(site, slot.name), site.anchor.unit
    if given is None or not is_everywhere(site, slot.name, Space.SCORES):
        return None
    name = spelled(unit, given.value, f"torch.nn.functional.{function}", f"torch.{function}")
    if name is None:
        return method_called(unit, given.value, f".{function}(dim={dim})")
    return wrapped(unit, given.value, name, f"dim={dim}")


def swapped(site: LossSite, first: str = "input", second: str = "target") -> Edits | None:
    """Swap two arguments of the loss call."""
    one, other, unit = argument(site, first), argument(site, second), site.anchor.unit
    if one is None or other is None:
        return None
    texts = [text_of(unit, item.value) for item in (one, other)]
    return replaced(unit, one.value, texts[1]), replaced(unit, other.value, texts[0])


def undone(site: LossSite, slot: Slot, *operations: str) -> Edits | None:
    """Give a slot what some operation was applied to, such as the scores behind a softmax."""
    given, maker = argument(site, slot.name), slot.maker
    if given is None or maker is None or maker.name not in operations:
        return None
    return undone_behind(site.anchor.unit, given.value, maker)


def over_dim(site: LossSite, slot: Slot, softmax: Operation, dim: int) -> Edits | None:
    """Normalise what a slot holds over another dim."""
    given = argument(site, slot.name)
    return None if given is None else with_dim(site.anchor.unit, given.value, softmax, dim)


def followed_by(site: LossSite, slot: Slot, method: str, *spaces: Space) -> Edits | None:
    """Call a method of what a slot is given, such as ``.float()``, if the slot holds one of some spaces for every caller."""
    given = argument(site, slot.name)
    if given is None or not is_everywhere(site, slot.name, *spaces):
        return None
    return method_called(site.anchor.unit, given.value, method)


def per_row_reduction(site: LossSite) -> Edits | None:
    """Sum over the classes and take the mean over the rows, in place of the reduction."""
    none, tree, dim = reduction(site, "none"), site.anchor.tree, site.class_dim
    if none is None or dim is None or not isinstance(tree, ast.Call) or (dim >= 0 and _callers(site)):
        return None
    outside = method_called(site.anchor.unit, tree, f".sum({dim}).mean()")
    return None if outside is None else (*none, *outside)


def other_loss(site: LossSite, function: str, module: str) -> Edits | None:
    """Call another loss of the same options: the function, or the module where nothing else uses it."""
    tree, found = site.options.anchor.tree, options(site)
    if found is None or not isinstance(tree, ast.Call) or not is_sole_use(site):
        return None
    is_module = site.call.constructor is not None
    name, home = (module, "torch.nn.") if is_module else (function, "torch.nn.functional.")
    return renamed(found.unit, tree, name, home + name)


def as_log_softmax(site: LossSite, slot: Slot) -> Edits | None:
    """Turn the softmax that made what a slot holds into a log_softmax."""
    given, maker = argument(site, slot.name), slot.maker
    return None if given is None or maker is None else log_softmax_behind(site.anchor.unit, given.value, maker)
