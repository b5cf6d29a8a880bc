"""The operations of torch that klint knows, as a table.

A row names an operation, says how it treats what its input means (``Transfer``), and lists the callables that perform it with
torch's own signatures: ``F.softmax(input, dim=None)`` a function, ``.softmax(dim)`` a tensor method (the receiver is the
first slot, ``input``), ``nn.Softmax(dim=None)`` a module whose call takes ``input``, ``@shape`` a tensor property. ``nn.`` and ``F.``
are short for ``torch.nn.`` and ``torch.nn.functional.``. The first callable of a row is the one that ``klint verify`` replays.
"""

from __future__ import annotations

from klint.torch_model.comparisons import COMPARISONS
from klint.torch_model.layers import LAYERS
from klint.torch_model.losses import LOSSES
from klint.torch_model.table import OperationSpec, Transfer
from klint.torch_model.table import row as _row

T = Transfer

ROWS: tuple[OperationSpec, ...] = (
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
    _row("log1p", T.UNKNOWN, "torch.log1p(input)", ".log1p()"),
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
    # (replayed as the method, which the next row claims for itself)
    _row(
        "parameter",
        T.PARAMETER,
        ".requires_grad_(requires_grad=True)",
        "torch.nn.parameter.Parameter(input, requires_grad=True)",
    ),
    _row("buffer", T.BUFFER, "torch.nn.parameter.Buffer(input, persistent=True)", pure=False),
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
    _row("view_as", T.VIEW, ".view_as(other)", ".reshape_as(other)"),
    _row("unflatten", T.VIEW, ".unflatten(dim, sizes)", "torch.unflatten(input, dim, sizes)"),
    _row("nn_unflatten", T.VIEW, "nn.Unflatten(dim, sizes)"),
    _row("broadcast_to", T.VIEW, "torch.broadcast_to(input, shape)", ".broadcast_to(*shape)"),
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
    _row(
        "process",
        T.UNKNOWN,
        "torch.distributed.get_rank(group=None)",
        "torch.distributed.get_world_size(group=None)",
        pure=False,
    ),
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
    _row("normalize", T.NORMALIZE, "F.normalize(input, p=2.0, dim=1, eps=1e-12)"),
    _row(
        "cosine_similarity",
        T.COSINE,
        "F.cosine_similarity(input, other, dim=1, eps=1e-08)",
        "torch.cosine_similarity(input, other, dim=1, eps=1e-08)",
    ),
    _row("cosinesimilarity", T.COSINE, "nn.CosineSimilarity(dim=1, eps=1e-08)", pure=False),
    _row("floordiv", T.FLOORDIV, "torch.floor_divide(input, other)"),
    _row("mod", T.UNKNOWN, "torch.remainder(input, other)"),
    _row("pow", T.POW, "torch.pow(input, exponent)", ".pow(exponent)"),
    _row("neg", T.NEG, "torch.neg(input)", ".neg()"),
    _row(
        "matmul",
        T.MATMUL,
        "torch.matmul(input, other)",
        "torch.mm(input, other)",
        "torch.bmm(input, other)",
        ".matmul(other)",
        ".mm(other)",
        ".bmm(other)",
        "torch.mv(input, other)",
        ".mv(other)",
    ),
    _row("addmm", T.SCORES, "torch.addmm(input, mat1, mat2)", "torch.baddbmm(input, mat1, mat2)"),
    _row("einsum", T.EINSUM, "torch.einsum(equation, *operands)"),
    _row("lerp", T.LERP, "torch.lerp(input, end, weight)", ".lerp(end, weight)"),
    _row("sum", T.SUM, "torch.sum(input, dim=None, keepdim=False)", ".sum(dim=None, keepdim=False)"),
    _row("mean", T.MEAN, "torch.mean(input, dim=None, keepdim=False)", ".mean(dim=None, keepdim=False)"),
    # Whole numbers
    _row("argmax", T.INDICES, "torch.argmax(input, dim=None, keepdim=False)", ".argmax(dim=None, keepdim=False)"),
    _row("argsort", T.INDICES, "torch.argsort(input, dim=-1, descending=False)", ".argsort(dim=-1, descending=False)"),
    _row(
        "multinomial",
        T.INDICES,
        "torch.multinomial(input, num_samples, replacement=False)",
        ".multinomial(num_samples, replacement=False)",
        random=True,
    ),
    _row("randperm", T.INDICES, "torch.randperm(*range)", random=True),
    _row("bernoulli", T.BERNOULLI, "torch.bernoulli(input)", ".bernoulli()", random=True),
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
    _row("LongTensor", T.LITERAL, "torch.LongTensor(input)", pure=False),
    _row("new_tensor", T.LITERAL, ".new_tensor(data)"),
    _row("randn", T.CREATE, "torch.randn(*size)", random=True, detail="scores"),
    _row("normal", T.CREATE, "torch.normal(mean, std, size)", random=True, detail="scores"),
    _row("rand", T.CREATE, "torch.rand(*size)", random=True, detail="unknown"),
    _row("zeros", T.CREATE, "torch.zeros(*size)", detail="zeros"),
    _row("ones", T.CREATE, "torch.ones(*size)", detail="ones"),
    _row("empty", T.CREATE, "torch.empty(*size)", detail="unknown"),
    _row("full", T.CREATE, "torch.full(size, fill_value)", detail="full"),
    _row("eye", T.CREATE, "torch.eye(n, m)", detail="square"),
    _row("linspace", T.CREATE, "torch.linspace(start, end, steps)", detail="unknown"),
    _row("new_zeros", T.CREATE, ".new_zeros(*size)", detail="zeros new"),
    _row("new_ones", T.CREATE, ".new_ones(*size)", detail="ones new"),
    _row("new_empty", T.CREATE, ".new_empty(*size)", detail="unknown new"),
    _row("new_full", T.CREATE, ".new_full(size, fill_value)", detail="full new"),
    _row("randn_like", T.CREATE, "torch.randn_like(input)", ".normal_()", random=True, detail="scores like"),
    _row("rand_like", T.CREATE, "torch.rand_like(input)", ".uniform_()", random=True, detail="unknown like"),
    _row("empty_like", T.CREATE, "torch.empty_like(input)", detail="unknown like"),
    _row("zeros_like", T.CREATE, "torch.zeros_like(input)", ".zero_()", detail="zeros like"),
    _row("ones_like", T.CREATE, "torch.ones_like(input)", detail="ones like"),
    _row("full_like", T.CREATE, "torch.full_like(input, fill_value)", ".fill_(fill_value)", detail="full like"),
    _row("copy", T.COPY, "torch.slice_scatter(input, src)", ".copy_(src)"),
    # Joining, parting, picking
    _row(
        "cat", T.JOIN, "torch.cat(tensors, dim=0)", "torch.concat(tensors, dim=0)", "torch.concatenate(tensors, dim=0)"
    ),
    _row("stack", T.JOIN, "torch.stack(tensors, dim=0)"),
    _row("chunk", T.SPLIT, "torch.chunk(input, chunks, dim=0)", ".chunk(chunks, dim=0)"),
    _row("split", T.SPLIT, "torch.split(input, split_size, dim=0)", ".split(split_size, dim=0)"),
    _row("unbind", T.SPLIT, "torch.unbind(input, dim=0)", ".unbind(dim=0)"),
    _row("max", T.EXTREME, "torch.max(input, dim=None, keepdim=False)", ".max(dim=None, keepdim=False)"),
    _row("min", T.EXTREME, "torch.min(input, dim=None, keepdim=False)", ".min(dim=None, keepdim=False)"),
    _row("topk", T.EXTREME, "torch.topk(input, k, dim=-1)", ".topk(k, dim=-1)"),
    _row("sort", T.EXTREME, "torch.sort(input, dim=-1, descending=False)", ".sort(dim=-1, descending=False)"),
    _row("values", T.SELECT, "@values"),
    _row("indices", T.INDICES, "@indices"),
    _row("gather", T.SELECT, "torch.gather(input, dim, index)", ".gather(dim, index)"),
    _row("index_select", T.SELECT, "torch.index_select(input, dim, index)", ".index_select(dim, index)"),
    _row("masked_select", T.SELECT, "torch.masked_select(input, mask)", ".masked_select(mask)"),
    _row("narrow", T.SELECT, "torch.narrow(input, dim, start, length)", ".narrow(dim, start, length)"),
    _row("select", T.SELECT, "torch.select(input, dim, index)", ".select(dim, index)"),
    _row("roll", T.SELECT, "torch.roll(input, shifts, dims=None)", ".roll(shifts, dims=None)"),
    _row("flip", T.SELECT, "torch.flip(input, *dims)", ".flip(*dims)"),
    _row("repeat", T.SELECT, ".repeat(*sizes)"),
    _row("diagonal", T.SELECT, "torch.diagonal(input)", ".diagonal()"),
    _row("diag", T.DIAGONAL, "torch.diag(input)", ".diag()"),
    _row(
        "repeat_interleave",
        T.SELECT,
        "torch.repeat_interleave(input, repeats, dim=None)",
        ".repeat_interleave(repeats, dim=None)",
    ),
    _row(
        "masked_fill",
        T.OVERWRITE,
        ".masked_fill(mask, value)",
        ".masked_fill_(mask, value)",
        "torch.masked_fill(input, mask, value)",
    ),
    _row(
        "scatter",
        T.OVERWRITE,
        ".scatter(dim, index, src)",
        ".scatter_(dim, index, src)",
        "torch.scatter(input, dim, index, src)",
    ),
    _row("where", T.WHERE, "torch.where(condition, input, other)"),
    _row("rearrange", T.LIKE_FIRST, "einops.rearrange(input, pattern)", "einops.repeat(input, pattern)", pure=False),
    _row("unfold", T.LIKE_FIRST, ".unfold(dimension, size, step)"),
    _row("to_dense", T.LIKE_FIRST, ".to_dense()", ".permute_as(other)"),
    # Distributions
    _row(
        "categorical_probs",
        T.SOFTMAX,
        "torch.distributions.Categorical@probs",
        "torch.distributions.OneHotCategorical@probs",
        detail="categorical",
    ),
    _row(
        "categorical_logits",
        T.LOG_SOFTMAX,
        "torch.distributions.Categorical@logits",
        "torch.distributions.OneHotCategorical@logits",
        detail="categorical",
    ),
    _row("entr", T.ENTROPY, "torch.special.entr(input)"),
    _row(
        "categorical_sample",
        T.INDICES,
        "torch.distributions.Categorical.sample(probs, logits)",
        random=True,
        pure=False,
    ),
    _row("categorical_entropy", T.ENTROPY, "torch.distributions.Categorical.entropy(probs, logits)"),
    # Layers and activations: their rows are in layers.py
    *LAYERS,
    # Comparisons: == and the like are built as these too
    _row("eq", T.COMPARE, "torch.eq(input, other)", ".eq(other)", detail="each"),
    _row("lt", T.COMPARE, "torch.lt(input, other)", ".lt(other)", detail="each"),
    _row("le", T.COMPARE, "torch.le(input, other)", ".le(other)", detail="each"),
    _row("gt", T.COMPARE, "torch.gt(input, other)", ".gt(other)", detail="each"),
    _row("ge", T.COMPARE, "torch.ge(input, other)", ".ge(other)", detail="each"),
    _row("ne", T.COMPARE, "torch.ne(input, other)", ".ne(other)", detail="each"),
    _row(
        "allclose",
        T.COMPARE,
        "torch.allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)",
        ".allclose(other)",
    ),
    _row("isclose", T.COMPARE, "torch.isclose(input, other)", "math.isclose(input, other)", ".isclose(other)"),
    _row("assert_close", T.COMPARE, "torch.testing.assert_close(actual, expected)"),
    # What the graph builder itself makes of loops and of ``x[i] = value``
    _row("any_item", T.ANY_ITEM, "klint.any_item(input)", pure=False),
    _row("setitem", T.SETITEM, "klint.setitem(input, value)", pure=False),
    _row("row", T.ROW, "klint.row(input, index)", pure=False),
    _row("print", T.UNKNOWN, "builtins.print(*values)"),
    *COMPARISONS,
    # Losses: their slots are in losses.py
    *(
        OperationSpec(loss.name, T.LOSS, (f"F.{loss.name}({loss.call})", f"{loss.module}({loss.options})"))
        for loss in LOSSES.values()
    ),
)

OPERATIONS: dict[str, OperationSpec] = {row.name: row for row in ROWS}

_SHORT = (("nn.", "torch.nn."), ("F.", "torch.nn.functional."))


def split_callable(text: str) -> tuple[str, tuple[str, ...]]:
    """``"F.softmax(input, dim=None)"`` -> its qualified name and slot names; methods and properties keep ``.`` and ``@``."""
    name, _, slots = text.rstrip(")").partition("(")
    for short, full in _SHORT:
        if name.startswith(short):
            name = full + name[len(short) :]
            break
    return name, tuple(slot.partition("=")[0].strip() for slot in slots.split(",") if slot.strip())
