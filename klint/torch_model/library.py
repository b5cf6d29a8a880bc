"""The tables as the graph builder asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from klint.graph.library import ModuleSignature, Signature
from klint.torch_model.losses import LOSS_NAMES, LOSSES
from klint.torch_model.operations import ROWS, split_callable
from klint.torch_model.table import Transfer

_VIEWS = frozenset(
    row.name
    for row in ROWS
    if row.transfer in (Transfer.KEEP, Transfer.VIEW, Transfer.INDEX, Transfer.SPLIT) and row.name != "clone"
)
_WHOLE_VIEWS = frozenset("detach data identity view reshape unsqueeze squeeze transpose t permute".split())

_LAYERS = frozenset(row.name for row in ROWS if row.transfer in (Transfer.SCORES, Transfer.EMBEDDING))
_PARAMETER = "torch.nn.parameter.Parameter"

_PASSES = frozenset(
    """
    copy.copy copy.deepcopy torch.compile torch.jit.script torch.nn.DataParallel
    torch.nn.parallel.DataParallel torch.nn.parallel.DistributedDataParallel torch.nn.utils.weight_norm
    torch.nn.utils.spectral_norm torch.nn.utils.parametrizations.weight_norm torch.nn.utils.parametrizations.spectral_norm
    """.split()
)

_PROPERTIES = frozenset({"torch.distributions.utils.lazy_property"})
_GRAD_MODES = {
    "torch.no_grad": False,
    "torch.inference_mode": False,
    "torch.set_grad_enabled": False,
    "torch.enable_grad": True,
}
_TRANSPARENT = _PROPERTIES | frozenset(
    """
    torch.no_grad torch.enable_grad torch.inference_mode torch.compile torch.jit.script torch.jit.export torch.jit.ignore
    """.split()
)
_CONTAINERS = {"torch.nn.Sequential": "args", "torch.nn.ModuleList": "modules", "torch.nn.ModuleDict": "modules"}

OBJECTS = {
    "torch.distributions.Categorical": ("probs", "logits", "validate_args"),
    "torch.distributions.OneHotCategorical": ("probs", "logits", "validate_args"),
    "logging.getLogger": (),
}
"""Classes that are no modules, with the slots of their constructors."""

_ALIASES = (
    ("torch.distributions.categorical.", "torch.distributions."),
    ("torch.nn.Parameter", _PARAMETER),
    ("torch.nn.Buffer", "torch.nn.parameter.Buffer"),
    ("torch.nn.modules.loss.", "torch.nn."),
    ("torch.nn.modules.activation.", "torch.nn."),
    ("torch.nn.modules.linear.", "torch.nn."),
    ("torch.nn.modules.", "torch.nn."),
    ("torch.nn.loss.", "torch.nn."),
    ("torch.nn.activation.", "torch.nn."),
    ("torch.nn.linear.", "torch.nn."),
    ("torch.nn.container.", "torch.nn."),
)


@dataclass
class TorchLibrary:
    """The table as the graph builder asks for it (``klint.graph.library.Library``)."""

    functions: dict[str, Signature] = field(default_factory=dict)
    methods: dict[str, Signature] = field(default_factory=dict)
    attributes: dict[str, Signature] = field(default_factory=dict)
    modules: dict[str, ModuleSignature] = field(default_factory=dict)
    members: dict[tuple[str, str], Signature] = field(default_factory=dict)

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the losses, as functions and as modules."""
        return LOSS_NAMES

    @property
    def tensor(self) -> str:
        """The qualified name of the tensor class."""
        return "torch.Tensor"

    @property
    def transparent(self) -> frozenset[str]:
        """Decorators of torch after which a function still computes what its body says."""
        return _TRANSPARENT

    @property
    def properties(self) -> frozenset[str]:
        """Decorators of torch that make a method a property."""
        return _PROPERTIES

    @property
    def grad_modes(self) -> Mapping[str, bool]:
        """Contexts and decorators that say whether gradients are recorded; ``set_grad_enabled`` may be told no."""
        return _GRAD_MODES

    @property
    def containers(self) -> Mapping[str, str]:
        """``nn.Sequential`` and kin, with the slot that holds their modules."""
        return _CONTAINERS

    @property
    def views(self) -> frozenset[str]:
        """The operations whose result may share the storage of their input."""
        return _VIEWS

    @property
    def whole_views(self) -> frozenset[str]:
        """Those that show all numbers of their input."""
        return _WHOLE_VIEWS

    def passes(self, name: str) -> bool:
        """Whether a function hands its first argument through."""
        return name in _PASSES

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

    def member(self, module: str, name: str) -> Signature | None:
        """The signature of an attribute or method of a module's objects; its slots are the constructor's."""
        return self.members.get((module, name))

    def learnt(self, module: str, name: str) -> Signature | None:
        """The signature that wraps a tensor which a module class's objects learn and hold under this name."""
        known = self.modules.get(module)
        is_layer = known is not None and known.call is not None and known.call.operation in _LAYERS
        return self.functions[_PARAMETER] if is_layer and name in ("weight", "bias") else None

    def canonical(self, name: str) -> str:
        """The name under which the tables know a qualified name."""
        if name.startswith("torch."):
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


def _library() -> TorchLibrary:
    library = TorchLibrary()
    for row in ROWS:
        call_slots = tuple(LOSSES[row.name].slots) if row.name in LOSSES else ("input",)
        for text in row.callables:
            name, slots = split_callable(text)
            owner, at, member = name.partition("@")
            if owner and at:
                library.members[owner, member] = Signature(row.name, slots, not row.random)
            elif name.startswith("@"):
                library.attributes[name[1:]] = Signature(row.name, ("input",))
            elif name.startswith("."):
                library.methods[name[1:]] = Signature(row.name, ("input", *slots), not row.random)
                library.functions.setdefault(f"torch.Tensor{name}", library.methods[name[1:]])
            elif name.startswith("torch.nn.") and name[9].isupper():
                call = Signature(row.name, call_slots, not row.random)
                library.modules[name] = ModuleSignature(slots, call, has_weights=not row.pure)
            else:
                library.functions[name] = Signature(row.name, slots, not row.random)
    for name, slots in OBJECTS.items():
        library.modules[name] = ModuleSignature(slots, None)
    return library


TORCH = _library()
