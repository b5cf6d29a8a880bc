"""Classes: attributes, methods, inheritance, containers of layers, models and what they return."""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, reductions, targets, twins

CLASSES: dict[str, Idiom] = {
    # Attributes
    "criterion set in __init__": reductions(
        """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="___")

            def forward(self, q, target):
                return self.criterion(q, target)

        Distill()(log_q, p)
        """
    ),
    "class that nothing makes": twins(
        """
        class Entry(nn.Module):
            def __init__(self):
                super().__init__()
                self.student = nn.Linear(10, 10)
                self.criterion = nn.KLDivLoss(reduction="sum")

            def forward(self, x, y):
                return self.criterion(F.___(self.student(x), dim=1), F.softmax(y, dim=1))
        """
    ),
    "attribute set in another method": reductions(
        """
        class Trainer:
            def build(self):
                self.criterion = nn.KLDivLoss(reduction="___")

            def step(self, q, target):
                self.build()
                return self.criterion(q, target)

        Trainer().step(log_q, p)
        """
    ),
    "attribute set in a method that is called elsewhere": reductions(
        """
        class Trainer:
            def __init__(self):
                self.setup()

            def setup(self):
                self.criterion = nn.KLDivLoss(reduction="___")

            def step(self, q, target):
                return self.criterion(q, target)

        Trainer().step(log_q, p)
        """
    ),
    "tensor kept in an attribute": twins(
        """
        class Step:
            def normalise(self, x):
                self.q = F.___(x, dim=1)

            def loss(self, target):
                return F.kl_div(self.q, target, reduction="sum")

        step = Step()
        step.normalise(x)
        step.loss(p)
        """
    ),
    "attribute of a parameter of __init__": reductions(
        """
        class Distill:
            def __init__(self, reduction):
                self.reduction = reduction

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill("___")(log_q, p)
        """
    ),
    "attribute of a default of __init__": reductions(
        """
        class Distill:
            def __init__(self, reduction="___"):
                self.reduction = reduction

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill()(log_q, p)
        """
    ),
    "attribute of the instance set from outside": reductions(
        """
        class Config:
            pass

        config = Config()
        config.reduction = "___"
        F.kl_div(log_q, p, reduction=config.reduction)
        """
    ),
    "attribute of an attribute": twins(
        """
        class Head:
            def __init__(self):
                self.normalise = nn.___(dim=1)

        class Net:
            def __init__(self):
                self.head = Head()

        net = Net()
        F.kl_div(net.head.normalise(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "class attribute": reductions(
        """
        class Distill:
            reduction = "___"

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill()(log_q, p)
        """
    ),
    "class attribute through the class": reductions(
        """
        class Config:
            REDUCTION = "___"

        F.kl_div(log_q, p, reduction=Config.REDUCTION)
        """
    ),
    "function kept in an attribute": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.normalise = F.___

            def forward(self, x):
                return self.normalise(x, dim=1)

        F.kl_div(Net()(x), p, reduction="sum")
        """
    ),
    "partial kept in an attribute": twins(
        """
        from functools import partial

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.normalise = partial(F.___, dim=1)

            def forward(self, x):
                return self.normalise(x)

        F.kl_div(Net()(x), p, reduction="sum")
        """
    ),
    "attribute chosen by a condition": twins(
        """
        class Net(nn.Module):
            def __init__(self, wide=False):
                super().__init__()
                if wide:
                    self.out = nn.___(dim=-1)
                else:
                    self.out = nn.___(dim=1)

            def forward(self, x):
                return self.out(x)

        def entry(x, p, wide=True):
            return F.kl_div(Net(wide)(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "option of a criterion changed later": reductions(
        """
        criterion = nn.KLDivLoss(reduction="batchmean")
        criterion.reduction = "___"
        criterion(log_q, p)
        """
    ),
    "log_target of a criterion": targets(
        "criterion = nn.KLDivLoss(reduction='sum', log_target=___)\ncriterion(log_q, F.log_softmax(y, dim=1))"
    ),
    # Data classes
    "dataclass default": reductions(
        """
        from dataclasses import dataclass

        @dataclass
        class Config:
            temperature: float = 1.0
            reduction: str = "___"

        config = Config(temperature=2.0)
        F.kl_div(log_q, p, reduction=config.reduction)
        """
    ),
    "dataclass argument": reductions(
        """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Config:
            reduction: str
            log_target: bool = False

        config = Config("___")
        F.kl_div(log_q, p, reduction=config.reduction, log_target=config.log_target)
        """
    ),
    "dataclass of tensors": twins(
        """
        from dataclasses import dataclass

        @dataclass
        class Output:
            student: torch.Tensor
            teacher: torch.Tensor

        out = Output(student=F.___(x, dim=1), teacher=p)
        F.kl_div(out.student, out.teacher, reduction="sum")
        """
    ),
    "dataclass field with a factory": reductions(
        """
        from dataclasses import dataclass, field

        @dataclass
        class Trainer:
            criterion: nn.Module = field(default_factory=lambda: nn.KLDivLoss(reduction="___"))

        Trainer().criterion(log_q, p)
        """
    ),
    "dataclass with a method": twins(
        """
        from dataclasses import dataclass

        @dataclass
        class Loss:
            dim: int = 1

            def __call__(self, x, target):
                return F.kl_div(F.___(x, dim=self.dim), target, reduction="sum")

        Loss()(x, p)
        """
    ),
    "NamedTuple": twins(
        """
        from typing import NamedTuple

        class Output(NamedTuple):
            q: torch.Tensor
            p: torch.Tensor

        out = Output(F.___(x, dim=1), p)
        F.kl_div(out.q, out.p, reduction="sum")
        """
    ),
    "namedtuple": twins(
        """
        from collections import namedtuple

        Output = namedtuple("Output", ["q", "p"])
        out = Output(q=F.___(x, dim=1), p=p)
        F.kl_div(out.q, out[1], reduction="sum")
        """
    ),
    "SimpleNamespace": twins(
        """
        from types import SimpleNamespace

        out = SimpleNamespace(q=F.___(x, dim=1))
        F.kl_div(out.q, p, reduction="sum")
        """
    ),
    "enumeration of options": reductions(
        """
        from enum import Enum

        class Reduction(Enum):
            CHOSEN = "___"

        F.kl_div(log_q, p, reduction=Reduction.CHOSEN.value)
        """
    ),
    # Methods
    "method called by another": twins(
        """
        class Step:
            def normalise(self, x):
                return F.___(x, dim=1)

            def loss(self, x, target):
                return F.kl_div(self.normalise(x), target, reduction="sum")

        Step().loss(x, p)
        """
    ),
    "property": reductions(
        """
        class Distill:
            @property
            def criterion(self):
                return nn.KLDivLoss(reduction="___")

            def __call__(self, q, target):
                return self.criterion(q, target)

        Distill()(log_q, p)
        """
    ),
    "cached property": reductions(
        """
        from functools import cached_property

        class Distill:
            @cached_property
            def criterion(self):
                return nn.KLDivLoss(reduction="___")

        Distill().criterion(log_q, p)
        """
    ),
    "static method": twins(
        """
        class Ops:
            @staticmethod
            def normalise(x):
                return F.___(x, dim=1)

        F.kl_div(Ops.normalise(x), p, reduction="sum")
        """
    ),
    "static method through self": twins(
        """
        class Ops:
            @staticmethod
            def normalise(x):
                return F.___(x, dim=1)

            def loss(self, x, target):
                return F.kl_div(self.normalise(x), target, reduction="sum")

        Ops().loss(x, p)
        """
    ),
    "class method": twins(
        """
        class Ops:
            dim = 1

            @classmethod
            def normalise(cls, x):
                return F.___(x, dim=cls.dim)

        F.kl_div(Ops.normalise(x), p, reduction="sum")
        """
    ),
    "class method that makes an instance": reductions(
        """
        class Distill:
            def __init__(self, reduction):
                self.reduction = reduction

            @classmethod
            def default(cls):
                return cls("___")

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill.default()(log_q, p)
        """
    ),
    "method taken from the class": twins(
        """
        class Ops:
            def normalise(self, x):
                return F.___(x, dim=1)

        F.kl_div(Ops.normalise(Ops(), x), p, reduction="sum")
        """
    ),
    "bound method as a value": twins(
        """
        class Ops:
            def normalise(self, x):
                return F.___(x, dim=1)

        normalise = Ops().normalise
        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "instance that is called": twins(
        """
        class Normalise:
            def __call__(self, x):
                return F.___(x, dim=1)

        F.kl_div(Normalise()(x), p, reduction="sum")
        """
    ),
    # Inheritance
    "method of a base": twins(
        """
        class Base:
            def normalise(self, x):
                return F.___(x, dim=1)

        class Step(Base):
            def loss(self, x, target):
                return F.kl_div(self.normalise(x), target, reduction="sum")

        Step().loss(x, p)
        """
    ),
    "method of a subclass": twins(
        """
        class Base:
            def loss(self, x, target):
                return F.kl_div(self.normalise(x), target, reduction="sum")

        class Step(Base):
            def normalise(self, x):
                return F.___(x, dim=1)

        Step().loss(x, p)
        """
    ),
    "attribute of a base's __init__": reductions(
        """
        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="___")

        class Distill(Base):
            def forward(self, q, target):
                return self.criterion(q, target)

        Distill()(log_q, p)
        """
    ),
    "arguments of super().__init__": reductions(
        """
        class Base(nn.Module):
            def __init__(self, reduction):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction=reduction)

        class Distill(Base):
            def __init__(self):
                super().__init__("___")

            def forward(self, q, target):
                return self.criterion(q, target)

        Distill()(log_q, p)
        """
    ),
    "super() of two arguments": reductions(
        """
        class Base(nn.Module):
            def __init__(self, reduction):
                super(Base, self).__init__()
                self.reduction = reduction

        class Distill(Base):
            def __init__(self):
                super(Distill, self).__init__(reduction="___")

            def forward(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill()(log_q, p)
        """
    ),
    "__init__ of a base called by its name": reductions(
        """
        class Base:
            def __init__(self, reduction):
                self.reduction = reduction

        class Distill(Base):
            def __init__(self):
                Base.__init__(self, "___")

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        Distill()(log_q, p)
        """
    ),
    "super().forward": twins(
        """
        class Base(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return self.fc(x)

        class Net(Base):
            def forward(self, x):
                return F.___(super().forward(x), dim=1)

        F.kl_div(Net()(x), p, reduction="sum")
        """
    ),
    "attribute that a subclass replaces": reductions(
        """
        class Base:
            reduction = "batchmean"

            def __call__(self, q, target):
                return F.kl_div(q, target, reduction=self.reduction)

        class Distill(Base):
            reduction = "___"

        Distill()(log_q, p)
        """
    ),
    "method of a subclass that the base's forward calls": twins(
        """
        class Base(nn.Module):
            def forward(self, q, target):
                return self.divergence(q, target)

        class Step(Base):
            def divergence(self, q, target):
                return F.kl_div(q, target, reduction="sum")

        def entry(x, p):
            return Step()(F.___(x, dim=1), p)
        """
    ),
    "mixin": twins(
        """
        class Normalising:
            def normalise(self, x):
                return F.___(x, dim=1)

        class Net(Normalising, nn.Module):
            def forward(self, x):
                return self.normalise(x)

        F.kl_div(Net()(x), p, reduction="sum")
        """
    ),
    "subclass of a torch loss": reductions(
        """
        class Divergence(nn.KLDivLoss):
            def __init__(self):
                super().__init__(reduction="___")

        Divergence()(log_q, p)
        """
    ),
    "subclass of a torch loss that normalises": twins(
        """
        class Divergence(nn.KLDivLoss):
            def forward(self, x, target):
                return super().forward(F.___(x, dim=1), target)

        Divergence(reduction="sum")(x, p)
        """
    ),
    # Layers in containers
    "nn.Sequential": twins(
        "net = nn.Sequential(nn.Linear(10, 10), nn.___(dim=1))\nF.kl_div(net(x), p, reduction='sum')",
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential of a starred list": twins(
        """
        layers = [nn.Linear(10, 10)]
        layers.append(nn.___(dim=1))
        F.kl_div(nn.Sequential(*layers)(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential of a list that grows": twins(
        """
        layers = []
        layers += [nn.Linear(10, 10), nn.ReLU()]
        layers.extend([nn.Linear(10, 10), nn.___(dim=1)])
        F.kl_div(nn.Sequential(*layers)(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential of an OrderedDict": twins(
        """
        from collections import OrderedDict

        net = nn.Sequential(OrderedDict([("fc", nn.Linear(10, 10)), ("out", nn.___(dim=1))]))
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential of an OrderedDict by key": twins(
        """
        from collections import OrderedDict

        layers = OrderedDict()
        layers["fc"] = nn.Linear(10, 10)
        layers["out"] = nn.___(dim=1)
        F.kl_div(nn.Sequential(layers)(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential subclassed": twins(
        """
        class Net(nn.Sequential):
            def __init__(self):
                super().__init__(nn.Linear(10, 10), nn.___(dim=1))

        F.kl_div(Net()(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential indexed": twins(
        "net = nn.Sequential(nn.Softmax(dim=1), nn.LogSoftmax(dim=1))\nF.kl_div(net[___](x), p, reduction='sum')",
        "0",
        "-1",
    ),
    "nn.Sequential sliced": twins(
        """
        net = nn.Sequential(nn.Linear(10, 10), nn.___(dim=1), nn.Dropout())
        F.kl_div(net[:2](x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential nested": twins(
        """
        head = nn.Sequential(nn.Linear(10, 10), nn.___(dim=1))
        net = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), head)
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential with append": twins(
        """
        net = nn.Sequential(nn.Linear(10, 10))
        net.append(nn.___(dim=1))
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential with add_module": twins(
        """
        net = nn.Sequential()
        net.add_module("fc", nn.Linear(10, 10))
        net.add_module("out", nn.___(dim=1))
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.Sequential with identity and dropout at the end": pair(
        """
        net = nn.Sequential(nn.Linear(10, 10), nn.Dropout(0.1), nn.Identity())
        F.kl_div(net(x), p, reduction="sum")
        """,
        "KL102",
        """
        net = nn.Sequential(nn.Linear(10, 10), nn.LogSoftmax(dim=1), nn.Identity())
        F.kl_div(net(x), p, reduction="sum")
        """,
    ),
    "loop over nn.ModuleList": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleList([nn.Linear(10, 10), nn.___(dim=1)])

            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x

        F.kl_div(Net()(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "nn.ModuleDict of layers": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.heads = nn.ModuleDict({"out": nn.Sequential(nn.Linear(10, 10), nn.___(dim=1))})

            def forward(self, x):
                return self.heads["out"](x)

        F.kl_div(Net()(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    # Models
    "forward through __call__": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return F.___(self.fc(x), dim=1)

        net = Net()
        F.kl_div(net(x), p, reduction="sum")
        """
    ),
    "forward called by its name": twins(
        """
        class Net(nn.Module):
            def forward(self, x):
                return F.___(x, dim=1)

        F.kl_div(Net().forward(x), p, reduction="sum")
        """
    ),
    "forward that ends in a layer": pair(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return self.fc(x)

        F.kl_div(Net()(x), p, reduction="sum")
        """,
        "KL102",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return self.fc(x)

        F.kl_div(F.log_softmax(Net()(x), dim=1), p, reduction="sum")
        """,
    ),
    "forward of a submodule": twins(
        """
        class Head(nn.Module):
            def forward(self, x):
                return F.___(x, dim=1)

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.head = nn.Linear(10, 10), Head()

            def forward(self, x):
                return self.head(self.fc(x))

        F.kl_div(Net()(x), p, reduction="sum")
        """
    ),
    "forward that returns a tuple": twins(
        """
        class Net(nn.Module):
            def forward(self, x):
                return x, F.___(x, dim=1)

        scores, q = Net()(x)
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "forward that returns a dict": twins(
        """
        class Net(nn.Module):
            def forward(self, x):
                return dict(scores=x, out=F.___(x, dim=1))

        F.kl_div(Net()(x)["out"], p, reduction="sum")
        """
    ),
    "forward that computes the loss": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x, target=None):
                q = F.___(self.fc(x), dim=1)
                if target is not None:
                    return q, F.kl_div(q, target, reduction="sum")
                return q

        Net()(x, p)
        """
    ),
    "forward that differs outside training": pair(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                x = F.softmax(self.fc(x), dim=1)
                if not self.training:
                    x = x.detach()
                return x

        F.kl_div(Net()(x), p, reduction="sum")
        """,
        "KL101",
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                x = F.log_softmax(self.fc(x), dim=1)
                if not self.training:
                    x = x.exp()
                return x

        F.kl_div(Net()(x), p, reduction="sum")
        """,
    ),
    "model moved and put into a mode": twins(
        """
        class Net(nn.Module):
            def forward(self, x):
                return F.___(x, dim=1)

        net = Net().to("cpu").train()
        net = net.eval()
        F.kl_div(net(x), p, reduction="sum")
        """
    ),
    "model in half precision": twins(
        """
        net = nn.Sequential(nn.Linear(10, 10), nn.___(dim=1)).double()
        F.kl_div(net(x.double()), p.double(), reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "criterion moved to a device": reductions(
        "criterion = nn.KLDivLoss(reduction='___').to('cpu')\ncriterion(log_q, p)"
    ),
    "nn.DataParallel": twins(
        """
        net = nn.DataParallel(nn.Sequential(nn.Linear(10, 10), nn.___(dim=1)))
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "torch.compile of a model": twins(
        """
        net = torch.compile(nn.Sequential(nn.Linear(10, 10), nn.___(dim=1)), disable=True)
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "copy.deepcopy of a model": targets(
        """
        import copy

        student = nn.Sequential(nn.Linear(10, 10), nn.LogSoftmax(dim=1))
        teacher = copy.deepcopy(student)
        F.kl_div(student(x), teacher(x), reduction="sum", log_target=___)
        """
    ),
    "model returned by a factory": twins(
        """
        def build():
            net = nn.Sequential(nn.Linear(10, 10), nn.___(dim=1))
            return net

        net = build()
        F.kl_div(net(x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "model returned by a factory by its name": pair(
        """
        def build(name):
            if name == "probs":
                return nn.Sequential(nn.Linear(10, 10), nn.Softmax(dim=1))
            if name == "logs":
                return nn.Sequential(nn.Linear(10, 10), nn.LogSoftmax(dim=1))
            raise ValueError(name)

        F.kl_div(build("probs")(x), p, reduction="sum")
        """,
        "KL101",
        """
        def build(name):
            if name == "probs":
                return nn.Sequential(nn.Linear(10, 10), nn.Softmax(dim=1))
            if name == "logs":
                return nn.Sequential(nn.Linear(10, 10), nn.LogSoftmax(dim=1))
            raise ValueError(name)

        F.kl_div(build("logs")(x), p, reduction="sum")
        """,
    ),
    "criterion returned by a factory": reductions(
        """
        def make_criterion(name="kl"):
            losses = {"kl": nn.KLDivLoss(reduction="___"), "ce": nn.CrossEntropyLoss()}
            return losses[name]

        make_criterion()(log_q, p)
        """
    ),
    "criterion and model returned together": reductions(
        """
        def setup():
            return nn.Linear(10, 10), nn.KLDivLoss(reduction="___")

        net, criterion = setup()
        criterion(F.log_softmax(net(x), dim=1), p)
        """
    ),
    "criterion passed into the training loop": reductions(
        """
        def train_loop(model, criterion, loader):
            for batch, target in loader:
                loss = criterion(F.log_softmax(model(batch), dim=1), target)
                loss.backward()

        def main():
            train_loop(nn.Linear(10, 10), nn.KLDivLoss(reduction="___"), [(x, p)])

        main()
        """
    ),
    "model passed into the training loop": twins(
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return F.___(self.fc(x), dim=1)

        def train_loop(model, criterion, loader, optimizer):
            model.train()
            for batch, target in loader:
                optimizer.zero_grad()
                out = model(batch)
                loss = criterion(out, target)
                loss.backward()
                optimizer.step()

        net = Net()
        train_loop(net, nn.KLDivLoss(reduction="sum"), [(x, p)], torch.optim.SGD(net.parameters(), lr=0.1))
        """
    ),
    "model and criterion kept by a trainer": twins(
        """
        class Trainer:
            def __init__(self, model, criterion):
                self.model, self.criterion = model, criterion

            def step(self, x, target):
                return self.criterion(self.model(x), target)

        Trainer(nn.Sequential(nn.Linear(10, 10), nn.___(dim=1)), nn.KLDivLoss(reduction="sum")).step(x, p)
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "outputs.logits of an unknown model": pair(
        """
        def entry(model, x, y):
            outputs = model(x)
            return F.kl_div(outputs.logits, F.softmax(y, dim=1), reduction="sum")
        """,
        "KL102",
        """
        def entry(model, x, y):
            outputs = model(x)
            return F.kl_div(F.log_softmax(outputs.logits, dim=1), F.softmax(y, dim=1), reduction="sum")
        """,
    ),
}
