"""The layers and activations of ``torch.nn``: what goes in hardly matters, what comes out are scores.

Those with weights or state of their own are not pure: to verify they are free tensors of scores.
"""

from __future__ import annotations

from klint.torch_model.table import OperationSpec, Transfer, row

_SCORES = """
    Bilinear(in1_features, in2_features, out_features) LazyLinear(out_features)
    Conv1d(in_channels, out_channels, kernel_size) Conv2d(in_channels, out_channels, kernel_size)
    Conv3d(in_channels, out_channels, kernel_size) ConvTranspose1d(in_channels, out_channels, kernel_size)
    ConvTranspose2d(in_channels, out_channels, kernel_size) ConvTranspose3d(in_channels, out_channels, kernel_size)
    LazyConv1d(out_channels, kernel_size) LazyConv2d(out_channels, kernel_size) Embedding(num_embeddings, embedding_dim)
    EmbeddingBag(num_embeddings, embedding_dim) Transformer() TransformerEncoder(encoder_layer, num_layers)
    TransformerDecoder(decoder_layer, num_layers) TransformerEncoderLayer(d_model, nhead) TransformerDecoderLayer(d_model, nhead)
    GRUCell(input_size, hidden_size) RNNCell(input_size, hidden_size)
"""
"""Learnt layers: any real number may come out."""

_SAME_SHAPE = """
    BatchNorm1d(num_features) BatchNorm2d(num_features) BatchNorm3d(num_features) SyncBatchNorm(num_features)
    LayerNorm(normalized_shape) GroupNorm(num_groups, num_channels) RMSNorm(normalized_shape)
    InstanceNorm1d(num_features) InstanceNorm2d(num_features) InstanceNorm3d(num_features)
"""
"""Learnt layers that keep the shape."""

_STAY_SCORES = """
    PReLU(num_parameters=1) RReLU() CELU()
    Hardtanh() Softsign() Tanhshrink() Softshrink() Hardshrink() LocalResponseNorm(size) Dropout1d(p=0.5) Dropout2d(p=0.5) Dropout3d(p=0.5) AlphaDropout(p=0.5)
"""
"""Activations that keep the shape, element by element."""

BOUNDED_ACTIVATIONS = frozenset("tanh relu6 hardtanh softsign".split())
"""Activations between two bounds, which a shift and a scale may bring to 0 and 1."""

_POOLS = """
    MaxPool1d(kernel_size) MaxPool2d(kernel_size) MaxPool3d(kernel_size) AvgPool1d(kernel_size) AvgPool2d(kernel_size) AvgPool3d(kernel_size)
    AdaptiveAvgPool1d(output_size) AdaptiveAvgPool2d(output_size) AdaptiveAvgPool3d(output_size) AdaptiveMaxPool1d(output_size)
    AdaptiveMaxPool2d(output_size) Upsample(size=None) UpsamplingBilinear2d(size=None) PixelShuffle(upscale_factor)
    ZeroPad1d(padding) ZeroPad2d(padding) ReflectionPad1d(padding) ReflectionPad2d(padding) ReplicationPad1d(padding)
    ReplicationPad2d(padding) FractionalMaxPool2d(kernel_size) LPPool2d(norm_type, kernel_size) AdaptiveMaxPool3d(output_size)
"""
"""Layers that move numbers about and mix neighbours."""


def _each(kinds: str, transfer: Transfer, detail: str = "") -> tuple[OperationSpec, ...]:
    """One row a class, under its name in small letters; a convolution says the rank of a batch."""
    rows = []
    for kind in " ".join(kinds.split()).split(")"):
        name, _, slots = kind.strip().partition("(")
        if name:
            rank = f"rank {int(name[-2]) + 2}" if "Conv" in name else detail
            rows.append(row(name.lower(), transfer, f"nn.{name}({slots})", detail=rank, pure=False))
    return tuple(rows)


_FUNCTIONAL = {
    "relu": "ReLU(inplace=False)",
    "tanh": "Tanh()",
    "gelu": "GELU(approximate='none')",
    "elu": "ELU(alpha=1.0, inplace=False)",
    "selu": "SELU(inplace=False)",
    "silu": "SiLU(inplace=False)",
    "mish": "Mish(inplace=False)",
    "leaky_relu": "LeakyReLU(negative_slope=0.01, inplace=False)",
    "hardswish": "Hardswish(inplace=False)",
    "relu6": "ReLU6(inplace=False)",
    "softplus": "Softplus(beta=1.0, threshold=20.0)",
}
"""Activations that exist as a function too, with their module."""


def _activations() -> tuple[OperationSpec, ...]:
    rows = []
    for name, module in _FUNCTIONAL.items():
        callables = [f"F.{name}(input)", f"nn.{module}"]
        if name in ("relu", "tanh"):
            callables += [f"torch.{name}(input)", f".{name}()", f".{name}_()"]
        rows.append(row(name, Transfer.STAY_SCORES, *callables, detail="same shape"))
    return tuple(rows)


LAYERS: tuple[OperationSpec, ...] = (
    row("linear_with_weight", Transfer.SCORES, "F.linear(input, weight, bias=None)", detail="leading dims", pure=False),
    row("linear", Transfer.SCORES, "nn.Linear(in_features, out_features, bias=True)", detail="linear", pure=False),
    row("conv1d_with_weight", Transfer.SCORES, "F.conv1d(input, weight, bias=None)", pure=False),
    row("conv2d_with_weight", Transfer.SCORES, "F.conv2d(input, weight, bias=None)", pure=False),
    row("embedding_with_weight", Transfer.EMBEDDING, "F.embedding(input, weight)"),
    row(
        "scaled_dot_product_attention",
        Transfer.AVERAGE,
        "F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0)",
    ),
    row("rnn", Transfer.RECURRENT, "nn.RNN(input_size, hidden_size)", pure=False),
    row("gru", Transfer.RECURRENT, "nn.GRU(input_size, hidden_size)", pure=False),
    row("lstm", Transfer.RECURRENT, "nn.LSTM(input_size, hidden_size)", detail="cell", pure=False),
    row("lstmcell", Transfer.RECURRENT, "nn.LSTMCell(input_size, hidden_size)", detail="cell", pure=False),
    row(
        "multiheadattention", Transfer.ATTENTION, "nn.MultiheadAttention(embed_dim, num_heads, dropout=0.0)", pure=False
    ),
    row(
        "layer_norm_with_weight",
        Transfer.SCORES,
        "F.layer_norm(input, normalized_shape)",
        detail="same shape",
        pure=False,
    ),
    row(
        "batch_norm_with_weight",
        Transfer.SCORES,
        "F.batch_norm(input, running_mean, running_var)",
        detail="same shape",
        pure=False,
    ),
    row(
        "interpolate",
        Transfer.STAY_SCORES,
        "F.interpolate(input, size=None, scale_factor=None)",
        "F.upsample(input, size=None)",
        pure=False,
    ),
    row(
        "dropout",
        Transfer.STAY_SCORES,
        "F.dropout(input, p=0.5, training=True)",
        "nn.Dropout(p=0.5, inplace=False)",
        random=True,
        detail="same shape",
        pure=False,
    ),
    row(
        "pool",
        Transfer.STAY_SCORES,
        "F.avg_pool2d(input, kernel_size)",
        "F.adaptive_avg_pool2d(input, output_size)",
        "F.max_pool2d(input, kernel_size)",
        pure=False,
    ),
    *_activations(),
    *_each(_SCORES, Transfer.SCORES),
    *_each(_SAME_SHAPE, Transfer.SCORES, "same shape"),
    *_each(_STAY_SCORES, Transfer.STAY_SCORES, "same shape"),
    *_each(_POOLS, Transfer.STAY_SCORES),
)
