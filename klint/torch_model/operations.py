"""The operations of torch that klint knows, as a table.

A row names an operation, says how it treats what its input means (``Transfer``), and lists the callables that perform it with
torch's own signatures: ``F.softmax(input, dim=None)`` a function, ``.softmax(dim)`` a tensor method (the receiver is the
first slot, ``input``), ``nn.Softmax(dim=None)`` a module whose call takes ``input``, ``@shape`` a tensor property. ``nn.`` and ``F.``
are short for ``torch.nn.`` and ``torch.nn.functional.``. The first callable of a row is the one that ``klint verify`` replays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from klint.graph.library import ModuleSignature, Signature
from klint.torch_model.losses import LOSS_NAMES, LOSSES


class Transfer(Enum):
    """How an operation moves what is known of its operands to its result; ``infer.py`` holds one function for each."""

    SOFTMAX = "softmax"  # scores -> probabilities over dim
    LOG_SOFTMAX = "log_softmax"  # scores -> log-probabilities over dim
    SIGMOID = "sigmoid"
    LOG_SIGMOID = "logsigmoid"
    LOG = "log"
    EXP = "exp"
    SCORES = "scores"  # a layer: whatever goes in, scores come out
    BOUNDED = "bounded"  # activations that are scores to a loss, though bounded (relu, tanh)
    KEEP = "keep"  # same numbers, same shape
    CLAMP = "clamp"  # same meaning up to a bound
    INDICES = "indices"  # whole numbers that name classes
    ONE_HOT = "one_hot"
    LOSS = "loss"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    NEG = "neg"
    SUM = "sum"
    MEAN = "mean"
    LOGSUMEXP = "logsumexp"
    VIEW = "view"  # same numbers, another shape: the shape rule is found by the operation's name
    INDEX = "index"
    SHAPE = "shape"
    LENGTH = "length"
    NUMEL = "numel"
    LITERAL = "literal"  # torch.tensor([...])
    CREATE = "create"  # numbers that torch makes up, of a given shape
    JOIN = "join"  # cat, stack
    NUMBER = "number"  # float(x), int(x), x.item()
    COMPARE = "compare"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class OperationSpec:
    """One row of the table. ``pure`` operations may be replayed by verify: no effect but their result."""

    name: str
    transfer: Transfer
    callables: tuple[str, ...]
    pure: bool = True
    random: bool = False
    detail: str = ""


def _row(name: str, transfer: Transfer, *callables: str, random: bool = False, detail: str = "") -> OperationSpec:
    return OperationSpec(name, transfer, callables, random=random, detail=detail)


T = Transfer

_ROWS: tuple[OperationSpec, ...] = (
    # Normalising
    _row(
        "softmax",
        T.SOFTMAX,
        "F.softmax(input, dim=None, _stacklevel=3, dtype=None)",
        "torch.softmax(input, dim, dtype=None)",
        "torch.special.softmax(input, dim, dtype=None)",
        ".softmax(dim, dtype=None)",
        "nn.Softmax(dim=None)",
    ),
    _row("softmax2d", T.SOFTMAX, "nn.Softmax2d()", detail="dim=-3"),
    _row("softmin", T.SOFTMAX, "F.softmin(input, dim=None, _stacklevel=3, dtype=None)", "nn.Softmin(dim=None)"),
    _row(
        "gumbel_softmax",
        T.SOFTMAX,
        "F.gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1)",
        random=True,
    ),
    _row(
        "log_softmax",
        T.LOG_SOFTMAX,
        "F.log_softmax(input, dim=None, _stacklevel=3, dtype=None)",
        "torch.log_softmax(input, dim, dtype=None)",
        "torch.special.log_softmax(input, dim, dtype=None)",
        ".log_softmax(dim, dtype=None)",
        "nn.LogSoftmax(dim=None)",
    ),
    _row(
        "sigmoid",
        T.SIGMOID,
        "torch.sigmoid(input)",
        "F.sigmoid(input)",
        "torch.special.expit(input)",
        ".sigmoid()",
        ".sigmoid_()",
        "nn.Sigmoid()",
        "F.hardsigmoid(input, inplace=False)",
        "nn.Hardsigmoid(inplace=False)",
    ),
    _row("logsigmoid", T.LOG_SIGMOID, "F.logsigmoid(input)", "nn.LogSigmoid()"),
    _row("log", T.LOG, "torch.log(input)", ".log()", ".log_()"),
    _row("exp", T.EXP, "torch.exp(input)", ".exp()", ".exp_()"),
    _row(
        "logsumexp",
        T.LOGSUMEXP,
        "torch.logsumexp(input, dim, keepdim=False)",
        "torch.special.logsumexp(input, dim, keepdim=False)",
        ".logsumexp(dim, keepdim=False)",
    ),
    # Same numbers, same shape
    _row("detach", T.KEEP, ".detach()", ".detach_()", "torch.Tensor.detach(input)"),
    _row("clone", T.KEEP, ".clone(memory_format=None)", "torch.clone(input)"),
    _row("contiguous", T.KEEP, ".contiguous(memory_format=None)"),
    _row("to", T.KEEP, ".to(*args)"),
    _row("float", T.KEEP, ".float()"),
    _row("double", T.KEEP, ".double()"),
    _row("half", T.KEEP, ".half()"),
    _row("bfloat16", T.KEEP, ".bfloat16()"),
    _row("type", T.KEEP, ".type(dtype=None)", ".type_as(other)"),
    _row("cuda", T.KEEP, ".cuda(device=None, non_blocking=False)"),
    _row("cpu", T.KEEP, ".cpu()"),
    _row("requires_grad_", T.KEEP, ".requires_grad_(requires_grad=True)"),
    _row("data", T.KEEP, "@data"),
    _row("variable", T.KEEP, "torch.autograd.Variable(input, requires_grad=False)"),
    _row("identity", T.KEEP, "nn.Identity()"),
    _row(
        "clamp",
        T.CLAMP,
        "torch.clamp(input, min=None, max=None)",
        ".clamp(min=None, max=None)",
        ".clamp_(min=None, max=None)",
    ),
    _row("clamp_min", T.CLAMP, "torch.clamp_min(input, min)", ".clamp_min(min)"),
    _row("clamp_max", T.CLAMP, "torch.clamp_max(input, max)", ".clamp_max(max)"),
    _row("clip", T.CLAMP, "torch.clip(input, min=None, max=None)", ".clip(min=None, max=None)"),
    _row("nan_to_num", T.CLAMP, "torch.nan_to_num(input, nan=0.0, posinf=None, neginf=None)", ".nan_to_num(nan=0.0)"),
    # Same numbers, another shape
    _row("view", T.VIEW, ".view(*shape)"),
    _row("reshape", T.VIEW, "torch.reshape(input, *shape)", ".reshape(*shape)"),
    _row("flatten", T.VIEW, "torch.flatten(input, start_dim=0, end_dim=-1)", ".flatten(start_dim=0, end_dim=-1)"),
    _row("nn_flatten", T.VIEW, "nn.Flatten(start_dim=1, end_dim=-1)"),
    _row("ravel", T.VIEW, "torch.ravel(input)", ".ravel()"),
    _row("squeeze", T.VIEW, "torch.squeeze(input, dim=None)", ".squeeze(dim=None)", ".squeeze_(dim=None)"),
    _row("unsqueeze", T.VIEW, "torch.unsqueeze(input, dim)", ".unsqueeze(dim)", ".unsqueeze_(dim)"),
    _row("transpose", T.VIEW, "torch.transpose(input, dim0, dim1)", ".transpose(dim0, dim1)", ".swapaxes(dim0, dim1)"),
    _row("t", T.VIEW, "torch.t(input)", ".t()", "@T", "@mT"),
    _row("permute", T.VIEW, "torch.permute(input, *dims)", ".permute(*dims)"),
    _row("movedim", T.VIEW, "torch.movedim(input, source, destination)", ".movedim(source, destination)"),
    _row("expand", T.VIEW, ".expand(*shape)"),
    _row("expand_as", T.VIEW, ".expand_as(other)"),
    _row("getitem", T.INDEX, "operator.getitem(input, index)"),
    # Sizes
    _row("shape", T.SHAPE, "@shape", ".size(dim=None)"),
    _row("dim", T.UNKNOWN, ".dim()", ".ndimension()", "@ndim"),
    _row("numel", T.NUMEL, "torch.numel(input)", ".numel()", ".nelement()"),
    _row("length", T.LENGTH, "builtins.len(input)"),
    _row("number", T.NUMBER, "builtins.float(input)", ".item()"),
    # Arithmetic: Python's operators are built as these too
    _row("add", T.ADD, "torch.add(input, other)", ".add(other)", ".add_(other)"),
    _row("sub", T.SUB, "torch.sub(input, other)", ".sub(other)", ".sub_(other)", "torch.subtract(input, other)"),
    _row("mul", T.MUL, "torch.mul(input, other)", ".mul(other)", ".mul_(other)", "torch.multiply(input, other)"),
    _row(
        "div",
        T.DIV,
        "torch.div(input, other)",
        "torch.true_divide(input, other)",
        ".div(other)",
        ".div_(other)",
        "torch.divide(input, other)",
    ),
    _row("floordiv", T.UNKNOWN, "torch.floor_divide(input, other)"),
    _row("mod", T.UNKNOWN, "torch.remainder(input, other)"),
    _row("pow", T.UNKNOWN, "torch.pow(input, exponent)", ".pow(exponent)"),
    _row("neg", T.NEG, "torch.neg(input)", ".neg()"),
    _row(
        "matmul",
        T.SCORES,
        "torch.matmul(input, other)",
        "torch.mm(input, other)",
        "torch.bmm(input, other)",
        ".matmul(other)",
        ".mm(other)",
    ),
    _row("sum", T.SUM, "torch.sum(input, dim=None, keepdim=False)", ".sum(dim=None, keepdim=False)"),
    _row("mean", T.MEAN, "torch.mean(input, dim=None, keepdim=False)", ".mean(dim=None, keepdim=False)"),
    # Whole numbers
    _row("argmax", T.INDICES, "torch.argmax(input, dim=None, keepdim=False)", ".argmax(dim=None, keepdim=False)"),
    _row("argmin", T.INDICES, "torch.argmin(input, dim=None, keepdim=False)", ".argmin(dim=None, keepdim=False)"),
    _row("long", T.INDICES, ".long()", ".int()"),
    _row("one_hot", T.ONE_HOT, "F.one_hot(input, num_classes=-1)"),
    _row("randint", T.INDICES, "torch.randint(low, high, size)", random=True, detail="size"),
    _row("arange", T.INDICES, "torch.arange(*range)", detail="range"),
    # Creation
    _row(
        "tensor",
        T.LITERAL,
        "torch.tensor(input, dtype=None, device=None, requires_grad=False)",
        "torch.as_tensor(input, dtype=None)",
    ),
    _row("FloatTensor", T.LITERAL, "torch.FloatTensor(input)", "torch.Tensor(input)", "torch.DoubleTensor(input)"),
    _row("randn", T.CREATE, "torch.randn(*size)", random=True, detail="scores"),
    _row("rand", T.CREATE, "torch.rand(*size)", random=True, detail="unknown"),
    _row("zeros", T.CREATE, "torch.zeros(*size)", detail="unknown"),
    _row("ones", T.CREATE, "torch.ones(*size)", detail="unknown"),
    _row("empty", T.CREATE, "torch.empty(*size)", detail="unknown"),
    _row("full", T.CREATE, "torch.full(size, fill_value)", detail="unknown"),
    _row("randn_like", T.CREATE, "torch.randn_like(input)", random=True, detail="scores like"),
    _row("zeros_like", T.CREATE, "torch.zeros_like(input)", detail="unknown like"),
    _row("ones_like", T.CREATE, "torch.ones_like(input)", detail="unknown like"),
    _row("full_like", T.CREATE, "torch.full_like(input, fill_value)", detail="unknown like"),
    # Joining
    _row("cat", T.JOIN, "torch.cat(tensors, dim=0)", "torch.concat(tensors, dim=0)"),
    _row("stack", T.JOIN, "torch.stack(tensors, dim=0)"),
    # Layers
    _row(
        "linear",
        T.SCORES,
        "nn.Linear(in_features, out_features, bias=True)",
        "F.linear(input, weight, bias=None)",
        detail="linear",
    ),
    _row("bilinear", T.SCORES, "nn.Bilinear(in1_features, in2_features, out_features, bias=True)"),
    _row(
        "conv1d",
        T.SCORES,
        "nn.Conv1d(in_channels, out_channels, kernel_size)",
        "F.conv1d(input, weight, bias=None)",
        detail="rank 3",
    ),
    _row(
        "conv2d",
        T.SCORES,
        "nn.Conv2d(in_channels, out_channels, kernel_size)",
        "F.conv2d(input, weight, bias=None)",
        detail="rank 4",
    ),
    _row("conv3d", T.SCORES, "nn.Conv3d(in_channels, out_channels, kernel_size)", detail="rank 5"),
    _row(
        "batch_norm",
        T.SCORES,
        "nn.BatchNorm1d(num_features)",
        "nn.BatchNorm2d(num_features)",
        "nn.BatchNorm3d(num_features)",
        detail="same shape",
    ),
    _row(
        "layer_norm",
        T.SCORES,
        "nn.LayerNorm(normalized_shape)",
        "F.layer_norm(input, normalized_shape)",
        detail="same shape",
    ),
    _row("relu", T.BOUNDED, "F.relu(input, inplace=False)", "torch.relu(input)", ".relu()", "nn.ReLU(inplace=False)"),
    _row("leaky_relu", T.BOUNDED, "F.leaky_relu(input, negative_slope=0.01)", "nn.LeakyReLU(negative_slope=0.01)"),
    _row("gelu", T.BOUNDED, "F.gelu(input)", "nn.GELU()"),
    _row("tanh", T.BOUNDED, "torch.tanh(input)", "F.tanh(input)", ".tanh()", "nn.Tanh()"),
    # Comparisons: == and the like are built as these too
    _row("eq", T.COMPARE, "torch.eq(input, other)"),
    _row("ne", T.COMPARE, "torch.ne(input, other)"),
    _row(
        "allclose",
        T.COMPARE,
        "torch.allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
        ".allclose(other)",
    ),
    _row("isclose", T.COMPARE, "torch.isclose(input, other)", "math.isclose(input, other)", ".isclose(other)"),
    _row("assert_close", T.COMPARE, "torch.testing.assert_close(actual, expected)"),
    _row("print", T.UNKNOWN, "builtins.print(*values)"),
    # Losses: their slots are in losses.py
    *(
        OperationSpec(loss.name, T.LOSS, (f"F.{loss.name}({loss.call})", f"{loss.module}({loss.options})"))
        for loss in LOSSES.values()
    ),
)

OPERATIONS: dict[str, OperationSpec] = {row.name: row for row in _ROWS}

_SHORT = (("nn.", "torch.nn."), ("F.", "torch.nn.functional."))
_ALIASES = (
    ("torch.nn.modules.loss.", "torch.nn."),
    ("torch.nn.modules.activation.", "torch.nn."),
    ("torch.nn.modules.linear.", "torch.nn."),
    ("torch.nn.modules.", "torch.nn."),
)


@dataclass
class TorchLibrary:
    """The table as the graph builder asks for it (``klint.graph.library.Library``)."""

    functions: dict[str, Signature] = field(default_factory=dict)
    methods: dict[str, Signature] = field(default_factory=dict)
    attributes: dict[str, Signature] = field(default_factory=dict)
    modules: dict[str, ModuleSignature] = field(default_factory=dict)

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the losses, as functions and as modules."""
        return LOSS_NAMES

    def function(self, name: str) -> Signature | None:
        """The signature of a qualified function name."""
        return self.functions.get(name)

    def method(self, name: str) -> Signature | None:
        """The signature of a tensor method."""
        return self.methods.get(name)

    def attribute(self, name: str) -> Signature | None:
        """The signature of a tensor property."""
        return self.attributes.get(name)

    def module(self, name: str) -> ModuleSignature | None:
        """The signatures of a module class."""
        return self.modules.get(name)

    def canonical(self, name: str) -> str:
        """The name under which the tables know a qualified name."""
        for alias, known in _ALIASES:
            if name.startswith(alias):
                return known + name[len(alias) :]
        return name

    def exports(self, module: str) -> Iterable[str]:
        """The names directly inside a torch module that the tables know."""
        prefix = module + "."
        for name in (*self.functions, *self.modules):
            if name.startswith(prefix) and "." not in name[len(prefix) :]:
                yield name[len(prefix) :]


def split_callable(text: str) -> tuple[str, tuple[str, ...]]:
    """``"F.softmax(input, dim=None)"`` -> its qualified name and slot names; methods and properties keep ``.`` and ``@``."""
    name, _, slots = text.rstrip(")").partition("(")
    for short, full in _SHORT:
        if name.startswith(short):
            name = full + name[len(short) :]
            break
    return name, tuple(slot.partition("=")[0].strip() for slot in slots.split(",") if slot.strip())


def _library() -> TorchLibrary:
    library = TorchLibrary()
    for row in _ROWS:
        call_slots = tuple(LOSSES[row.name].slots) if row.name in LOSSES else ("input",)
        for text in row.callables:
            name, slots = split_callable(text)
            if name.startswith("@"):
                library.attributes[name[1:]] = Signature(row.name, ("input",))
            elif name.startswith("."):
                library.methods[name[1:]] = Signature(row.name, ("input", *slots), not row.random)
            elif name.startswith("torch.nn.") and name[9].isupper():
                library.modules[name] = ModuleSignature(slots, Signature(row.name, call_slots, not row.random))
            else:
                library.functions[name] = Signature(row.name, slots, not row.random)
    return library


TORCH = _library()
