"""What each value of a program is used as: that decides what a free one is made up of."""

from __future__ import annotations

from dataclasses import dataclass, replace

from klint.graph.nodes import Constant, Operation
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer
from klint.verify.plan import Plan, Step

_LOSS_INPUT = {
    "kl_div": Space.LOG_PROBABILITIES,
    "cross_entropy": Space.SCORES,
    "nll_loss": Space.LOG_PROBABILITIES,
    "binary_cross_entropy": Space.ELEMENTWISE,
    "binary_cross_entropy_with_logits": Space.SCORES,
}
_LOSS_TARGET = {
    "kl_div": Space.PROBABILITIES,
    "cross_entropy": Space.INDICES,
    "nll_loss": Space.INDICES,
    "binary_cross_entropy": Space.ELEMENTWISE,
    "binary_cross_entropy_with_logits": Space.ELEMENTWISE,
}
_CLASSES_IN_DIM_1 = ("cross_entropy", "nll_loss")
_LOG_OF = {Space.LOG_PROBABILITIES: Space.PROBABILITIES, Space.LOG_ELEMENTWISE: Space.ELEMENTWISE}
_EXP_OF = {logarithm: space for space, logarithm in _LOG_OF.items()}
_PASSES_DIM = frozenset(
    {Transfer.KEEP, Transfer.CLAMP, Transfer.ADD, Transfer.SUB, Transfer.MUL, Transfer.DIV, Transfer.NEG}
)
_PASSES = _PASSES_DIM | {
    Transfer.VIEW,
    Transfer.INDEX,
    Transfer.SUM,
    Transfer.MEAN,
    Transfer.JOIN,
    Transfer.SPLIT,
    Transfer.SELECT,
    Transfer.OVERWRITE,
    Transfer.WHERE,
    Transfer.LIKE_FIRST,
    Transfer.STAY_SCORES,
    Transfer.LITERAL,
}
_PICKS = (Transfer.SELECT, Transfer.OVERWRITE)
_TENSOR_SLOTS = frozenset({"input", "logits", "tensors", "other", "src"})


@dataclass(frozen=True)
class Use:
    """A tensor of ``space``, normalised over ``dim`` (None: not said); or, where ``slot`` is set, a Python value for that slot.

    ``place`` is the index in a sequence of sizes, and its length.
    """

    space: Space = Space.UNKNOWN
    dim: int | None = None
    slot: str = ""
    place: tuple[int, int] | None = None


NUMBER = Use(slot="number")


def uses_of(plan: Plan) -> tuple[Use | None, ...]:
    """The use of every register, from the last step to the first; None where nothing is asked of it.

    How the claim reads a tensor weighs most, then the operation that uses it last as a tensor; a use as a number weighs least.
    """
    return _Uses(plan).uses()


class _Uses:
    def __init__(self, plan: Plan) -> None:
        self.steps = plan.steps
        self.known: list[Use | None] = [None] * len(plan.steps)
        for reading in plan.readings.values():
            if reading.space is not Space.UNKNOWN:
                self.offer(reading.register, Use(reading.space, reading.dim))
        for leaf in plan.leaves:
            if leaf.space is not None:
                self.offer(leaf.register, Use(leaf.space))

    def uses(self) -> tuple[Use | None, ...]:
        for register in range(len(self.steps) - 1, -1, -1):
            step = self.steps[register]
            if step.kind in ("call", "module"):
                self.call(step, self.known[register])
            elif step.kind == "sequence":
                self.items(step, self.known[register])
        return tuple(self.known)

    def offer(self, register: int, use: Use | None) -> None:
        before = self.known[register]
        if use is not None and (before is None or (before.slot and not use.slot)):
            self.known[register] = use

    def items(self, step: Step, use: Use | None) -> None:
        count = len(step.arguments)
        for index, (_, register) in enumerate(step.arguments):
            self.offer(register, replace(use, place=(index, count)) if use is not None and use.slot else use)

    def call(self, step: Step, use: Use | None) -> None:
        arguments = dict(step.arguments)
        result = None if use is None or use.slot else use
        for slot, register in step.arguments:
            self.offer(register, self.slot_use(step, slot, arguments, result))

    def slot_use(self, step: Step, slot: str, arguments: dict[str, int], result: Use | None) -> Use | None:
        """What a call asks of the argument in one slot, given the use of its result."""
        spec = OPERATIONS.get(step.name)
        transfer = Transfer.UNKNOWN if spec is None else spec.transfer
        if transfer is Transfer.LOSS:
            return self.loss_use(step.name, slot, arguments)
        if slot == "probs":
            return Use(Space.PROBABILITIES)
        if slot == "index" and transfer in _PICKS:
            return Use(Space.INDICES)
        if slot not in _TENSOR_SLOTS:
            return Use(slot="no mask" if slot == "mask" and transfer is Transfer.OVERWRITE else slot)
        if transfer in (Transfer.SOFTMAX, Transfer.LOG_SOFTMAX):
            return Use(Space.SCORES, self.integer(arguments.get("dim")))
        if transfer in (Transfer.SIGMOID, Transfer.LOG_SIGMOID, Transfer.LOGSUMEXP):
            return Use(Space.SCORES)
        if transfer is Transfer.LOG:
            return (
                Use(Space.ELEMENTWISE)
                if result is None
                else replace(result, space=_LOG_OF.get(result.space, Space.ELEMENTWISE))
            )
        if transfer is Transfer.EXP:
            return (
                Use(Space.SCORES) if result is None else replace(result, space=_EXP_OF.get(result.space, Space.SCORES))
            )
        if transfer in (Transfer.ONE_HOT, Transfer.INDICES) and step.name != "argmax":
            return Use(Space.INDICES)
        if transfer in (Transfer.MUL, Transfer.DIV) and self.scales(slot, arguments, result):
            return NUMBER
        if transfer in _PASSES:
            return result if result is None or transfer in _PASSES_DIM else replace(result, dim=None)
        return None

    def scales(self, slot: str, arguments: dict[str, int], result: Use | None) -> bool:
        """Whether a factor or divisor is likely a number: a temperature, a weight. In doubt it is the second of two.

        Beside a literal (``x / 2``) it is what the product is used as.
        """
        both = [arguments.get(name) for name in ("input", "other")]
        free = [at is not None and self.steps[at].kind == "leaf" for at in both]
        if result is not None and any(at is not None and self.steps[at].kind == "constant" for at in both):
            return False
        return free[slot == "other"] and (slot == "other" or not free[1])

    def loss_use(self, loss: str, slot: str, arguments: dict[str, int]) -> Use:
        dim = 1 if loss in _CLASSES_IN_DIM_1 else None
        if slot == "input":
            return Use(_LOSS_INPUT.get(loss, Space.UNKNOWN), dim)
        if slot != "target":
            return Use(slot=slot)
        log_target = arguments.get("log_target")
        if log_target is not None and self.steps[log_target].value is True:
            return Use(Space.LOG_PROBABILITIES)
        return Use(_LOSS_TARGET.get(loss, Space.UNKNOWN), dim)

    def integer(self, register: int | None) -> int | None:
        value = None if register is None else self.steps[register].value
        return value if isinstance(value, int) else None


def wanted_space(call: Operation, slot: str, known: Space) -> Space:
    """What a loss wants in a slot; of a target that may be either, what it is known to be."""
    if slot == "input":
        return _LOSS_INPUT.get(call.name, Space.UNKNOWN)
    flag = call.arguments.get("log_target")
    if isinstance(flag, Constant) and flag.value is True:
        return Space.LOG_PROBABILITIES
    if call.name == "cross_entropy" and known is Space.PROBABILITIES:
        return known
    return _LOSS_TARGET.get(call.name, Space.UNKNOWN)


def score_registers(plan: Plan) -> frozenset[int]:
    """The scores that are normalised before a logarithm is taken of them: where underflow shows once they lie far apart.

    Those of a softmax that the fixed code has as well are left alone, unless there are no others.
    """
    below: set[int] = set()
    for register in range(len(plan.steps) - 1, -1, -1):
        step = plan.steps[register]
        if register in below or _transfer(step) is Transfer.LOG:
            below.update(operand for _, operand in step.arguments)
    kept = _behind(plan, plan.outputs.get("fixed"))
    found = {
        (dict(step.arguments).get("input", register), register in kept)
        for register, step in enumerate(plan.steps)
        if _transfer(step) is Transfer.SOFTMAX and register in below
    }
    return frozenset(at for at, stays in found if not stays) or frozenset(at for at, _ in found)


def _behind(plan: Plan, register: int | None) -> frozenset[int]:
    """The registers that one is computed from."""
    found = set[int]() if register is None else {register}
    for at in range(register or 0, -1, -1):
        if at in found:
            found.update(operand for _, operand in plan.steps[at].arguments)
    return frozenset(found)


def _transfer(step: Step) -> Transfer | None:
    spec = OPERATIONS.get(step.name) if step.kind == "call" else None
    return None if spec is None else spec.transfer
