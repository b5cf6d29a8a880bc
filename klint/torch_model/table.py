"""What a row of the tables says of an operation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Transfer(Enum):
    """How an operation moves what is known of its operands to its result; ``infer.py`` holds one function for each."""

    SOFTMAX = "softmax"  # scores -> probabilities over dim
    LOG_SOFTMAX = "log_softmax"  # scores -> log-probabilities over dim
    SIGMOID = "sigmoid"
    LOG_SIGMOID = "logsigmoid"
    LOG = "log"
    EXP = "exp"
    SCORES = "scores"  # a layer: whatever goes in, scores come out
    STAY_SCORES = "stay scores"  # scores stay scores; of anything else nothing is known afterwards
    MATMUL = "matmul"
    NORMALIZE = "normalize"
    COSINE = "cosine"  # cosines of rows: scores between -1 and 1
    SELECT = "select"  # numbers picked out: scores stay scores, distributions do not stay whole
    OVERWRITE = "overwrite"  # masked_fill, scatter_, fill_
    WHERE = "where"
    KEEP = "keep"  # same numbers, same shape
    CLAMP = "clamp"  # same meaning up to a bound
    INDICES = "indices"  # whole numbers that name classes
    ONE_HOT = "one_hot"
    LOSS = "loss"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    FLOORDIV = "floordiv"
    POW = "pow"
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
    SPLIT = "split"  # chunk, split, unbind: a tuple of parts along a dim
    EXTREME = "extreme"  # max, topk, sort over a dim: a pair of values and indices
    EMBEDDING = "embedding"  # rows of a table
    RECURRENT = "recurrent"  # a tuple: scores, and the scores of the hidden state
    ATTENTION = "attention"  # a tuple: scores, and the weights that they were averaged with
    AVERAGE = "average"  # averages of the rows of ``value``
    LERP = "lerp"
    EINSUM = "einsum"
    COPY = "copy"
    DIAGONAL = "diagonal"
    PARAMETER = "parameter"  # a tensor that is learnt
    BUFFER = "buffer"  # a tensor that a module holds and may fill anew
    BERNOULLI = "bernoulli"  # zeros and ones
    ENTROPY = "entropy"
    LIKE_FIRST = "like first"  # einops.rearrange and the like: the meaning stays, over dims that are not followed
    NUMBER = "number"  # float(x), int(x), x.item()
    COMPARE = "compare"
    ANY_ITEM = "any item"  # a value like another one, with numbers of its own
    ROW = "row"  # any item along the first dim
    SETITEM = "setitem"  # x[i] = value
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


def row(
    name: str, transfer: Transfer, *callables: str, random: bool = False, detail: str = "", pure: bool = True
) -> OperationSpec:
    """One row."""
    return OperationSpec(name, transfer, callables, pure, random, detail)
