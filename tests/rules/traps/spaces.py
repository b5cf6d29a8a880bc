"""Traps of what tensors hold: logs of probabilities, models that normalise, branches, idioms, built distributions."""

from __future__ import annotations

LOG_OF_SOFTMAX = {
    "softmax then log in the argument": """
        def kd_loss(x, y):
            return F.kl_div(F.softmax(x, dim=1).log(), F.softmax(y, dim=1), reduction="batchmean")

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "torch.log around softmax in the argument": """
        x, p = torch.randn(8, 10), torch.randn(8, 10).softmax(dim=-1)
        loss = F.kl_div(torch.log(torch.softmax(x, dim=-1)), p, reduction="sum")
        """,
    "module softmax then log": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.softmax = nn.Softmax(dim=1)
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, student, teacher):
                return self.criterion(self.softmax(student).log(), self.softmax(teacher))

        loss = Distill()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "aliases and two statements": """
        from torch import log, softmax
        from torch.nn.functional import kl_div as divergence

        def distill(student, teacher):
            q = softmax(student, dim=-1)
            q = log(q)
            return divergence(q, softmax(teacher, dim=-1), reduction="batchmean")

        loss = distill(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "softmax plus epsilon then log": """
        def kd_loss(x, y):
            q = F.softmax(x, dim=1)
            return F.kl_div((q + 1e-10).log(), F.softmax(y, dim=1), reduction="batchmean")

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10))
        """,
}
"""Log-probabilities all the same: KL110 and nothing else."""

MIXTURES = {
    "clamped mean of three distributions": """
        def jsd(clean, aug1, aug2):
            p_clean, p_aug1, p_aug2 = F.softmax(clean, dim=1), F.softmax(aug1, dim=1), F.softmax(aug2, dim=1)
            p_mixture = torch.clamp((p_clean + p_aug1 + p_aug2) / 3.0, 1e-7, 1).log()
            return (
                F.kl_div(p_mixture, p_clean, reduction="batchmean")
                + F.kl_div(p_mixture, p_aug1, reduction="batchmean")
                + F.kl_div(p_mixture, p_aug2, reduction="batchmean")
            ) / 3.0

        net = nn.Linear(5, 10)
        loss = jsd(*torch.split(net(torch.randn(24, 5)), 8))
        """,
    "half of a sum": """
        class JSD(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x, y):
                p, q = x.softmax(-1), y.softmax(-1)
                m = (0.5 * (p + q)).log()
                return 0.5 * (self.kl(m, p) + self.kl(m, q))

        loss = JSD()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "mean of a stack": """
        from torch.nn.functional import kl_div as divergence

        def ensemble_loss(heads, x):
            probs = torch.stack([F.softmax(head(x), dim=1) for head in heads])
            log_mean = torch.log(torch.mean(probs, dim=0))
            return sum(divergence(log_mean, p, reduction="batchmean") for p in probs)

        heads = nn.ModuleList(nn.Linear(5, 10) for _ in range(3))
        loss = ensemble_loss(heads, torch.randn(8, 5))
        """,
    "mean over samples of one softmax": """
        def mc_dropout_loss(net, x, target, samples=4):
            logits = torch.stack([net(x) for _ in range(samples)])
            mean = F.softmax(logits, dim=-1).mean(dim=0).clamp(min=1e-8)
            return F.kl_div(mean.log(), target, reduction="batchmean")

        net = nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.1))
        loss = mc_dropout_loss(net, torch.randn(8, 5), torch.randn(8, 10).softmax(-1))
        """,
    "weighted mixture with a prior": """
        def smoothed(x, target, alpha=0.1):
            prior = torch.full((10,), 0.1)
            mixture = (1 - alpha) * F.softmax(x, dim=1) + alpha * prior
            return F.kl_div(mixture.log(), target, reduction="batchmean")

        loss = smoothed(torch.randn(8, 10), torch.randn(8, 10).softmax(1))
        """,
    "copy mechanism of a pointer network": """
        def pointer_loss(vocab_scores, copy_scores, gate, target):
            gate = torch.sigmoid(gate)
            dist = gate * F.softmax(vocab_scores, dim=-1) + (1 - gate) * F.softmax(copy_scores, dim=-1)
            return F.nll_loss(torch.log(dist + 1e-12), target)

        loss = pointer_loss(torch.randn(8, 10), torch.randn(8, 10), torch.randn(8, 1), torch.randint(0, 10, (8,)))
        """,
    "logsumexp of averaged log-probabilities": """
        def ensemble(a, b, target):
            stacked = torch.stack([F.log_softmax(a, dim=1), F.log_softmax(b, dim=1)])
            log_mean = torch.logsumexp(stacked, dim=0) - math.log(2)
            return F.kl_div(log_mean, target, reduction="batchmean")

        loss = ensemble(torch.randn(8, 10), torch.randn(8, 10), torch.randn(8, 10).softmax(1))
        """,
}

NORMALISING_MODELS = {
    "forward that ends in log_softmax": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1, self.fc2 = nn.Linear(5, 20), nn.Linear(20, 10)

            def forward(self, x):
                x = F.relu(self.fc1(x))
                return F.log_softmax(self.fc2(x), dim=1)

        model = Net()
        output = model(torch.randn(8, 5))
        loss = F.nll_loss(output, torch.randint(0, 10, (8,)))
        loss = loss + F.kl_div(output, torch.randn(8, 10).softmax(1), reduction="batchmean")
        """,
    "variable called logits from a forward that ends in log_softmax": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)
                self.out = nn.LogSoftmax(dim=1)

            def forward(self, x):
                return self.out(self.fc(x))

        model, criterion = Net(), nn.KLDivLoss(reduction="batchmean")
        logits = model(torch.randn(8, 5))
        loss = criterion(logits, torch.randn(8, 10).softmax(1))
        """,
    "Sequential that ends in LogSoftmax": """
        model = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 10), nn.LogSoftmax(dim=-1))
        criterion = nn.NLLLoss()
        x, labels = torch.randn(8, 5), torch.randint(0, 10, (8,))
        loss = criterion(model(x), labels)
        loss += nn.KLDivLoss(reduction="batchmean")(model(x), torch.randn(8, 10).softmax(-1))
        """,
    "teacher that ends in softmax": """
        class Teacher(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(5, 10), nn.Softmax(dim=1))

            def forward(self, x):
                return self.body(x)

        student, teacher = nn.Linear(5, 10), Teacher().eval()
        x = torch.randn(8, 5)
        with torch.no_grad():
            teacher_logits = teacher(x)
        loss = F.kl_div(F.log_softmax(student(x), dim=1), teacher_logits, reduction="batchmean")
        """,
    "forward inherited from a base that normalises": """
        class Base(nn.Module):
            def forward(self, x):
                return F.log_softmax(self.head(x), dim=1)

        class Small(Base):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(5, 10)

        class Trainer:
            def __init__(self, model):
                self.model = model
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def step(self, x, target):
                return self.criterion(self.model(x), target)

        loss = Trainer(Small()).step(torch.randn(8, 5), torch.randn(8, 10).softmax(1))
        """,
    "last layer added by name": """
        model = nn.Sequential()
        model.add_module("fc", nn.Linear(5, 10))
        model.add_module("out", nn.LogSoftmax(dim=1))
        logits = model(torch.randn(8, 5))
        loss = F.nll_loss(logits, torch.randint(0, 10, (8,)))
        """,
    "model passed into the training function": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return self.fc(x).log_softmax(dim=-1)

        def train(model, criterion, batches):
            for x, target in batches:
                logits = model(x)
                loss = criterion(logits, target)
            return loss

        loss = train(Net(), nn.KLDivLoss(reduction="batchmean"), [(torch.randn(8, 5), torch.randn(8, 10).softmax(1))])
        """,
}

IMPORTED_MODELS = {
    "model of another file": """
        import torch.nn as nn
        import torch.nn.functional as F
        from models import Net, Teacher

        model, teacher = Net(), Teacher()
        criterion, nll, ce, bce = nn.KLDivLoss(reduction="batchmean"), nn.NLLLoss(), nn.CrossEntropyLoss(), nn.BCELoss()

        def step(x, y):
            output, target = model(x), teacher(x)
            return criterion(output, target) + nll(output, y) + ce(output, y) + bce(output, target)
        """,
    "model given as a parameter": """
        import torch.nn.functional as F

        def step(model, teacher, x, y):
            out = model(x)
            return F.kl_div(out, teacher(x), reduction="batchmean") + F.nll_loss(out, y)
        """,
    "method of a model of another file": """
        import torch.nn.functional as F
        from models import build

        class Trainer:
            def __init__(self, config):
                self.model = build(config)

            def step(self, x, target):
                output = self.model.predict_log_proba(x)
                return F.kl_div(output, target, reduction="batchmean")
        """,
    "layer of another library at the end of a Sequential": """
        import torch.nn as nn
        from layers import Normalise

        model = nn.Sequential(nn.Linear(5, 10), Normalise(dim=1))
        criterion = nn.KLDivLoss(reduction="batchmean")

        def step(x, target):
            return criterion(model(x), target)
        """,
    "forward that the base of another file overrides": """
        import torch.nn as nn
        import torch.nn.functional as F
        from models import Normalised

        class Net(Normalised):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def step(self, x, target):
                return F.kl_div(self(x), target, reduction="batchmean")
        """,
}
"""Nothing is known of what these models give."""

CONDITIONAL_SOFTMAX = {
    "softmax unless training": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                x = self.fc(x)
                if not self.training:
                    x = F.softmax(x, dim=1)
                return x

        model, criterion = Net(), nn.CrossEntropyLoss()
        model.train()
        loss = criterion(model(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
    "early return while training": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                out = self.fc(x)
                if self.training:
                    return out
                return torch.softmax(out, dim=-1)

        def train(model, x, y):
            return F.cross_entropy(model(x), y)

        loss = train(Net(), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "conditional expression on training": """
        class Detector(nn.Module):
            def __init__(self):
                super().__init__()
                self.score = nn.Linear(5, 1)

            def forward(self, x):
                out = self.score(x)
                return out if self.training else out.sigmoid()

        model, criterion = Detector(), nn.BCEWithLogitsLoss()
        loss = criterion(model(torch.randn(8, 5)), torch.rand(8, 1))
        """,
    "softmax by a flag that is off by default": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x, normalise=False):
                x = self.fc(x)
                return F.softmax(x, dim=1) if normalise else x

        model = Net()
        loss = F.cross_entropy(model(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
    "softmax in predict": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return self.fc(x)

            @torch.no_grad()
            def predict(self, x):
                return F.softmax(self(x), dim=1)

            def loss(self, x, y):
                return F.cross_entropy(self(x), y)

        model = Net()
        loss = model.loss(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        predicted = model.predict(torch.randn(8, 5))
        """,
    "predict gives the target of a distillation": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return F.log_softmax(self.fc(x), dim=1)

            def predict(self, x):
                return self(x).exp()

        student, teacher, criterion = Net(), Net(), nn.KLDivLoss(reduction="batchmean")
        x = torch.randn(8, 5)
        loss = criterion(student(x), teacher.predict(x).detach())
        """,
    "softmax for the metrics": """
        def step(net, x, y):
            out = net(x)
            probs = F.softmax(out, dim=1)
            confidence, predicted = probs.max(dim=1)
            accuracy = (predicted == y).float().mean()
            print(f"accuracy {accuracy:.3f} confidence {confidence.mean():.3f}")
            return F.cross_entropy(out, y)

        loss = step(nn.Linear(5, 10), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "softmax for the argmax": """
        class Trainer:
            def __init__(self):
                self.net = nn.Linear(5, 10)
                self.criterion = nn.CrossEntropyLoss()

            def step(self, x, y):
                out = self.net(x)
                hits = torch.softmax(out, 1).argmax(1).eq(y).sum().item()
                return self.criterion(out, y), hits

        loss, hits = Trainer().step(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "pseudo-labels from a softmax": """
        def fixmatch(weak, strong, threshold=0.1):
            probs = torch.softmax(weak.detach(), dim=-1)
            score, label = torch.max(probs, dim=-1)
            mask = score.ge(threshold).float()
            return (F.cross_entropy(strong, label, reduction="none") * mask).mean()

        loss = fixmatch(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "forward that returns logits and probabilities": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                logits = self.fc(x)
                return logits, F.softmax(logits, dim=1)

        model, criterion = Net(), nn.CrossEntropyLoss()
        logits, probs = model(torch.randn(8, 5))
        loss = criterion(logits, torch.randint(0, 10, (8,)))
        """,
    "first of logits and probabilities by index": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                out = self.fc(x)
                return out, out.softmax(dim=-1)

        student, teacher = Net(), Net()
        x = torch.randn(8, 5)
        loss = F.kl_div(F.log_softmax(student(x)[0], dim=-1), teacher(x)[1].detach(), reduction="batchmean")
        """,
    "probabilities and logits in a dict": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 1)

            def forward(self, x):
                out = self.fc(x).squeeze(1)
                return {"prob": torch.sigmoid(out), "score": out}

        out = Net()(torch.randn(8, 5))
        labels = torch.rand(8)
        loss = F.binary_cross_entropy_with_logits(out["score"], labels) + F.binary_cross_entropy(out["prob"], labels)
        """,
    "first layer of a Sequential that ends in Sigmoid": """
        net = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())
        x, labels = torch.randn(8, 5), torch.rand(8, 1)
        loss = F.binary_cross_entropy_with_logits(net[0](x), labels)
        """,
    "all but the last layer of a Sequential that ends in Softmax": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 10), nn.Softmax(dim=1))
                self.criterion = nn.CrossEntropyLoss()

            def forward(self, x, y):
                return self.criterion(self.net[:-1](x), y)

        loss = Distill()(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "Sigmoid inside a Sequential": """
        net = nn.Sequential(nn.Linear(5, 20), nn.Sigmoid(), nn.Linear(20, 10))
        loss = nn.CrossEntropyLoss()(net(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
    "attention weights inside the model": """
        class Attention(nn.Module):
            def __init__(self):
                super().__init__()
                self.query, self.key, self.out = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 10)

            def forward(self, x):
                weights = F.softmax(self.query(x) @ self.key(x).transpose(0, 1), dim=-1)
                return self.out(weights @ x)

        loss = F.cross_entropy(Attention()(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
}

TIED_BRANCHES = {
    "log_target by a parameter": """
        def kd_loss(student, teacher, log_target=False):
            if log_target:
                t = F.log_softmax(teacher, dim=-1)
            else:
                t = F.softmax(teacher, dim=-1)
            return F.kl_div(F.log_softmax(student, dim=-1), t, reduction="batchmean", log_target=log_target)

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = kd_loss(x, y) + kd_loss(x, y, log_target=True)
        """,
    "log_target by an attribute": """
        class Distill(nn.Module):
            def __init__(self, log_target=True):
                super().__init__()
                self.log_target = log_target
                self.criterion = nn.KLDivLoss(reduction="batchmean", log_target=log_target)

            def forward(self, student, teacher):
                if self.log_target:
                    target = F.log_softmax(teacher, dim=1)
                else:
                    target = F.softmax(teacher, dim=1)
                return self.criterion(F.log_softmax(student, dim=1), target)

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = Distill()(x, y) + Distill(False)(x, y)
        """,
    "conditional expression": """
        def kd_loss(student, teacher, log_target):
            target = teacher.log_softmax(-1) if log_target else teacher.softmax(-1)
            return F.kl_div(student.log_softmax(-1), target, reduction="batchmean", log_target=log_target)

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10), True)
        """,
    "negated condition": """
        def kd_loss(student, teacher, log_target):
            if not log_target:
                teacher = F.softmax(teacher, dim=-1)
            else:
                teacher = F.log_softmax(teacher, dim=-1)
            return F.kl_div(F.log_softmax(student, dim=-1), teacher, reduction="batchmean", log_target=log_target)

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10), False)
        """,
    "the function is chosen": """
        def kd_loss(student, teacher, log_target):
            normalise = F.log_softmax if log_target else F.softmax
            log_q, target = F.log_softmax(student, dim=1), normalise(teacher, dim=1)
            return F.kl_div(log_q, target, reduction="batchmean", log_target=log_target)

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10), True)
        """,
    "early return of each form": """
        def kd_loss(student, teacher, log_target):
            log_q = F.log_softmax(student, dim=1)
            if log_target:
                return F.kl_div(log_q, F.log_softmax(teacher, dim=1), reduction="batchmean", log_target=True)
            return F.kl_div(log_q, F.softmax(teacher, dim=1), reduction="batchmean")

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10), True)
        """,
    "flag made of a mode": """
        class Distill(nn.Module):
            def __init__(self, mode):
                super().__init__()
                self.mode = mode

            def forward(self, student, teacher):
                in_log = self.mode == "log"
                target = F.log_softmax(teacher, dim=1) if in_log else F.softmax(teacher, dim=1)
                return F.kl_div(F.log_softmax(student, dim=1), target, reduction="batchmean", log_target=in_log)

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = Distill("log")(x, y) + Distill("plain")(x, y)
        """,
    "the same comparison twice": """
        def kd_loss(student, teacher, mode):
            if mode == "log":
                target = F.log_softmax(teacher, dim=1)
            else:
                target = F.softmax(teacher, dim=1)
            return F.kl_div(F.log_softmax(student, dim=1), target, reduction="batchmean", log_target=mode == "log")

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10), "log")
        """,
    "the criterion goes with the normalisation": """
        def build(name):
            if name == "nll":
                return nn.Sequential(nn.Linear(5, 10), nn.LogSoftmax(dim=1)), nn.NLLLoss()
            return nn.Linear(5, 10), nn.CrossEntropyLoss()

        model, criterion = build("nll")
        loss = criterion(model(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
    "rank and reduction go together": """
        def divergence(x, y):
            log_q, p = F.log_softmax(x, dim=-1), F.softmax(y, dim=-1)
            reduction = "sum" if x.dim() == 1 else "batchmean"
            return F.kl_div(log_q, p, reduction=reduction)

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10)) + divergence(torch.randn(10), torch.randn(10))
        """,
    "probabilities are turned into logs where they come": """
        def divergence(output, target, from_logits):
            if from_logits:
                output = F.log_softmax(output, dim=-1)
            else:
                output = output.clamp_min(1e-8).log()
            return F.kl_div(output, target, reduction="batchmean")

        target = torch.randn(8, 10).softmax(-1)
        loss = divergence(torch.randn(8, 10), target, True)
        """,
}

CROSS_ENTROPY_OF_LOGS = {
    "log_softmax before cross_entropy": """
        def step(net, x, y):
            out = F.log_softmax(net(x), dim=1)
            return F.cross_entropy(out, y)

        loss = step(nn.Linear(5, 10), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "model that ends in LogSoftmax": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.Linear(5, 10), nn.LogSoftmax(dim=1))

            def forward(self, x):
                return self.layers(x)

        model, criterion = Net(), nn.CrossEntropyLoss()
        loss = criterion(model(torch.randn(8, 5)), torch.randint(0, 10, (8,)))
        """,
    "log_softmax and soft targets": """
        from torch.nn.functional import cross_entropy as ce

        log_probs = torch.log_softmax(torch.randn(8, 10), dim=-1)
        loss = ce(log_probs, torch.softmax(torch.randn(8, 10), dim=-1))
        """,
}
"""At most the opt-in KL902."""

SOFT_TARGETS = {
    "softmax of a teacher": """
        def distill(student, teacher, x):
            with torch.no_grad():
                soft = F.softmax(teacher(x), dim=1)
            return F.cross_entropy(student(x), soft)

        loss = distill(nn.Linear(5, 10), nn.Linear(5, 10), torch.randn(8, 5))
        """,
    "mixup of one-hot labels": """
        class Mixup(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Linear(5, 10)
                self.criterion = nn.CrossEntropyLoss()

            def forward(self, x, labels, lam=0.3):
                hot = F.one_hot(labels, 10).float()
                order = torch.randperm(len(x))
                mixed = lam * hot + (1 - lam) * hot[order]
                return self.criterion(self.net(lam * x + (1 - lam) * x[order]), mixed)

        loss = Mixup()(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "label smoothing of the loss's own": """
        criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        loss = criterion(nn.Linear(5, 10)(torch.randn(8, 5)), torch.softmax(torch.randn(8, 10), dim=1))
        """,
}

FOCAL = {
    "one plus nll_loss of probabilities": """
        def focal_loss(x, target, gamma=2.0):
            weight = (1 + F.nll_loss(F.softmax(x, dim=1), target, reduction="none")) ** gamma
            return (weight * F.cross_entropy(x, target, reduction="none")).mean()

        loss = focal_loss(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "nll_loss of probabilities plus one": """
        def focal_loss(x, target, gamma=2.0):
            probs = x.softmax(dim=1)
            miss = F.nll_loss(probs, target, reduction="none") + 1.0
            return (miss.pow(gamma) * F.nll_loss(x.log_softmax(dim=1), target, reduction="none")).mean()

        loss = focal_loss(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "module form of one plus nll_loss": """
        class FocalLoss(nn.Module):
            def __init__(self, gamma=2.0):
                super().__init__()
                self.gamma = gamma
                self.nll = nn.NLLLoss(reduction="none")

            def forward(self, x, target):
                prob = torch.softmax(x, dim=1)
                weight = torch.pow(1 + self.nll(prob, target), self.gamma)
                return (weight * self.nll(torch.log_softmax(x, dim=1), target)).mean()

        loss = FocalLoss()(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "exp of minus cross_entropy": """
        class FocalLoss(nn.Module):
            def __init__(self, gamma=2.0, alpha=0.25):
                super().__init__()
                self.gamma, self.alpha = gamma, alpha

            def forward(self, inputs, targets):
                ce = F.cross_entropy(inputs, targets, reduction="none")
                pt = torch.exp(-ce)
                return (self.alpha * (1 - pt) ** self.gamma * ce).mean()

        loss = FocalLoss()(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "exp of minus binary cross entropy": """
        def sigmoid_focal_loss(inputs, targets, gamma=2.0):
            bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
            pt = (-bce).exp()
            return ((1 - pt) ** gamma * bce).mean()

        loss = sigmoid_focal_loss(torch.randn(8, 10), torch.rand(8, 10).round())
        """,
    "perplexity": """
        def evaluate(net, x, y):
            with torch.no_grad():
                loss = F.cross_entropy(net(x), y)
            return loss, math.exp(loss.item()), torch.exp(loss)

        loss, perplexity, _ = evaluate(nn.Linear(5, 10), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "sigmoid of the pair difference": """
        def dpo_loss(chosen, rejected, labels):
            log_chosen = -F.cross_entropy(chosen, labels, reduction="none")
            log_rejected = -F.cross_entropy(rejected, labels, reduction="none")
            return -F.logsigmoid(log_chosen - log_rejected).mean()

        loss = dpo_loss(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
}

BUILT_DISTRIBUTIONS = {
    "fill_ and scatter_ on a clone of the log-probabilities": """
        class LabelSmoothing(nn.Module):
            def __init__(self, size, padding_idx, smoothing=0.1):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="sum")
                self.size, self.padding_idx, self.smoothing = size, padding_idx, smoothing
                self.confidence = 1.0 - smoothing

            def forward(self, x, target):
                true_dist = x.data.clone()
                true_dist.fill_(self.smoothing / (self.size - 2))
                true_dist.scatter_(1, target.data.unsqueeze(1), self.confidence)
                true_dist[:, self.padding_idx] = 0
                mask = torch.nonzero(target.data == self.padding_idx)
                if mask.dim() > 0:
                    true_dist.index_fill_(0, mask.squeeze(), 0.0)
                return self.criterion(x, true_dist.clone().detach())

        loss = LabelSmoothing(10, 0)(F.log_softmax(torch.randn(8, 10), dim=-1), torch.randint(0, 10, (8,))) / 8
        """,
    "full_like and scatter_": """
        def smooth_kl(x, labels, eps=0.1):
            log_q = F.log_softmax(x, dim=1)
            target = torch.full_like(log_q, eps / (log_q.size(1) - 1))
            target.scatter_(1, labels.unsqueeze(1), 1 - eps)
            return F.kl_div(log_q, target, reduction="batchmean")

        loss = smooth_kl(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "zeros_like then fill_ and scatter_": """
        class SmoothCE(nn.Module):
            def __init__(self, classes, smoothing):
                super().__init__()
                self.classes, self.smoothing = classes, smoothing

            def forward(self, pred, target):
                pred = pred.log_softmax(dim=-1)
                with torch.no_grad():
                    true_dist = torch.zeros_like(pred)
                    true_dist.fill_(self.smoothing / (self.classes - 1))
                    true_dist.scatter_(1, target.unsqueeze(1), 1.0 - self.smoothing)
                return F.kl_div(pred, true_dist, reduction="batchmean")

        loss = SmoothCE(10, 0.1)(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "empty_like filled from a clone": """
        from torch.nn.functional import kl_div as divergence, log_softmax

        def smooth(scores, labels, eps=0.2):
            scores = log_softmax(scores, dim=-1)
            soft = torch.empty_like(scores).fill_(eps / (scores.shape[-1] - 1))
            soft = soft.scatter(-1, labels[:, None], 1 - eps)
            return divergence(scores, soft, reduction="sum") / len(scores)

        loss = smooth(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "zeros with a scattered one": """
        labels = torch.randint(0, 10, (8,))
        target = torch.zeros(8, 10).scatter_(1, labels.view(-1, 1), 1.0)
        log_q = F.log_softmax(torch.randn(8, 10), dim=1)
        loss = F.kl_div(log_q, target, reduction="batchmean") + F.cross_entropy(log_q, target)
        """,
    "zeros filled by index": """
        def hard(x, labels):
            target = torch.zeros_like(x)
            target[torch.arange(len(x)), labels] = 1.0
            return F.kl_div(x.log_softmax(1), target, reduction="batchmean")

        loss = hard(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "literal zeros in the target": """
        target = torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
        loss = F.kl_div(F.log_softmax(torch.randn(2, 3), dim=1), target, reduction="batchmean")
        """,
    "renormalised top-k": """
        def topk_kd(student, teacher, k=5):
            values, indices = F.softmax(teacher, dim=-1).topk(k, dim=-1)
            values = values / values.sum(dim=-1, keepdim=True)
            target = torch.zeros_like(teacher).scatter_(-1, indices, values)
            return F.kl_div(F.log_softmax(student, dim=-1), target, reduction="batchmean")

        loss = topk_kd(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "softmax of the top-k scores": """
        def topk_kd(student, teacher, k=5):
            scores, indices = teacher.topk(k, dim=-1)
            target = F.softmax(scores, dim=-1)
            log_q = F.log_softmax(student.gather(-1, indices), dim=-1)
            return F.kl_div(log_q, target, reduction="batchmean")

        loss = topk_kd(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "scores masked to the top k": """
        def topk_kd(student, teacher, k=5):
            kth = teacher.topk(k, dim=-1).values[:, -1:]
            target = F.softmax(teacher.masked_fill(teacher < kth, float("-inf")), dim=-1)
            return F.kl_div(F.log_softmax(student, dim=-1), target, reduction="batchmean")

        loss = topk_kd(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "one_hot as float": """
        class Hard(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction="batchmean")
                self.ce = nn.CrossEntropyLoss()

            def forward(self, x, labels):
                hot = F.one_hot(labels, num_classes=10).float()
                return self.kl(F.log_softmax(x, dim=1), hot) + self.ce(x, hot)

        loss = Hard()(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "one_hot to a floating type": """
        x, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
        log_q = F.log_softmax(x, dim=1)
        hot = F.one_hot(labels, 10)
        floats = (hot.to(x.dtype), hot.type_as(x), hot.to(torch.float32), hot.double())
        loss = sum(F.kl_div(log_q, target, reduction="batchmean") for target in floats)
        """,
    "one_hot times a float": """
        def smooth(x, labels, eps=0.1):
            target = F.one_hot(labels, 10) * (1 - eps) + eps / 10
            return F.kl_div(F.log_softmax(x, dim=1), target, reduction="batchmean") + F.cross_entropy(x, target)

        loss = smooth(torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "rows of the identity": """
        x, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
        loss = F.kl_div(F.log_softmax(x, dim=1), torch.eye(10)[labels], reduction="batchmean")
        """,
    "sharpened and renormalised": """
        def sharpen(p, temperature=0.5):
            p = p ** (1 / temperature)
            return p / p.sum(dim=1, keepdim=True)

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = F.kl_div(F.log_softmax(x, dim=1), sharpen(F.softmax(y, dim=1)).detach(), reduction="batchmean")
        """,
    "uniform by ones": """
        def confidence_penalty(x):
            uniform = torch.ones_like(x) / x.size(1)
            return F.kl_div(F.log_softmax(x, dim=1), uniform, reduction="batchmean")

        loss = confidence_penalty(torch.randn(8, 10))
        """,
}
