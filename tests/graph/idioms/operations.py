"""The operations of torch, one program for each entry and form."""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, reductions, targets, twins


def of_input(wrong: str, right: str, codes: str = "KL101", target: str = "p") -> Idiom:
    """An idiom whose programs differ in the input of kl_div."""
    return twins(f"F.kl_div(___, {target}, reduction='sum')", wrong, right, codes)


def scores(expression: str, target: str = "p") -> Idiom:
    """An expression that gives scores."""
    return of_input(expression, f"F.log_softmax({expression}, dim=1)", "KL102", target)


def probabilities(expression: str, target: str = "p") -> Idiom:
    """An expression that gives probabilities, of which the right program takes the log."""
    return of_input(expression, f"torch.log({expression})", target=target)


def logs(expression: str) -> Idiom:
    """An expression that gives log-probabilities: a target that is wrong unless the loss is told."""
    return targets(f"F.kl_div(log_q, {expression}, reduction='sum', log_target=___)")


def kept(expression: str, target: str = "p") -> Idiom:
    """An expression that keeps what ``q`` means, which holds probabilities or logs of them."""
    return twins(f"q = F.___(x, dim=1)\nF.kl_div({expression}, {target}, reduction='sum')")


def hot(expression: str) -> Idiom:
    """An expression that gives distributions, as the input and as the target."""
    return twins(f"hot = {expression}\nF.kl_div(___, reduction='sum')", "hot, p", "log_q, hot")


def layer(make: str, *sizes: int, after: str = "") -> Idiom:
    """A layer that gives scores, fed with a tensor of the given sizes."""
    shape = ", ".join(map(str, sizes))
    return twins(
        f"""
        layer = {make}
        out = layer(torch.randn({shape})){after}
        target = F.softmax(torch.randn_like(out), dim=1)
        F.kl_div(___, target, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    )


def activation(call: str) -> Idiom:
    """An activation behind a layer: its output is scores."""
    return scores(call.replace("@", "nn.Linear(10, 10)(x)"))


NORMALISING: dict[str, Idiom] = {
    "F.softmax": of_input("F.softmax(x, dim=1)", "F.log_softmax(x, dim=1)"),
    "F.softmax by position": of_input("F.softmax(x, 1)", "F.log_softmax(x, 1)"),
    "F.softmax with a dtype": of_input(
        "F.softmax(x, dim=1, dtype=torch.float32)", "F.log_softmax(x, dim=1, dtype=torch.float32)"
    ),
    "torch.softmax": of_input("torch.softmax(x, -1)", "torch.log_softmax(x, -1)"),
    "torch.special.softmax": of_input("torch.special.softmax(x, 1)", "torch.special.log_softmax(x, 1)"),
    "Tensor.softmax": of_input("x.softmax(dim=1)", "x.log_softmax(dim=1)"),
    "nn.Softmax": of_input("nn.Softmax(dim=1)(x)", "nn.LogSoftmax(dim=1)(x)"),
    "nn.Softmax by position": of_input("nn.Softmax(1)(x)", "nn.LogSoftmax(1)(x)"),
    "nn.Softmax2d": twins(
        """
        image = torch.randn(2, 3, 4, 4)
        F.kl_div(___, F.softmax(torch.randn_like(image), dim=1), reduction="sum")
        """,
        "nn.Softmax2d()(image)",
        "nn.LogSoftmax(dim=1)(image)",
    ),
    "F.softmin": of_input("F.softmin(x, dim=1)", "F.log_softmax(-x, dim=1)"),
    "nn.Softmin": of_input("nn.Softmin(dim=1)(x)", "nn.LogSoftmax(dim=1)(-x)"),
    "F.gumbel_softmax": of_input("F.gumbel_softmax(x, tau=1.0, dim=1)", "F.log_softmax(x, dim=1)"),
    "F.log_softmax as a target": logs("F.log_softmax(y, dim=1)"),
    "torch.log_softmax as a target": logs("torch.log_softmax(y, 1)"),
    "Tensor.log_softmax as a target": logs("y.log_softmax(1)"),
    "nn.LogSoftmax as a target": logs("nn.LogSoftmax(dim=1)(y)"),
    "torch.log of a mixture": logs("torch.log((p + F.softmax(x, dim=1)) / 2)"),
    "Tensor.log of literal probabilities": targets(
        """
        p = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
        F.kl_div(torch.randn(2, 2).log_softmax(1), p.log(), reduction="sum", log_target=___)
        """
    ),
    "torch.exp": of_input("torch.exp(log_q)", "log_q"),
    "Tensor.exp": of_input("log_q.exp()", "log_q.exp().log()"),
    "exp of probabilities": of_input("F.softmax(x, dim=1).exp()", "F.log_softmax(x, dim=1).exp().log()", "KL102"),
    "log of an exp": of_input("F.softmax(x, dim=1).exp().log()", "F.log_softmax(x, dim=1).exp().log()"),
    "exp over its sum": of_input("x.exp() / x.exp().sum(1, keepdim=True)", "F.log_softmax(x, dim=1)"),
    "division by the sum of a name": twins(
        """
        weights = torch.rand(8, 10)
        q = weights / weights.sum(dim=-1, keepdim=True)
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "division by torch.sum": twins(
        """
        weights = torch.rand(8, 10)
        q = weights / torch.sum(weights, 1, True)
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "division by a sum that is unsqueezed": twins(
        """
        weights = torch.rand(8, 10)
        q = weights / weights.sum(1).unsqueeze(1)
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "division by a sum at [:, None]": twins(
        """
        weights = torch.rand(8, 10)
        q = weights / weights.sum(1)[:, None]
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "Tensor.div by the sum": twins(
        """
        weights = torch.rand(8, 10)
        q = weights.div(weights.sum(1, keepdim=True))
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "division by the sum in place": twins(
        """
        q = torch.rand(8, 10)
        q /= q.sum(1, keepdim=True)
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "F.normalize with p=1": twins(
        "q = F.normalize(torch.rand(8, 10), p=1, dim=1)\nF.kl_div(q___, p, reduction='sum')", "", ".log()"
    ),
    "minus its logsumexp": logs("y - y.logsumexp(dim=1, keepdim=True)"),
    "minus torch.logsumexp": logs("y - torch.logsumexp(y, 1, keepdim=True)"),
    "minus the log of the sum of exp": logs("y - y.exp().sum(1, keepdim=True).log()"),
    "logsumexp of a stack of log-probabilities": targets(
        """
        import math

        both = torch.stack([F.log_softmax(x, dim=1), F.log_softmax(y, dim=1)])
        F.kl_div(log_q, torch.logsumexp(both, dim=0) - math.log(2), reduction="sum", log_target=___)
        """
    ),
    "logsumexp of weighted log-probabilities": targets(
        """
        def mix(one, other, weight=0.3):
            weight = torch.tensor(weight)
            return torch.logsumexp(torch.stack([one + torch.log1p(-weight), other + torch.log(weight)]), dim=0)

        F.kl_div(log_q, mix(F.log_softmax(x, dim=1), F.log_softmax(y, dim=1)), reduction="sum", log_target=___)
        """
    ),
    "logsumexp of log-probabilities weighted by a number that is tested": targets(
        """
        def measure(weight):
            if weight == 1.0:
                return None
            both = [log_q + torch.log(1 - torch.tensor(weight)), torch.log(torch.tensor(weight)) + F.log_softmax(y, 1)]
            return F.kl_div(log_q, torch.stack(both, dim=-1).logsumexp(-1), reduction="sum", log_target=___)

        measure(0.2)
        """
    ),
    "division by the sum of a copy": probabilities("torch.tensor(y.exp()) / y.exp().sum(1, keepdim=True)"),
    "division of a vector by its sum": probabilities("(y[0].exp() / y[0].exp().sum())[None]", "p[:1]"),
    "mean of a stack of a comprehension over the parts of a tensor": twins(
        """
        parts = [F.softmax(part, dim=1) for part in torch.split(torch.cat([x, y]), 8)]
        mixed = torch.stack(parts).mean(axis=0)
        F.kl_div(mixed___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "stack of two logsigmoids": targets(
        """
        s = y[:, 0]
        log_p = torch.stack([F.logsigmoid(s), F.logsigmoid(-s)], dim=1)
        F.kl_div(F.log_softmax(x[:, :2], dim=1), log_p, reduction="sum", log_target=___)
        """
    ),
    "stack of two nn.LogSigmoid": targets(
        """
        act = nn.LogSigmoid()
        log_p = torch.stack([act(-y[:, 0]), act(y[:, 0])], dim=-1)
        F.kl_div(F.log_softmax(x[:, :2], dim=1), log_p, reduction="sum", log_target=___)
        """
    ),
    "stack of a sigmoid and its complement": twins(
        """
        s = torch.sigmoid(x[:, 0])
        q = torch.stack([s, 1 - s], dim=1)
        F.kl_div(q___, F.softmax(y[:, :2], dim=1), reduction="sum")
        """,
        "",
        ".log()",
    ),
    "Categorical(logits).probs": twins(
        """
        from torch.distributions import Categorical

        q = Categorical(logits=x)
        F.kl_div(q.___, p, reduction="sum")
        """,
        "probs",
        "logits",
    ),
    "Categorical(probs).probs": twins(
        """
        import torch.distributions as D

        q = D.Categorical(probs=F.softmax(x, dim=1))
        F.kl_div(q.___, p, reduction="sum")
        """,
        "probs",
        "logits",
    ),
    "Categorical by position takes probs": twins(
        """
        q = torch.distributions.Categorical(torch.softmax(x, 1))
        F.kl_div(q.___, p, reduction="sum")
        """,
        "probs",
        "logits",
    ),
    "Categorical(logits).logits are normalised": logs("torch.distributions.Categorical(logits=y).logits"),
    "Categorical(probs).logits": logs("torch.distributions.Categorical(probs=p).logits"),
    "OneHotCategorical(logits).probs": of_input(
        "torch.distributions.OneHotCategorical(logits=x).probs",
        "torch.distributions.OneHotCategorical(logits=x).logits",
    ),
}

KEEPING: dict[str, Idiom] = {
    "detach": kept("q.detach()"),
    "data": kept("q.data"),
    "clone": kept("q.clone()"),
    "torch.clone": kept("torch.clone(q)"),
    "contiguous": kept("q.contiguous()"),
    "to a dtype": kept("q.to(torch.float32)"),
    "to a device and a dtype": kept("q.to('cpu', dtype=torch.float32, non_blocking=True)"),
    "float": kept("q.float()"),
    "double": kept("q.double()", "p.double()"),
    "half": kept("q.half().float()"),
    "bfloat16": kept("q.bfloat16().float()"),
    "type": kept("q.type(torch.float32)"),
    "type_as": kept("q.type_as(x)"),
    "cpu": kept("q.cpu()"),
    "cuda where there is one": twins(
        """
        q = F.___(x, dim=1)
        if torch.cuda.is_available():
            q = q.cuda()
            p = p.cuda()
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "requires_grad_": kept("q.requires_grad_()"),
    "Variable": twins(
        """
        from torch.autograd import Variable

        q = Variable(F.___(x, dim=1), requires_grad=True)
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "nn.Identity": kept("nn.Identity()(q)"),
    "clamp": kept("q.clamp(min=-50.0)"),
    "torch.clamp": kept("torch.clamp(q, -50.0, 50.0)"),
    "clamp_min": kept("q.clamp_min(-50.0)"),
    "clip": kept("torch.clip(q, -50.0, 50.0)"),
    "nan_to_num": kept("torch.nan_to_num(q)"),
    "a chain of 162 methods": kept("q" + ".clone()" * 162),
    "plus an epsilon": of_input("p + 1e-8", "torch.log((F.softmax(x, dim=1) + p) / 2 + 1e-8)"),
}

SHAPING: dict[str, Idiom] = {
    "view": kept("q.view(4, 2, 10)", "p.view(4, 2, 10)"),
    "view(-1, n)": kept("q.view(-1, 10)"),
    "view_as": kept("q.view_as(p)"),
    "reshape": kept("q.reshape(4, 2, -1)", "p.reshape(4, 2, -1)"),
    "torch.reshape": kept("torch.reshape(q, (8, 10))"),
    "flatten": kept("q.view(4, 2, 10).flatten(0, 1)"),
    "torch.flatten": kept("torch.flatten(q.view(4, 2, 10), 0, 1)"),
    "nn.Flatten": kept("nn.Flatten(0, 1)(q.view(4, 2, 10))"),
    "unflatten": kept("q.unflatten(0, (4, 2))", "p.unflatten(0, (4, 2))"),
    "permute": kept("q.permute(1, 0)", "p.permute(1, 0)"),
    "torch.permute": kept("torch.permute(q, (1, 0))", "p.t()"),
    "transpose": kept("q.transpose(0, 1)", "p.transpose(0, 1)"),
    "torch.transpose": kept("torch.transpose(q, 0, 1)", "p.t()"),
    "t": kept("q.t()", "p.t()"),
    "T": kept("q.T", "p.T"),
    "mT": kept("q.mT", "p.mT"),
    "swapaxes": kept("q.swapaxes(0, 1)", "p.T"),
    "movedim": kept("q.movedim(0, 1)", "p.movedim(0, 1)"),
    "torch.movedim": kept("torch.movedim(q, 0, 1)", "p.T"),
    "squeeze": kept("q.unsqueeze(1).squeeze(1)"),
    "torch.squeeze": kept("torch.squeeze(q[:, None], 1)"),
    "unsqueeze": kept("q.unsqueeze(0)", "p.unsqueeze(0)"),
    "torch.unsqueeze": kept("torch.unsqueeze(q, 1)", "p.unsqueeze(1)"),
    "expand": kept("q[:1].expand(8, 10)"),
    "expand_as": kept("q[:1].expand_as(p)"),
    "torch.broadcast_to": kept("torch.broadcast_to(q[:1], (8, 10))"),
    "repeat": kept("q[:1].repeat(8, 1)"),
    "repeat_interleave": kept("q[:4].repeat_interleave(2, dim=0)"),
    "index with None": kept("q[None]", "p[None]"),
    "index with a row": kept("q[0]", "p[0]"),
    "index with a slice": kept("q[:4]", "p[:4]"),
    "index with a step": kept("q[::2]", "p[::2]"),
    "index with an ellipsis": kept("q[..., None]", "p[..., None]"),
    "index of the last position": twins(
        """
        q = F.___(torch.randn(4, 6, 10), dim=-1)
        F.kl_div(q[:, -1], p[:4], reduction="sum")
        """
    ),
    "index with a full slice": kept("q[:, :]"),
    "index with a full slice at any rank": twins(
        """
        def entry(rows, p):
            return F.kl_div(F.___(rows, dim=-1)[:], p, reduction="sum")
        """
    ),
    "index with a mask": kept("q[x[:, 0] > -9]", "p[x[:, 0] > -9]"),
    "index with whole numbers": kept("q[torch.tensor([0, 2, 4])]", "p[torch.tensor([0, 2, 4])]"),
    "index with a list": kept("q[[0, 2, 4]]", "p[[0, 2, 4]]"),
    "index_select": kept("q.index_select(0, torch.arange(4))", "p[:4]"),
    "select": kept("q.select(0, 1)", "p[1]"),
    "narrow": kept("q.narrow(0, 0, 4)", "p[:4]"),
    "flip": kept("q.flip(0)"),
    "roll": kept("torch.roll(q, 1, 0)"),
    "torch.cat over the batch": kept("torch.cat([q, q], dim=0)", "torch.cat([p, p])"),
    "torch.cat of a tuple by position": kept("torch.cat((q, q), 0)", "torch.cat((p, p), 0)"),
    "torch.stack": kept("torch.stack([q, q])", "torch.stack([p, p])"),
    "torch.chunk": twins("a, b = torch.chunk(F.___(x, dim=1), 2)\nF.kl_div(a, p[:4], reduction='sum')"),
    "chunk": twins("a, b = F.___(x, dim=1).chunk(2, dim=0)\nF.kl_div(b, p[4:], reduction='sum')"),
    "torch.split": twins("a, b = torch.split(F.___(x, dim=1), 4)\nF.kl_div(a, p[:4], reduction='sum')"),
    "split in parts": twins("a, b = F.___(x, dim=1).split([2, 6])\nF.kl_div(b, p[2:], reduction='sum')"),
    "split indexed": kept("q.split(4)[0]", "p[:4]"),
    "unbind": twins("rows = F.___(x, dim=1).unbind(0)\nF.kl_div(rows[0], p[0], reduction='sum')"),
    "tensor unpacked along its first dim": twins("a, b = torch.stack([x, y]).___(-1)\nF.kl_div(a, p, reduction='sum')"),
    "loop over the rows": twins(
        """
        for row, target in zip(F.___(x, dim=1), p):
            F.kl_div(row, target, reduction="sum")
        """
    ),
    "einops.rearrange": twins(
        """
        from einops import rearrange

        q = F.___(torch.randn(2, 4, 10), dim=-1)
        F.kl_div(rearrange(q, "b t c -> (b t) c"), p, reduction="sum")
        """
    ),
    "einops as a module": twins(
        """
        import einops

        q = F.___(torch.randn(2, 4, 10), dim=-1)
        F.kl_div(einops.rearrange(q, "b t c -> (b t) c"), p, reduction="sum")
        """
    ),
}

MIXING: dict[str, Idiom] = {
    "mean of two distributions": probabilities("(p + F.softmax(x, dim=1)) / 2"),
    "half of a sum": probabilities("0.5 * (p + F.softmax(x, dim=1))"),
    "weighted sum of two distributions": probabilities("0.3 * p + 0.7 * F.softmax(x, dim=1)"),
    "weighted sum with a complement": twins(
        """
        def mix(a, b, alpha=0.3):
            return alpha * a + (1 - alpha) * b

        m = mix(p, F.softmax(x, dim=1))
        F.kl_div(m___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "torch.lerp": probabilities("torch.lerp(p, F.softmax(x, dim=1), 0.5)"),
    "mean of a stack of distributions": probabilities("torch.stack([p, F.softmax(x, dim=1)]).mean(0)"),
    "torch.mean of a stack of distributions": probabilities("torch.mean(torch.stack([p, F.softmax(x, dim=1)]), dim=0)"),
    "mean over a dim of no classes": twins(
        """
        samples = F.softmax(torch.randn(4, 8, 10), dim=-1).mean(dim=0)
        F.kl_div(samples___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "mean over the batch": twins(
        "q = F.softmax(x, dim=1).mean(0, keepdim=True)\nF.kl_div(q___, p[:1], reduction='sum')", "", ".log()"
    ),
    "sum of distributions over their count": twins(
        """
        q = sum(F.softmax(s, dim=1) for s in (x, y, x + y)) / 3
        F.kl_div(q___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "label smoothing by arithmetic": probabilities("0.9 * F.softmax(x, dim=1) + 0.1 / 10"),
    "sum of scores": scores("x + y"),
    "difference of scores": scores("x - y"),
    "negated scores": scores("-x"),
    "scores over a temperature": scores("x / 4.0"),
    "scores times a scale": scores("20.0 * x"),
    "scores plus a bias": scores("x + 1"),
    "torch.add of scores": scores("torch.add(x, y)"),
    "Tensor.div of scores": scores("x.div(2.0)"),
    "Tensor.mul of scores": scores("x.mul(2.0)"),
    "scores minus their maximum": scores("x - x.max(dim=1, keepdim=True).values"),
    "scores minus their mean": scores("x - x.mean(1, keepdim=True)"),
    "matmul": scores("x @ torch.randn(10, 10)"),
    "torch.matmul": scores("torch.matmul(x, torch.randn(10, 10))"),
    "torch.mm": scores("torch.mm(x, torch.randn(10, 10))"),
    "torch.bmm": twins(
        """
        out = torch.bmm(torch.randn(2, 8, 5), torch.randn(2, 5, 10))
        F.kl_div(___, F.softmax(torch.randn(2, 8, 10), dim=-1), reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=-1)",
        "KL102",
    ),
    "torch.einsum": scores("torch.einsum('bi,ij->bj', x, torch.randn(10, 10))"),
    "torch.addmm": scores("torch.addmm(torch.randn(10), x, torch.randn(10, 10))"),
    "F.linear": scores("F.linear(x, torch.randn(10, 10))"),
    "F.cosine_similarity": scores(
        "F.cosine_similarity(x[:, :, None], y.t()[None], dim=1)", "F.softmax(x[:, :8], dim=1)"
    ),
    "mean of scores over positions": scores("torch.randn(8, 4, 10).mean(dim=1)"),
    "sum of scores over positions": scores("torch.randn(8, 4, 10).sum(1)"),
    "gather of scores": scores("torch.randn(8, 20).gather(1, torch.arange(10).expand(8, 10))"),
    "torch.gather of scores": scores("torch.gather(torch.randn(8, 20), 1, torch.arange(10).expand(8, 10))"),
    "masked_fill of scores": scores("x.masked_fill(x < -3, -1e4)"),
    "torch.where of scores": scores("torch.where(x > 0, x, y)"),
    "torch.where of distributions": twins(
        """
        keep = torch.arange(8).unsqueeze(1) < 4
        q = torch.where(keep, x.___(1), y.___(1))
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "torch.cat of scores over the classes": scores("torch.cat([x[:, :4], y[:, :6]], dim=1)"),
    "scores sliced over the classes": scores("torch.randn(8, 20)[:, :10]"),
    "topk values of scores": scores("torch.randn(8, 20).topk(10, dim=1).values"),
    "torch.topk unpacked": twins(
        """
        values, indices = torch.topk(torch.randn(8, 20), 10, dim=1)
        F.kl_div(___, p, reduction="sum")
        """,
        "values",
        "F.log_softmax(values, dim=1)",
        "KL102",
    ),
    "topk indexed": scores("torch.randn(8, 20).topk(10)[0]"),
    "sorted scores": scores("x.sort(dim=1, descending=True).values"),
    "maximum over positions": scores("torch.randn(8, 4, 10).max(dim=1).values"),
    "maximum over positions, unpacked": twins(
        """
        values, indices = torch.max(torch.randn(8, 4, 10), 1)
        F.kl_div(___, p, reduction="sum")
        """,
        "values",
        "F.log_softmax(values, dim=1)",
        "KL102",
    ),
    "topk values renormalised": twins(
        """
        values = F.softmax(torch.randn(8, 20), dim=1).topk(10, dim=1).values
        values = values / values.sum(1, keepdim=True)
        F.kl_div(values___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
}

BUILT: dict[str, Idiom] = {
    "F.one_hot as a float": hot("F.one_hot(torch.arange(8), 10).float()"),
    "F.one_hot smoothed": probabilities("F.one_hot(torch.arange(8), 10) * 0.9 + 0.1 / 10"),
    "F.one_hot of an argmax": hot("F.one_hot(y.argmax(dim=1), num_classes=10).float()"),
    "F.one_hot of the indices of a maximum": twins(
        "_, labels = y.max(dim=1)\nhot = F.one_hot(labels, 10).float()\nF.kl_div(___, reduction='sum')",
        "hot, p",
        "log_q, hot",
    ),
    "F.one_hot of the indices of topk": hot("F.one_hot(y.topk(1).indices[:, 0], 10).to(torch.float32)"),
    "zeros and scatter_": twins(
        """
        hot = torch.zeros(8, 10)
        hot.scatter_(1, torch.arange(8).unsqueeze(1), 1.0)
        F.kl_div(___, reduction="sum")
        """,
        "hot, p",
        "log_q, hot",
    ),
    "zeros_like and scatter": twins(
        """
        labels = y.argmax(1, keepdim=True)
        hot = torch.zeros_like(x).scatter(1, labels, 1)
        F.kl_div(___, reduction="sum")
        """,
        "hot, p",
        "log_q, hot",
    ),
    "full and scatter_": twins(
        """
        smooth = torch.full((8, 10), 0.1 / 9).scatter_(1, torch.arange(8)[:, None], 0.9)
        F.kl_div(smooth___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "fill_ and scatter_ on a copy": twins(
        """
        smooth = log_q.clone()
        smooth.fill_(0.1 / 9)
        smooth.scatter_(1, torch.arange(8)[:, None], 0.9)
        F.kl_div(smooth___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "fill_ and scatter_ with a smoothing that is a parameter": twins(
        """
        def smooth(like, labels, smoothing):
            rows, classes = like.shape
            target = like.clone().view(-1, classes).fill_(smoothing / (classes - 1))
            return target.scatter_(1, labels.unsqueeze(1), 1 - smoothing)

        def entry(rows, weight=0.1):
            target = smooth(rows, torch.arange(8), weight)
            return F.kl_div(target___, p, reduction="sum")
        """,
        "",
        ".log()",
    ),
    "ones over the class count": twins(
        "uniform = torch.ones_like(x) / 10\nF.kl_div(uniform___, p, reduction='sum')", "", ".log()"
    ),
    "full_like of one over the class count": twins(
        "uniform = torch.full_like(x, 1 / x.size(1))\nF.kl_div(uniform___, p, reduction='sum')", "", ".log()"
    ),
    "literal probabilities": twins(
        """
        q = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
        F.kl_div(q___, torch.randn(2, 4).softmax(1), reduction="sum")
        """,
        "",
        ".log()",
    ),
    "literal scores": twins(
        """
        scores = torch.tensor([[1.5, -2.0, 0.3], [0.1, 4.0, 0.2]])
        F.kl_div(___, torch.randn(2, 3).softmax(1), reduction="sum")
        """,
        "scores",
        "scores.log_softmax(1)",
        "KL102",
    ),
    "torch.FloatTensor of literals": twins(
        """
        scores = torch.FloatTensor([[1.5, -2.0, 0.3]])
        F.kl_div(___, torch.randn(1, 3).softmax(1), reduction="sum")
        """,
        "scores",
        "scores.log_softmax(1)",
        "KL102",
    ),
    "torch.randn": scores("torch.randn(8, 10)"),
    "torch.randn of a tuple": scores("torch.randn((8, 10))"),
    "torch.randn of a named size": scores("torch.randn(size=(8, 10))"),
    "torch.randn_like": scores("torch.randn_like(p)"),
    "torch.normal": scores("torch.normal(0.0, 1.0, (8, 10))"),
    "nn.Parameter": scores("nn.Parameter(torch.randn(8, 10))"),
    "nn.Parameter of a model": twins(
        """
        class Policy(nn.Module):
            def __init__(self):
                super().__init__()
                self.scores = nn.Parameter(torch.randn(8, 10))

            def forward(self, target):
                return F.kl_div(___, target, reduction="sum")

        Policy()(p)
        """,
        "self.scores",
        "F.log_softmax(self.scores, dim=1)",
        "KL102",
    ),
}

IN_PLACE: dict[str, Idiom] = {
    "log_": targets("m = (p + F.softmax(x, dim=1)) / 2\nm.log_()\nF.kl_div(log_q, m, reduction='sum', log_target=___)"),
    "exp_": pair(
        "log_q.exp_()\nF.kl_div(log_q, p, reduction='sum')",
        "KL101",
        "log_q.exp_()\nF.kl_div(log_q.log(), p, reduction='sum')",
    ),
    "exp_ through another name": pair(
        "q = log_q\nq.exp_()\nF.kl_div(log_q, p, reduction='sum')",
        "KL101",
        "q = log_q.clone()\nq.exp_()\nF.kl_div(log_q, p, reduction='sum')",
    ),
    "in place in a chain": twins("q = log_q.clone().___()\nF.kl_div(q, p, reduction='sum')", "exp_", "contiguous"),
    "div_ by the sum": twins(
        "q = torch.rand(8, 10)\nq.div_(q.sum(1, keepdim=True))\nF.kl_div(q___, p, reduction='sum')", "", ".log()"
    ),
    "sub_ of the logsumexp": targets(
        "z = y.clone()\nz.sub_(z.logsumexp(1, keepdim=True))\nF.kl_div(log_q, z, reduction='sum', log_target=___)"
    ),
    "copy_": twins("q = torch.empty(8, 10)\nq.copy_(x.___(1))\nF.kl_div(q, p, reduction='sum')"),
    "assignment to a full slice": twins("q = torch.empty(8, 10)\nq[:] = x.___(1)\nF.kl_div(q, p, reduction='sum')"),
    "clamp_": twins("q = x.___(1)\nq.clamp_(min=-50.0)\nF.kl_div(q, p, reduction='sum')"),
    "squeeze_ and unsqueeze_": twins("q = x.___(1)\nq.unsqueeze_(0).squeeze_(0)\nF.kl_div(q, p, reduction='sum')"),
    "mul_ of scores": pair(
        "s = x.clone()\ns.mul_(2.0)\nF.kl_div(s, p, reduction='sum')",
        "KL102",
        "s = x.clone()\ns.mul_(2.0)\nF.kl_div(F.log_softmax(s, dim=1), p, reduction='sum')",
    ),
    "fill_ changes what a name means": pair(
        "q = log_q.clone()\nF.kl_div(log_q, q, reduction='sum')\nq.fill_(0.1)",
        "KL103",
        "q = log_q.clone()\nq.fill_(0.1)\nF.kl_div(log_q, q, reduction='sum')",
    ),
    "zero_ changes what a name means": pair(
        "q = log_q.clone()\nF.kl_div(log_q, q, reduction='sum')\nq.zero_()",
        "KL103",
        "q = log_q.clone()\nq.zero_()\nq[:, 0] = 1.0\nF.kl_div(log_q, q, reduction='sum')",
    ),
}

LAYERS: dict[str, Idiom] = {
    "nn.Linear": layer("nn.Linear(5, 10)", 8, 5),
    "nn.LazyLinear": layer("nn.LazyLinear(10)", 8, 5),
    "nn.Bilinear": twins(
        """
        out = nn.Bilinear(10, 10, 10)(x, y)
        F.kl_div(___, p, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "nn.Conv1d": layer("nn.Conv1d(5, 10, 3)", 2, 5, 8),
    "nn.Conv2d": layer("nn.Conv2d(3, 10, kernel_size=3, padding=1)", 2, 3, 4, 4),
    "nn.Conv3d": layer("nn.Conv3d(3, 10, 1)", 2, 3, 2, 2, 2),
    "nn.ConvTranspose1d": layer("nn.ConvTranspose1d(5, 10, 3)", 2, 5, 8),
    "nn.ConvTranspose2d": layer("nn.ConvTranspose2d(3, 10, 2, stride=2)", 2, 3, 4, 4),
    "nn.ConvTranspose3d": layer("nn.ConvTranspose3d(3, 10, 1)", 2, 3, 2, 2, 2),
    "nn.BatchNorm1d": layer("nn.BatchNorm1d(10)", 8, 10),
    "nn.BatchNorm2d": layer("nn.BatchNorm2d(3)", 2, 3, 4, 4),
    "nn.BatchNorm3d": layer("nn.BatchNorm3d(3)", 2, 3, 2, 2, 2),
    "nn.SyncBatchNorm": layer("nn.SyncBatchNorm(10).eval()", 8, 10),
    "nn.LayerNorm": layer("nn.LayerNorm(10)", 8, 10),
    "nn.GroupNorm": layer("nn.GroupNorm(2, 10)", 8, 10),
    "nn.InstanceNorm1d": layer("nn.InstanceNorm1d(5)", 2, 5, 8),
    "nn.InstanceNorm2d": layer("nn.InstanceNorm2d(3)", 2, 3, 4, 4),
    "nn.RMSNorm": layer("nn.RMSNorm(10)", 8, 10),
    "nn.LocalResponseNorm": layer("nn.Sequential(nn.Conv2d(3, 3, 1), nn.LocalResponseNorm(2))", 2, 3, 4, 4),
    "nn.Embedding": twins(
        """
        out = nn.Embedding(20, 10)(torch.arange(8))
        F.kl_div(___, p, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "nn.RNN": layer("nn.RNN(5, 10, batch_first=True)", 8, 4, 5, after="[0][:, -1]"),
    "nn.LSTM": twins(
        """
        lstm = nn.LSTM(5, 10, batch_first=True)
        out, (hidden, cell) = lstm(torch.randn(8, 4, 5))
        F.kl_div(___, p, reduction="sum")
        """,
        "out[:, -1]",
        "F.log_softmax(out[:, -1], dim=1)",
        "KL102",
    ),
    "nn.LSTM and its hidden state": twins(
        """
        out, (hidden, cell) = nn.LSTM(5, 10, batch_first=True)(torch.randn(8, 4, 5))
        F.kl_div(___, p, reduction="sum")
        """,
        "hidden[-1]",
        "F.log_softmax(hidden[-1], dim=1)",
        "KL102",
    ),
    "nn.GRU": twins(
        """
        out, hidden = nn.GRU(5, 10, batch_first=True)(torch.randn(8, 4, 5))
        F.kl_div(___, p, reduction="sum")
        """,
        "hidden.squeeze(0)",
        "F.log_softmax(hidden.squeeze(0), dim=1)",
        "KL102",
    ),
    "nn.GRUCell": layer("nn.GRUCell(5, 10)", 8, 5),
    "nn.MultiheadAttention": twins(
        """
        attention = nn.MultiheadAttention(10, 2, batch_first=True)
        out, weights = attention(x[None], x[None], x[None])
        F.kl_div(___, p, reduction="sum")
        """,
        "out[0]",
        "F.log_softmax(out[0], dim=1)",
        "KL102",
    ),
    "weights of nn.MultiheadAttention": twins(
        """
        attention = nn.MultiheadAttention(10, 2, batch_first=True)
        out, weights = attention(x[None], x[None], x[None])
        F.kl_div(weights___, F.softmax(torch.randn(1, 8, 8), dim=-1), reduction="sum")
        """,
        "",
        ".log()",
    ),
    "nn.TransformerEncoderLayer": layer("nn.TransformerEncoderLayer(10, 2, batch_first=True)", 8, 4, 10),
    "nn.TransformerEncoder": layer(
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(10, 2, batch_first=True), 2)", 8, 4, 10
    ),
    "nn.Dropout": layer("nn.Sequential(nn.Linear(5, 10), nn.Dropout(0.1))", 8, 5),
    "F.dropout": scores("F.dropout(nn.Linear(10, 10)(x), 0.1)"),
    "nn.Dropout2d": layer("nn.Sequential(nn.Conv2d(3, 10, 1), nn.Dropout2d(0.1))", 2, 3, 4, 4),
    "nn.MaxPool2d": layer("nn.Sequential(nn.Conv2d(3, 10, 1), nn.MaxPool2d(2))", 2, 3, 4, 4),
    "nn.AvgPool2d": layer("nn.Sequential(nn.Conv2d(3, 10, 1), nn.AvgPool2d(2))", 2, 3, 4, 4),
    "nn.AdaptiveAvgPool2d": layer(
        "nn.Sequential(nn.Conv2d(3, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())", 2, 3, 4, 4
    ),
    "F.max_pool2d": twins(
        """
        out = F.max_pool2d(nn.Conv2d(3, 10, 1)(torch.randn(8, 3, 4, 4)), 4).flatten(1)
        F.kl_div(___, p, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "F.adaptive_avg_pool2d": twins(
        """
        out = F.adaptive_avg_pool2d(nn.Conv2d(3, 10, 1)(torch.randn(8, 3, 4, 4)), (1, 1)).view(8, -1)
        F.kl_div(___, p, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "nn.Upsample": layer("nn.Sequential(nn.Conv2d(3, 10, 1), nn.Upsample(scale_factor=2))", 2, 3, 4, 4),
    "F.interpolate": twins(
        """
        out = F.interpolate(nn.Conv2d(3, 10, 1)(torch.randn(2, 3, 4, 4)), scale_factor=2)
        F.kl_div(___, F.softmax(torch.randn(2, 10, 8, 8), dim=1), reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "nn.PixelShuffle": layer("nn.Sequential(nn.Conv2d(3, 40, 1), nn.PixelShuffle(2))", 2, 3, 4, 4),
    "nn.ZeroPad2d": layer("nn.Sequential(nn.Conv2d(3, 10, 1), nn.ZeroPad2d(1))", 2, 3, 4, 4),
    "nn.Unflatten": layer("nn.Sequential(nn.Linear(5, 20), nn.Unflatten(1, (10, 2)))", 8, 5),
    "nn.utils.weight_norm": layer("nn.utils.parametrizations.weight_norm(nn.Linear(5, 10))", 8, 5),
    "F.conv1d": twins(
        """
        out = F.conv1d(torch.randn(2, 3, 8), torch.randn(10, 3, 3))
        F.kl_div(___, F.softmax(torch.randn(2, 10, 6), dim=1), reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "F.conv2d": twins(
        """
        out = F.conv2d(torch.randn(2, 3, 4, 4), torch.randn(10, 3, 1, 1))
        F.kl_div(___, F.softmax(torch.randn(2, 10, 4, 4), dim=1), reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
    "F.layer_norm": scores("F.layer_norm(x, (10,))"),
    "F.batch_norm": scores("F.batch_norm(x, None, None, training=True)"),
    "F.embedding": scores("F.embedding(torch.arange(8), torch.randn(20, 10))"),
    "F.scaled_dot_product_attention": twins(
        """
        out = F.scaled_dot_product_attention(x[None], x[None], x[None])[0]
        F.kl_div(___, p, reduction="sum")
        """,
        "out",
        "F.log_softmax(out, dim=1)",
        "KL102",
    ),
}

ACTIVATIONS: dict[str, Idiom] = {
    form.replace("@", "scores"): activation(form)
    for form in (
        "nn.ReLU()(@)",
        "F.relu(@)",
        "torch.relu(@)",
        "@.relu()",
        "nn.ReLU6()(@)",
        "F.relu6(@)",
        "nn.LeakyReLU(0.1)(@)",
        "F.leaky_relu(@, 0.1)",
        "nn.PReLU()(@)",
        "nn.RReLU()(@)",
        "nn.ELU()(@)",
        "F.elu(@)",
        "nn.SELU()(@)",
        "F.selu(@)",
        "nn.CELU()(@)",
        "nn.GELU()(@)",
        "F.gelu(@)",
        "nn.SiLU()(@)",
        "F.silu(@)",
        "nn.Mish()(@)",
        "F.mish(@)",
        "nn.Softplus()(@)",
        "F.softplus(@)",
        "nn.Softsign()(@)",
        "nn.Tanh()(@)",
        "torch.tanh(@)",
        "F.tanh(@)",
        "@.tanh()",
        "nn.Hardtanh()(@)",
        "nn.Hardswish()(@)",
        "F.hardswish(@)",
        "nn.Tanhshrink()(@)",
    )
}

OPTIONS: dict[str, Idiom] = {
    "reduction by keyword": reductions("F.kl_div(log_q, p, reduction='___')"),
    "reduction by default": twins("F.kl_div(log_q, p___)", "", ", reduction='sum'", "KL201"),
    "reduction by position": reductions("F.kl_div(log_q, p, None, None, '___')"),
    "log_target by position": targets("F.kl_div(log_q, F.log_softmax(y, dim=1), None, None, 'sum', ___)"),
    "tensors by keyword": twins("F.kl_div(target=p, reduction='sum', input=F.___(x, dim=1))"),
    "nn.KLDivLoss reduction by keyword": reductions("nn.KLDivLoss(reduction='___')(log_q, p)"),
    "nn.KLDivLoss reduction by default": twins("nn.KLDivLoss(___)(log_q, p)", "", "reduction='sum'", "KL201"),
    "nn.KLDivLoss reduction by position": reductions("nn.KLDivLoss(None, None, '___')(log_q, p)"),
    "nn.KLDivLoss log_target by position": targets(
        "nn.KLDivLoss(None, None, 'sum', ___)(log_q, F.log_softmax(y, dim=1))"
    ),
    "nn.KLDivLoss tensors by keyword": twins("nn.KLDivLoss(reduction='sum')(target=p, input=F.___(x, dim=1))"),
}

UNDERSTOOD: dict[str, str] = {
    "cross_entropy of scores and indices": "F.cross_entropy(x, torch.randint(0, 10, (8,)))",
    "cross_entropy of scores and probabilities": "F.cross_entropy(x, p)",
    "nn.CrossEntropyLoss": "nn.CrossEntropyLoss()(x, p)",
    "nll_loss": "F.nll_loss(log_q, torch.randint(0, 10, (8,)))",
    "nn.NLLLoss": "nn.NLLLoss()(log_q, torch.arange(8))",
    "binary_cross_entropy": "F.binary_cross_entropy(torch.sigmoid(x), F.one_hot(torch.arange(8), 10).float())",
    "nn.BCELoss": "nn.BCELoss()(torch.sigmoid(x), p)",
    "binary_cross_entropy_with_logits": "F.binary_cross_entropy_with_logits(x, p)",
    "nn.BCEWithLogitsLoss": "nn.BCEWithLogitsLoss()(x, torch.sigmoid(y))",
    "torch.sigmoid": "F.binary_cross_entropy(torch.sigmoid(x), torch.sigmoid(y))",
    "F.sigmoid": "F.binary_cross_entropy(F.sigmoid(x), p)",
    "Tensor.sigmoid": "F.binary_cross_entropy(x.sigmoid(), y.sigmoid())",
    "sigmoid_": "F.binary_cross_entropy(x.clone().sigmoid_(), p)",
    "nn.Sigmoid": "F.binary_cross_entropy(nn.Sigmoid()(x), p)",
    "torch.special.expit": "F.binary_cross_entropy(torch.special.expit(x), p)",
    "F.hardsigmoid": "F.binary_cross_entropy(F.hardsigmoid(x), p)",
    "nn.Sequential with nn.Sigmoid": "F.binary_cross_entropy(nn.Sequential(nn.Linear(10, 10), nn.Sigmoid())(x), p)",
    "argmax": "F.cross_entropy(x, y.argmax(1))",
    "torch.argmax": "F.cross_entropy(x, torch.argmax(y, dim=1))",
    "argmin": "F.cross_entropy(x, y.argmin(dim=1))",
    "max by index": "F.cross_entropy(x, y.max(1)[1])",
    "max by name": "F.cross_entropy(x, torch.max(y, dim=1).indices)",
    "max unpacked": "_, labels = torch.max(y, 1)\nF.cross_entropy(x, labels)",
    "topk by index": "F.cross_entropy(x, y.topk(1)[1].squeeze(1))",
    "topk unpacked": "values, indices = y.topk(3, dim=1)\nF.cross_entropy(x, indices[:, 0])",
    "argsort": "F.cross_entropy(x, y.argsort(dim=1)[:, 0])",
    "sort by name": "F.cross_entropy(x, y.sort(1).indices[:, 0])",
    "multinomial": "F.cross_entropy(x, torch.multinomial(p, 1).squeeze(1))",
    "Categorical.sample": "F.cross_entropy(x, torch.distributions.Categorical(logits=y).sample())",
    "long": "F.cross_entropy(x, torch.zeros(8).long())",
    "to long": "F.cross_entropy(x, torch.zeros(8).to(torch.long))",
    "type long": "F.cross_entropy(x, torch.zeros(8).type(torch.int64))",
    "whole-number literal": "F.cross_entropy(x, torch.tensor([0, 1, 2, 3, 4, 5, 6, 7]))",
    "LongTensor": "F.cross_entropy(x, torch.LongTensor([0, 1, 2, 3, 4, 5, 6, 7]))",
    "zeros of whole numbers": "F.cross_entropy(x, torch.zeros(8, dtype=torch.long))",
    "full of whole numbers": "F.cross_entropy(x, torch.full((8,), 3))",
    "randperm": "F.cross_entropy(x, torch.randperm(8))",
    "arange": "F.cross_entropy(x[:, :8], torch.arange(8))",
    "arange of the batch size": "F.cross_entropy(x @ x.t(), torch.arange(x.size(0)))",
    "indices kept in shape": "F.cross_entropy(x, y.argmax(1).view(-1).detach().clone())",
    "indices by a mask": "F.cross_entropy(x, y.argmax(1).masked_fill(x[:, 0] < -9, -100))",
    "nll_loss of a target of which nothing is known": (
        "def entry(flat):\n    return F.nll_loss(log_q, flat[:8].abs().type_as(torch.arange(8)))"
    ),
    "indices of which a part is overwritten": (
        "def entry(flat):\n    labels = torch.full(flat[:8].shape, 9, dtype=torch.int64)\n"
        "    labels[flat[:8] > 0] = 3\n    return F.cross_entropy(x, labels)"
    ),
    "indices times a number": "def entry(flat):\n    return F.cross_entropy(x, torch.zeros_like(flat[:8]).long() * len(x) + 2)",
    "indices times a length": (
        "def entry(flat):\n    parts = [part for part in torch.split(flat, 4) if len(part) > 1]\n"
        "    return F.cross_entropy(x, torch.zeros_like(flat[:8]).long() * len(parts) + flat[:3].numel())"
    ),
    "indices of a process": (
        "def entry(flat):\n    labels = torch.zeros_like(flat[:8]).long()\n    if torch.distributed.is_initialized():\n"
        "        labels = labels + torch.distributed.get_rank() * len(x)\n    return F.cross_entropy(x, labels)"
    ),
    "literal of a comprehension as whole numbers": (
        "def entry(flat):\n    labels = torch.tensor([float(part) > 0 for part in flat[:8]], dtype=torch.long)\n"
        "    return F.cross_entropy(x, labels)"
    ),
    "indices minus indices": (
        "def entry(flat):\n    labels = torch.ones_like(flat[:8]).long()\n    return F.cross_entropy(x, labels - labels)"
    ),
    "comparison as a float": "F.binary_cross_entropy_with_logits(x, (y > 0).float())",
    "bernoulli": "F.binary_cross_entropy_with_logits(x, torch.bernoulli(torch.full_like(x, 0.5)))",
    "ones and zeros as labels": (
        "loss = F.binary_cross_entropy_with_logits(x, torch.ones_like(x))\n"
        "loss = loss + F.binary_cross_entropy_with_logits(y, torch.zeros_like(y))"
    ),
}
"""Right programs of what no code of kl_div shows: each loss call must be understood."""
