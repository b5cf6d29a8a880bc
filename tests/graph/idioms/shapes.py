"""Evidence of ranks: where the input is 1-D, 'batchmean' divides by the class count."""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, twins

FLAT = "KL202"


def ranks(wrong: str, right: str) -> Idiom:
    """Two expressions for the input: 1-D, and batched."""
    return twins(
        """
        s = ___
        F.kl_div(F.log_softmax(s, dim=-1), F.softmax(torch.randn_like(s), dim=-1), reduction="batchmean")
        """,
        wrong,
        right,
        FLAT,
    )


def of_unknown(wrong: str, right: str) -> Idiom:
    """Two statements about a tensor of which nothing else is known."""
    return twins(
        """
        def entry(flat, rows):
            ___
            return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(s * 2, dim=-1), reduction="batchmean")
        """,
        wrong,
        right,
        FLAT,
    )


def positions(source: str, wrong: str, right: str) -> Idiom:
    """Two counts for a KL of more than two dims beside cross entropy minus entropy: with and without the positions."""
    return twins(
        f"""
        def entry(cube, image, rows):
            {source}
            p = F.softmax(2 * cube, dim=1)
            kl = F.kl_div(F.log_softmax(cube, dim=1), p, reduction="sum") / ___
            return kl, F.cross_entropy(cube, p) - F.cross_entropy(2 * cube, p)
        """,
        wrong,
        right,
        "KL301",
    )


SHAPES: dict[str, Idiom] = {
    # Creation
    "tensor literal": ranks("torch.tensor([0.1, 0.2, 0.4, 0.3])", "torch.tensor([[0.1, 0.2, 0.4, 0.3]])"),
    "as_tensor literal": ranks("torch.as_tensor([1.0, 2.0])", "torch.as_tensor([[1.0, 2.0]])"),
    "FloatTensor literal": ranks("torch.FloatTensor([1.0, 2.0])", "torch.FloatTensor([[1.0, 2.0]])"),
    "Tensor literal": ranks("torch.Tensor([1.0, 2.0])", "torch.Tensor([[1.0, 2.0]])"),
    "literal of a list that has a name": twins(
        """
        values = ___
        s = torch.tensor(values)
        F.kl_div(F.log_softmax(s, dim=-1), F.softmax(2 * s, dim=-1), reduction="batchmean")
        """,
        "[0.1, 0.2, 0.7]",
        "[[0.1, 0.2, 0.7]]",
        FLAT,
    ),
    "randn": ranks("torch.randn(10)", "torch.randn(1, 10)"),
    "randn of a tuple": ranks("torch.randn((10,))", "torch.randn((1, 10))"),
    "randn of a list": ranks("torch.randn([10])", "torch.randn([1, 10])"),
    "randn of a named size": ranks("torch.randn(size=(10,))", "torch.randn(size=(1, 10))"),
    "randn of a size that has a name": twins(
        """
        shape = ___
        s = torch.randn(*shape)
        F.kl_div(F.log_softmax(s, dim=-1), F.softmax(2 * s, dim=-1), reduction="batchmean")
        """,
        "(10,)",
        "(8, 10)",
        FLAT,
    ),
    "rand": ranks("torch.rand(10)", "torch.rand(1, 10)"),
    "zeros": ranks("torch.zeros(10)", "torch.zeros(1, 10)"),
    "ones": ranks("torch.ones(10)", "torch.ones(1, 10)"),
    "empty": ranks("torch.empty(10).normal_()", "torch.empty(1, 10).normal_()"),
    "full": ranks("torch.full((10,), 0.5)", "torch.full((1, 10), 0.5)"),
    "eye": ranks("torch.eye(10)[0]", "torch.eye(10)"),
    "linspace": ranks("torch.linspace(0, 1, 10)", "torch.linspace(0, 1, 10)[None]"),
    "arange": ranks("torch.arange(10).float()", "torch.arange(10).float()[None]"),
    "normal": ranks("torch.normal(0.0, 1.0, (10,))", "torch.normal(0.0, 1.0, (1, 10))"),
    "randn_like": ranks("torch.randn_like(x[0])", "torch.randn_like(x)"),
    "zeros_like": ranks("torch.zeros_like(x[0])", "torch.zeros_like(x)"),
    "new_zeros": ranks("x.new_zeros(10)", "x.new_zeros(1, 10)"),
    "new_tensor": ranks("x.new_tensor([1.0, 2.0])", "x.new_tensor([[1.0, 2.0]])"),
    "nn.Parameter": ranks("nn.Parameter(torch.randn(10))", "nn.Parameter(torch.randn(1, 10))"),
    # Shapes that are changed
    "view(-1)": of_unknown("s = rows.view(-1)", "s = rows.view(-1, 10)"),
    "reshape(-1)": of_unknown("s = rows.reshape(-1)", "s = rows.reshape(-1, 10)"),
    "reshape of a tuple": of_unknown("s = rows.reshape((-1,))", "s = rows.reshape((8, -1))"),
    "torch.reshape": of_unknown("s = torch.reshape(rows, (-1,))", "s = torch.reshape(rows, (-1, 10))"),
    "flatten": of_unknown("s = rows.flatten()", "s = rows.flatten(1)"),
    "torch.flatten": of_unknown("s = torch.flatten(rows)", "s = torch.flatten(rows, 1)"),
    "ravel": of_unknown("s = rows.ravel()", "s = rows.ravel().unsqueeze(0)"),
    "view_as": ranks("torch.randn(2, 5).view_as(x[0])", "torch.randn(2, 40).view_as(x)"),
    "unsqueeze": pair(
        "s = x[0]\nF.kl_div(F.log_softmax(s, dim=-1), F.softmax(y[0], dim=-1), reduction='batchmean')",
        FLAT,
        "s = x[0].unsqueeze(0)\nF.kl_div(F.log_softmax(s, dim=-1), p[:1], reduction='batchmean')",
    ),
    "index None": ranks("torch.randn(10)", "torch.randn(10)[None, :]"),
    "squeeze of a dim": ranks("torch.randn(1, 10).squeeze(0)", "torch.randn(1, 1, 10).squeeze(0)"),
    "squeeze": ranks("torch.randn(1, 10, 1).squeeze()", "torch.randn(2, 10, 1).squeeze()"),
    "index of a row": ranks("x[0]", "x[0:1]"),
    "index of a row and a slice": ranks("x[0, :]", "x[:1, :]"),
    "index of a column": ranks("x[:, 0]", "x[:, :5]"),
    "index with an ellipsis": ranks("x[..., 0]", "x[..., :5]"),
    "index with a mask": ranks("x[x > 0]", "x[x[:, 0] > -9]"),
    "select": ranks("x.select(0, 3)", "x.narrow(0, 3, 1)"),
    "unbind": ranks("x.unbind(0)[1]", "torch.stack([x, y]).unbind(0)[1]"),
    "split": ranks("torch.randn(20).split(10)[0]", "x.split(4)[0]"),
    "chunk": ranks("torch.randn(20).chunk(2)[0]", "x.chunk(2)[0]"),
    "stack": ranks("torch.cat([x[0], y[0]])", "torch.stack([x[0], y[0]])"),
    "transpose": ranks("x.transpose(0, 1)[0]", "x.transpose(0, 1)"),
    "permute": ranks("x.permute(1, 0)[0]", "x.permute(1, 0)"),
    "expand": ranks("torch.randn(1).expand(10)", "torch.randn(10).expand(8, 10)"),
    "repeat": ranks("torch.randn(5).repeat(2)", "torch.randn(10).repeat(8, 1)"),
    "diagonal": ranks("torch.randn(10, 10).diagonal()", "torch.randn(10).diag()"),
    # Shapes that come out of operations
    "sum over a dim": ranks("x.sum(0)", "x.sum(0, keepdim=True)"),
    "mean over a dim": ranks("x.mean(dim=0)", "x.mean(dim=0, keepdim=True)"),
    "mean over two dims": ranks("torch.randn(4, 6, 10).mean(dim=(0, 1))", "torch.randn(4, 6, 10).mean(dim=1)"),
    "torch.sum over a dim": ranks("torch.sum(x, 0)", "torch.sum(x, 0, True)"),
    "max over a dim": ranks("x.max(0).values", "x.max(0, keepdim=True).values"),
    "max over a dim by index": ranks("x.max(0)[0]", "x.max(0, True)[0]"),
    "logsumexp over a dim": ranks("x.logsumexp(0)", "x.logsumexp(0, keepdim=True)"),
    "nn.Linear": ranks("nn.Linear(5, 10)(torch.randn(5))", "nn.Linear(5, 10)(torch.randn(1, 5))"),
    "nn.Sequential of layers": ranks(
        "nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 10))(torch.randn(5))",
        "nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 10))(torch.randn(1, 5))",
    ),
    "nn.Embedding": ranks("nn.Embedding(9, 10)(torch.tensor(3))", "nn.Embedding(9, 10)(torch.tensor([3]))"),
    "matmul": ranks("torch.randn(5) @ torch.randn(5, 10)", "torch.randn(1, 5) @ torch.randn(5, 10)"),
    "matmul with a vector": ranks("torch.randn(10, 5) @ torch.randn(5)", "torch.randn(10, 5) @ torch.randn(5, 3)"),
    "mv": ranks("torch.mv(torch.randn(10, 5), torch.randn(5))", "torch.mm(torch.randn(8, 5), torch.randn(5, 10))"),
    "broadcast of a sum": ranks("torch.randn(10) + 1", "torch.randn(10) + torch.zeros(8, 1)"),
    "activation": ranks("torch.tanh(torch.randn(10))", "torch.tanh(torch.randn(1, 10))"),
    "one_hot": ranks("F.one_hot(torch.tensor(3), 10).float()", "F.one_hot(torch.tensor([3]), 10).float()"),
    "loop over the rows": twins(
        """
        for row in x:
            s = row___
            F.kl_div(F.log_softmax(s, dim=-1), F.softmax(2 * s, dim=-1), reduction="batchmean")
        """,
        "",
        ".unsqueeze(0)",
        FLAT,
    ),
    "loop over the rows of a pair": twins(
        """
        for a, b in zip(x, y):
            loss = F.kl_div(a___.log_softmax(-1), b___.softmax(-1), reduction="batchmean")
        """,
        "",
        "[None]",
        FLAT,
    ),
    # Evidence about tensors of unknown origin
    "shape unpacked": of_unknown("(n,) = flat.shape; s = flat", "b, n = rows.shape; s = rows"),
    "size() unpacked": of_unknown("(n,) = flat.size(); s = flat", "b, n = rows.size(); s = rows"),
    "length of the shape asserted": of_unknown(
        "assert len(flat.shape) == 1; s = flat", "assert len(rows.shape) == 2; s = rows"
    ),
    "dim() asserted": of_unknown("assert flat.dim() == 1; s = flat", "assert rows.dim() == 2; s = rows"),
    "ndim asserted": of_unknown("assert flat.ndim == 1; s = flat", "assert rows.ndim == 2; s = rows"),
    "dim() tested": twins(
        """
        def entry(flat):
            if flat.dim() ___ 1:
                return F.kl_div(flat.log_softmax(-1), F.softmax(2 * flat, dim=-1), reduction="batchmean")
            return None
        """,
        "==",
        "!=",
        FLAT,
    ),
    "ndim tested with an early return": twins(
        """
        def entry(flat):
            if flat.ndim ___ 1:
                return None
            return F.kl_div(flat.log_softmax(-1), F.softmax(2 * flat, dim=-1), reduction="batchmean")
        """,
        "!=",
        "==",
        FLAT,
    ),
    "made batched if it is not": pair(
        """
        def entry(flat):
            if flat.dim() == 2:
                flat = flat[0]
            if flat.dim() == 1:
                return F.kl_div(flat.log_softmax(-1), F.softmax(flat * 2, dim=-1), reduction="batchmean")
            return None
        """,
        FLAT,
        """
        def entry(flat):
            if flat.dim() == 1:
                flat = flat.unsqueeze(0)
            return F.kl_div(flat.log_softmax(-1), F.softmax(flat * 2, dim=-1), reduction="batchmean")
        """,
    ),
    "dim that is used before": pair(
        """
        def entry(flat):
            q = flat.view(flat.numel())
            return F.kl_div(q.log_softmax(0), q.softmax(0), reduction="batchmean")
        """,
        FLAT,
        """
        def entry(rows):
            q = rows.log_softmax(1)
            return F.kl_div(q, rows.softmax(1), reduction="batchmean")
        """,
    ),
    "rank of the target by the rank of the input": twins(
        """
        def entry(rows):
            s = torch.randn_like(rows___)
            return F.kl_div(s.log_softmax(-1), F.softmax(2 * s, dim=-1), reduction="batchmean")
        """,
        ".view(-1)",
        ".view(8, 10)",
        FLAT,
    ),
    # More than two dims: cross entropy divides by the positions too
    "three sizes of a shape": positions("B, C, T = cube.shape", "B", "(B * T)"),
    "three sizes of size()": positions("B, C, T = cube.size()", "B", "(B * T)"),
    "four sizes of a shape": positions("B, C, H, W = image.shape; cube = image", "B", "(B * H * W)"),
    "three sizes of a view": positions("cube = cube.view(-1, 10, 6)", "len(cube)", "(len(cube) * 6)"),
    "nn.Conv1d": positions("cube = nn.Conv1d(10, 5, 1)(cube)", "cube.size(0)", "(cube.size(0) * cube.size(2))"),
    "nn.Conv2d": positions(
        "cube = nn.Conv2d(3, 5, 1)(image)", "cube.size(0)", "(cube.size(0) * cube.size(2) * cube.size(3))"
    ),
    "nn.Linear on three dims": positions(
        "B, S, _ = cube.shape; cube = nn.Linear(6, 4)(cube)", "cube.shape[0]", "(cube.shape[0] * 4)"
    ),
    "dim() of three asserted": positions("assert cube.dim() == 3", "cube.size(0)", "(cube.size(0) * cube.size(-1))"),
    "unsqueeze of rows": positions("cube = rows.unsqueeze(2)[:, :, [0, 0, 0]]", "rows.size(0)", "(rows.size(0) * 3)"),
    "stack of rows": positions("cube = torch.stack([rows, rows], dim=2)", "rows.size(0)", "(rows.size(0) * 2)"),
    "permute of a shape": positions("B, C, T = cube.shape; cube = cube.permute(2, 1, 0)", "T", "(B * T)"),
    "transpose of a shape": positions("B, C, T = cube.shape; cube = cube.transpose(0, 2)", "T", "(T * B)"),
    "flatten of positions": positions("B, C, H, W = image.shape; cube = image.flatten(2)", "B", "(B * H * W)"),
}
