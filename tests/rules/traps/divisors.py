"""Traps of divisors, directions, dims, gradients and temperatures."""

from __future__ import annotations

RIGHT_DIVISORS = {
    "elementwise sum over the batch size": """
        def divergence(x, y):
            B = x.shape[0]
            kl = F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="none")
            return kl.sum() / B

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "sum over size(0)": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="sum")

            def forward(self, x, y):
                return self.criterion(F.log_softmax(x, dim=1), F.softmax(y, dim=1)) / x.size(0)

        loss = Distill()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "sum over len": """
        from torch.nn.functional import kl_div as divergence

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = divergence(x.log_softmax(1), y.softmax(1), reduction="sum") / len(x)
        """,
    "sum over a mask": """
        def token_kl(x, y, mask):
            kl = F.kl_div(F.log_softmax(x, dim=-1), F.softmax(y, dim=-1), reduction="none").sum(dim=-1)
            return (kl * mask).sum() / mask.sum()

        loss = token_kl(torch.randn(4, 6, 10), torch.randn(4, 6, 10), torch.ones(4, 6))
        """,
    "sum over a mask that is expanded": """
        def token_kl(x, y, mask):
            kl = F.kl_div(F.log_softmax(x, dim=-1), F.softmax(y, dim=-1), reduction="none")
            return (kl * mask.unsqueeze(-1)).sum() / mask.sum()

        loss = token_kl(torch.randn(4, 6, 10), torch.randn(4, 6, 10), torch.ones(4, 6))
        """,
    "sum over the token count": """
        def token_kl(x, y, labels):
            keep = labels != -100
            n_tokens = keep.sum()
            log_q, p = F.log_softmax(x, dim=-1)[keep], F.softmax(y, dim=-1)[keep]
            return F.kl_div(log_q, p, reduction="sum") / n_tokens

        loss = token_kl(torch.randn(4, 6, 10), torch.randn(4, 6, 10), torch.randint(0, 10, (4, 6)))
        """,
    "token count given by the caller": """
        class Compute:
            def __init__(self):
                self.criterion = nn.KLDivLoss(reduction="sum")

            def __call__(self, x, target, norm):
                return self.criterion(F.log_softmax(x, dim=-1), target) / norm

        loss = Compute()(torch.randn(8, 10), torch.randn(8, 10).softmax(-1), 8)
        """,
    "mean times the class count": """
        def divergence(x, y):
            kl = F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="mean")
            return kl * x.size(1)

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "default mean times a named class count": """
        class Distill(nn.Module):
            def __init__(self, num_classes):
                super().__init__()
                self.num_classes = num_classes
                self.criterion = nn.KLDivLoss()

            def forward(self, x, y):
                return self.criterion(F.log_softmax(x, dim=1), F.softmax(y, dim=1)) * self.num_classes

        loss = Distill(10)(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "class count times the mean with a temperature": """
        def kd(student, teacher, T=4.0):
            C = student.shape[1]
            log_q, p = F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1)
            return T * T * C * F.kl_div(log_q, p)

        loss = kd(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "sum(1).mean()": """
        def divergence(x, y):
            return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="none").sum(1).mean()

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "sum over the classes then the mean over positions": """
        criterion = nn.KLDivLoss(reduction="none")
        x, y = torch.randn(4, 6, 10), torch.randn(4, 6, 10)
        pointwise = criterion(x.log_softmax(-1), y.softmax(-1))
        loss = torch.mean(torch.sum(pointwise, dim=-1))
        """,
    "mean(0).sum()": """
        def divergence(x, y):
            kl = F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="none")
            return kl.mean(0).sum()

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "mean over batch and positions then sum": """
        x, y = torch.randn(4, 6, 10), torch.randn(4, 6, 10)
        kl = F.kl_div(F.log_softmax(x, dim=-1), F.softmax(y, dim=-1), reduction="none")
        loss = kl.mean(dim=(0, 1)).sum()
        """,
    "gradient accumulation": """
        def train(net, teacher, batches, accum_steps=4):
            criterion = nn.KLDivLoss(reduction="batchmean")
            for x in batches:
                loss = criterion(F.log_softmax(net(x), dim=1), F.softmax(teacher(x).detach(), dim=1))
                loss = loss / accum_steps
                loss.backward()
            return loss

        loss = train(nn.Linear(5, 10), nn.Linear(5, 10), [torch.randn(8, 5)] * 4)
        """,
    "gradient accumulation by an attribute": """
        class Trainer:
            def __init__(self, gradient_accumulation_steps=2):
                self.steps = gradient_accumulation_steps
                self.net = nn.Linear(5, 10)

            def step(self, x, y):
                loss = F.cross_entropy(self.net(x), y)
                if self.steps > 1:
                    loss /= self.steps
                return loss

        loss = Trainer().step(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "mean over the terms of several layers": """
        def layers_kl(students, teachers):
            losses = []
            for s, t in zip(students, teachers):
                losses.append(F.kl_div(s.log_softmax(1), t.softmax(1), reduction="batchmean"))
            return sum(losses) / len(losses)

        loss = layers_kl([torch.randn(8, 10)] * 3, [torch.randn(8, 10)] * 3)
        """,
    "flattened rows": """
        x, y = torch.randn(4, 6, 10), torch.randn(4, 6, 10)
        log_q, p = x.view(-1, 10).log_softmax(-1), y.view(-1, 10).softmax(-1)
        loss = F.kl_div(log_q, p, reduction="batchmean")
        """,
    "equal to cross entropy minus entropy": """
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        p = F.softmax(y, dim=1)
        kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="sum") / x.size(0)
        entropy = -(p * F.log_softmax(y, dim=1)).sum(1).mean()
        loss = F.cross_entropy(x, p) - entropy
        print(kl.item(), loss.item())
        torch.testing.assert_close(kl, loss)
        """,
}

DIRECTIONS = {
    "reverse KL": """
        def reverse_kl(student, teacher):
            log_q, log_p = F.log_softmax(student, dim=-1), F.log_softmax(teacher, dim=-1)
            return F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)

        loss = reverse_kl(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "reverse KL of a module": """
        class ReverseKL(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, student_logits, teacher_logits):
                return self.criterion(F.log_softmax(teacher_logits, dim=1), F.softmax(student_logits, dim=1))

        loss = ReverseKL()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "symmetric KL": """
        def symmetric_kl(x, y):
            log_p, log_q = F.log_softmax(x, dim=1), F.log_softmax(y, dim=1)
            forward = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
            backward = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
            return (forward + backward) / 2

        loss = symmetric_kl(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "generalised JSD": """
        def generalized_jsd(student, teacher, beta=0.5):
            log_s, log_t = F.log_softmax(student, dim=-1), F.log_softmax(teacher, dim=-1)
            if beta == 0:
                jsd = F.kl_div(log_s, log_t, reduction="none", log_target=True)
            elif beta == 1:
                jsd = F.kl_div(log_t, log_s, reduction="none", log_target=True)
            else:
                beta = torch.tensor(beta)
                mixture = torch.stack([log_s + torch.log1p(-beta), log_t + torch.log(beta)])
                mixture = torch.logsumexp(mixture, dim=0)
                kl_t = F.kl_div(mixture, log_t, reduction="none", log_target=True)
                kl_s = F.kl_div(mixture, log_s, reduction="none", log_target=True)
                jsd = beta * kl_t + (1 - beta) * kl_s
            return jsd.sum() / student.size(0)

        loss = generalized_jsd(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "Jensen-Shannon": """
        class JSD(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction="batchmean", log_target=True)

            def forward(self, x, y):
                p, q = F.softmax(x, dim=1), F.softmax(y, dim=1)
                m = (0.5 * (p + q)).log()
                return 0.5 * (self.kl(m, F.log_softmax(x, dim=1)) + self.kl(m, F.log_softmax(y, dim=1)))

        loss = JSD()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "R-Drop": """
        def compute_kl_loss(p, q, pad_mask=None):
            p_loss = F.kl_div(F.log_softmax(p, dim=-1), F.softmax(q, dim=-1), reduction="none")
            q_loss = F.kl_div(F.log_softmax(q, dim=-1), F.softmax(p, dim=-1), reduction="none")
            if pad_mask is not None:
                p_loss.masked_fill_(pad_mask, 0.0)
                q_loss.masked_fill_(pad_mask, 0.0)
            return (p_loss.sum() + q_loss.sum()) / 2

        net = nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.1))
        x, labels = torch.randn(8, 5), torch.randint(0, 10, (8,))
        a, b = net(x), net(x)
        loss = (F.cross_entropy(a, labels) + F.cross_entropy(b, labels)) / 2 + 0.5 * compute_kl_loss(a, b)
        """,
    "negated and maximised": """
        def diversity(x, y):
            return -F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="batchmean")

        loss = diversity(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "discrepancy that one player maximises": """
        class Discrepancy(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, a, b, sign):
                return sign * self.criterion(F.log_softmax(a, dim=1), F.softmax(b, dim=1))

        loss = Discrepancy()(torch.randn(8, 10), torch.randn(8, 10), -1.0)
        """,
    "virtual adversarial direction": """
        def vat(net, x, xi=1e-2):
            with torch.no_grad():
                p = F.softmax(net(x), dim=1)
            d = torch.randn_like(x).requires_grad_()
            distance = F.kl_div(F.log_softmax(net(x + xi * d), dim=1), p, reduction="batchmean")
            distance.backward()
            return F.kl_div(F.log_softmax(net(x + d.grad), dim=1), p, reduction="batchmean")

        loss = vat(nn.Linear(5, 10), torch.randn(8, 5))
        """,
}

UNUSUAL_DIMS = {
    "dim 1 against dim -1 at rank 2": """
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=-1), reduction="batchmean")
        """,
    "dim -1 against dim 1 on rows of unknown data": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.student, self.teacher = nn.Linear(5, 10), nn.Linear(5, 10)
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x):
                return self.criterion(self.student(x).log_softmax(-1), self.teacher(x).softmax(1).detach())

        loss = Distill()(torch.randn(8, 5))
        """,
    "channel-wise distillation": """
        def channel_wise(student, teacher, tau=4.0):
            n, c, h, w = student.shape
            log_q = F.log_softmax(student.view(n * c, h * w) / tau, dim=1)
            p = F.softmax(teacher.view(n * c, h * w) / tau, dim=1)
            return F.kl_div(log_q, p, reduction="sum") * tau**2 / (c * n)

        loss = channel_wise(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4))
        """,
    "channel-wise distillation over the last of three dims": """
        class CWD(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction="sum")

            def forward(self, s, t):
                b, c = s.size(0), s.size(1)
                s, t = s.flatten(2), t.flatten(2)
                return self.kl(s.log_softmax(dim=2), t.softmax(dim=2)) / (b * c)

        loss = CWD()(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4))
        """,
    "attention maps": """
        def attention_transfer(student, teacher, heads=2):
            log_q = F.log_softmax(student, dim=-1)
            p = F.softmax(teacher, dim=-1)
            return F.kl_div(log_q, p, reduction="none").sum(-1).mean()

        loss = attention_transfer(torch.randn(4, 2, 6, 6), torch.randn(4, 2, 6, 6))
        """,
    "segmentation over the channel dim": """
        def pixel_wise(student, teacher):
            kl = F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="none")
            return kl.sum(dim=1).mean()

        loss = pixel_wise(torch.randn(2, 5, 4, 4), torch.randn(2, 5, 4, 4))
        """,
    "gates of a mixture of experts": """
        class Router(nn.Module):
            def __init__(self):
                super().__init__()
                self.gate, self.head = nn.Linear(5, 3), nn.Linear(5, 10)

            def forward(self, x, y):
                over_tokens = F.softmax(self.gate(x), dim=0)
                dispatched = over_tokens.t() @ x
                return F.cross_entropy(self.head(x + dispatched.mean(0)), y)

        loss = Router()(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "balance of the experts": """
        def balance(gate_scores):
            load = F.softmax(gate_scores, dim=-1).mean(dim=0)
            uniform = torch.full_like(load, 1 / load.numel())
            return F.kl_div(load.log(), uniform, reduction="sum")

        loss = balance(torch.randn(8, 4))
        """,
    "Sinkhorn": """
        @torch.no_grad()
        def sinkhorn(scores, iterations=3):
            q = torch.exp(scores / 0.5).t()
            for _ in range(iterations):
                q = q / q.sum(dim=1, keepdim=True) / q.shape[0]
                q = q / q.sum(dim=0, keepdim=True) / q.shape[1]
            return (q * q.shape[1]).t()

        def swav(scores_a, scores_b):
            return F.cross_entropy(scores_a / 0.1, sinkhorn(scores_b))

        loss = swav(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "both axes of a similarity matrix": """
        def contrastive(images, texts):
            scores = images @ texts.t()
            labels = torch.arange(len(scores))
            return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.t(), labels)) / 2

        loss = contrastive(torch.randn(8, 5), torch.randn(8, 5))
        """,
    "columns of a similarity matrix": """
        def relation(student, teacher):
            log_q, p = F.log_softmax(student @ student.t(), dim=0), F.softmax(teacher @ teacher.t(), dim=0)
            return F.kl_div(log_q, p, reduction="sum") / student.size(0)

        loss = relation(torch.randn(8, 5), torch.randn(8, 5))
        """,
    "dim 0 of a 1-D tensor": """
        logits, target = torch.tensor([0.1, 0.2, 0.4, 0.3]), torch.tensor([0.7, 0.1, 0.1, 0.1])
        loss = F.kl_div(F.log_softmax(logits, dim=0), target, reduction="sum")
        """,
    "dim 0 of one policy": """
        class Policy(nn.Module):
            def __init__(self):
                super().__init__()
                self.scores = nn.Parameter(torch.randn(10))
                self.criterion = nn.KLDivLoss(reduction="sum")

            def forward(self, target):
                return self.criterion(torch.log_softmax(self.scores, 0), torch.softmax(target, 0))

        loss = Policy()(torch.randn(10))
        """,
}

TARGET_GRADIENTS = {
    "Jensen-Shannon": """
        def jsd(net_a, net_b, x):
            p, q = F.softmax(net_a(x), dim=1), F.softmax(net_b(x), dim=1)
            m = ((p + q) / 2).clamp(1e-7, 1).log()
            return F.kl_div(m, p, reduction="batchmean") + F.kl_div(m, q, reduction="batchmean")

        loss = jsd(nn.Linear(5, 10), nn.Linear(5, 10), torch.randn(8, 5))
        """,
    "R-Drop": """
        net = nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.1))
        x, y = torch.randn(8, 5), torch.randint(0, 10, (8,))
        a, b = net(x), net(x)
        there = F.kl_div(F.log_softmax(a, dim=1), F.softmax(b, dim=1), reduction="batchmean")
        back = F.kl_div(F.log_softmax(b, dim=1), F.softmax(a, dim=1), reduction="batchmean")
        loss = F.cross_entropy(a, y) + F.cross_entropy(b, y) + 0.5 * (there + back)
        """,
    "mutual learning": """
        class Mutual(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Linear(5, 10), nn.Linear(5, 10)
                self.kl = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x, y):
                out_a, out_b = self.a(x), self.b(x)
                loss_a = F.cross_entropy(out_a, y) + self.kl(F.log_softmax(out_a, dim=1), F.softmax(out_b, dim=1))
                loss_b = F.cross_entropy(out_b, y) + self.kl(F.log_softmax(out_b, dim=1), F.softmax(out_a, dim=1))
                return loss_a + loss_b

        loss = Mutual()(torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "mutual learning of detached peers": """
        def mutual(outputs, y):
            losses = []
            for i, out in enumerate(outputs):
                loss = F.cross_entropy(out, y)
                for j, peer in enumerate(outputs):
                    if i != j:
                        target = F.softmax(peer.detach(), dim=1)
                        loss = loss + F.kl_div(F.log_softmax(out, dim=1), target, reduction="batchmean")
                losses.append(loss)
            return sum(losses)

        x = torch.randn(8, 5)
        loss = mutual([nn.Linear(5, 10)(x), nn.Linear(5, 10)(x)], torch.randint(0, 10, (8,)))
        """,
    "teacher frozen by requires_grad_(False)": """
        student, teacher = nn.Linear(5, 10), nn.Linear(5, 10)
        teacher.requires_grad_(False)
        x = torch.randn(8, 5)
        loss = F.kl_div(F.log_softmax(student(x), dim=1), F.softmax(teacher(x), dim=1), reduction="batchmean")
        """,
    "teacher frozen parameter by parameter": """
        class Distill(nn.Module):
            def __init__(self, teacher):
                super().__init__()
                self.student, self.teacher = nn.Linear(5, 10), teacher
                for parameter in self.teacher.parameters():
                    parameter.requires_grad = False
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x):
                return self.criterion(self.student(x).log_softmax(1), self.teacher(x).softmax(1))

        loss = Distill(nn.Linear(5, 10))(torch.randn(8, 5))
        """,
    "teacher in eval under no_grad": """
        def step(student, teacher, x):
            teacher.eval()
            with torch.no_grad():
                target = F.softmax(teacher(x), dim=1)
            return F.kl_div(F.log_softmax(student(x), dim=1), target, reduction="batchmean")

        loss = step(nn.Linear(5, 10), nn.Linear(5, 10), torch.randn(8, 5))
        """,
    "teacher under the no_grad decorator": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.student, self.teacher = nn.Linear(5, 10), nn.Linear(5, 10)

            @torch.no_grad()
            def soft_target(self, x):
                return F.softmax(self.teacher(x), dim=1)

            def forward(self, x):
                return F.kl_div(F.log_softmax(self.student(x), dim=1), self.soft_target(x), reduction="batchmean")

        loss = Distill()(torch.randn(8, 5))
        """,
    "teacher under inference_mode": """
        student, teacher = nn.Linear(5, 10), nn.Linear(5, 10)
        x = torch.randn(8, 5)
        with torch.inference_mode():
            out = teacher(x)
        target = F.softmax(out.clone(), dim=1)
        loss = F.kl_div(F.log_softmax(student(x), dim=1), target, reduction="batchmean")
        """,
    "input of one loss and detached target of another": """
        def self_distillation(deep, shallow, x, y):
            out, early = deep(x), shallow(x)
            supervised = F.cross_entropy(out, y)
            target = F.softmax(out.detach(), dim=1)
            return supervised + F.kl_div(F.log_softmax(early, dim=1), target, reduction="batchmean")

        loss = self_distillation(nn.Linear(5, 10), nn.Linear(5, 10), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "input and detached target of two KL terms": """
        def ema_free(net, x, noisy, prior):
            log_p, log_q = F.log_softmax(net(x), dim=1), F.log_softmax(net(noisy), dim=1)
            anchor = F.kl_div(log_p, prior, reduction="batchmean")
            return anchor + F.kl_div(log_q, log_p.detach(), reduction="batchmean", log_target=True)

        x = torch.randn(8, 5)
        loss = ema_free(nn.Linear(5, 10), x, x + 0.1, torch.randn(8, 10).softmax(1))
        """,
    "Variable of the target": """
        from torch.autograd import Variable

        student, teacher = nn.Linear(5, 10), nn.Linear(5, 10)
        x = torch.randn(8, 5)
        target = Variable(F.softmax(teacher(x), dim=1))
        loss = F.kl_div(F.log_softmax(student(x), dim=1), target, reduction="batchmean")
        """,
    "Variable without a gradient": """
        from torch.autograd import Variable

        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.student, self.teacher = nn.Linear(5, 10), nn.Linear(5, 10)
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x):
                soft = Variable(self.teacher(x), requires_grad=False).softmax(dim=1)
                return self.criterion(self.student(x).log_softmax(dim=1), soft)

        loss = Distill()(torch.randn(8, 5))
        """,
    "target by .data": """
        student, teacher = nn.Linear(5, 10), nn.Linear(5, 10)
        x = torch.randn(8, 5)
        loss = F.kl_div(F.log_softmax(student(x), dim=1), F.softmax(teacher(x), dim=1).data, reduction="batchmean")
        """,
    "gradient with respect to the example alone": """
        def attack(net, x, step=0.01):
            x_adv = (x + 0.001 * torch.randn_like(x)).requires_grad_()
            loss = F.kl_div(F.log_softmax(net(x_adv), dim=1), F.softmax(net(x), dim=1), reduction="sum")
            grad = torch.autograd.grad(loss, x_adv)[0]
            return x_adv.detach() + step * grad.sign()

        x_adv = attack(nn.Linear(5, 10), torch.randn(8, 5))
        """,
    "gradient with respect to a list of examples": """
        criterion = nn.KLDivLoss(reduction="sum")

        def trades(net, x, steps=3):
            x_adv = x.detach() + 0.001 * torch.randn_like(x)
            for _ in range(steps):
                x_adv.requires_grad_()
                with torch.enable_grad():
                    loss_kl = criterion(F.log_softmax(net(x_adv), dim=1), F.softmax(net(x), dim=1))
                grad = torch.autograd.grad(loss_kl, [x_adv])[0]
                x_adv = x_adv.detach() + 0.01 * torch.sign(grad.detach())
            return x_adv

        x_adv = trades(nn.Linear(5, 10), torch.randn(8, 5))
        """,
}
"""No KL904 even where it is selected."""

TEMPERATURES = {
    "squared on a later line": """
        def kd(student, teacher, labels, T=4.0, alpha=0.9):
            soft = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")
            hard = F.cross_entropy(student, labels)
            soft = soft * T**2
            return alpha * soft + (1 - alpha) * hard

        loss = kd(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "squared at the caller": """
        def soft_loss(student, teacher, T):
            return F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")

        def train_step(student, teacher, labels, T=2.0):
            return F.cross_entropy(student, labels) + T * T * soft_loss(student, teacher, T)

        loss = train_step(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "squared inside alpha": """
        class KDLoss(nn.Module):
            def __init__(self, T=4.0, alpha=0.9):
                super().__init__()
                self.T = T
                self.weight = alpha * T * T
                self.kl = nn.KLDivLoss(reduction="batchmean")

            def forward(self, student, teacher, labels):
                soft = self.kl(F.log_softmax(student / self.T, dim=1), F.softmax(teacher / self.T, dim=1))
                return self.weight * soft + F.cross_entropy(student, labels)

        loss = KDLoss()(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "squared in a factor of the sum": """
        def kd(student, teacher, labels, T=20.0, alpha=0.7):
            kl = nn.KLDivLoss(reduction="batchmean")
            log_q, p = F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1)
            return kl(log_q, p) * (T * T * alpha) + F.cross_entropy(student, labels) * (1.0 - alpha)

        loss = kd(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
    "squared by math.pow": """
        def kd(student, teacher, labels, temperature=3):
            log_q = F.log_softmax(student.div(temperature), dim=1)
            p = F.softmax(teacher.div(temperature), dim=1)
            soft = math.pow(temperature, 2) * F.kl_div(log_q, p, reduction="batchmean")
            return soft + F.cross_entropy(student, labels)

        loss = kd(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)))
        """,
}
"""No KL903 even where it is selected."""
