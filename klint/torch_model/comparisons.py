"""What compares or shows two values: torch's own functions and those of the libraries that tests and scripts use.

Rows as in ``operations.py``. ``COMPARING`` are the operations of two values side by side, ``EXACT`` those of them that ask
for the same number to the last bit, ``SHOWING`` those that show any number
of them, and ``WRAPPING`` those that only change how a value is compared or shown.
"""

from __future__ import annotations

from klint.torch_model.table import OperationSpec, Transfer
from klint.torch_model.table import row as _row

_LEVELS = ("debug", "info", "warning", "error", "critical")
_LOGGERS = ("logging", "logging.getLogger")
_CLOSE = "rtol=1e-05, atol=1e-08, equal_nan=False"
_NUMPY_TESTS = ("assert_allclose", "assert_almost_equal", "assert_approx_equal", "assert_array_almost_equal")
_EXACT_NUMPY_TESTS = ("assert_array_equal", "assert_equal")
_UNITTESTS = ("AlmostEqual", "AlmostEquals", "NotAlmostEqual")
_EXACT_UNITTESTS = ("Equal", "Equals", "NotEqual")

COMPARISONS: tuple[OperationSpec, ...] = (
    _row("equal", Transfer.COMPARE, "torch.equal(input, other)", ".equal(other)"),
    _row(
        "numpy_close",
        Transfer.COMPARE,
        f"numpy.isclose(input, other, {_CLOSE})",
        f"numpy.allclose(input, other, {_CLOSE})",
        pure=False,
    ),
    _row("numpy_equal", Transfer.COMPARE, "numpy.array_equal(input, other)", "numpy.equal(input, other)", pure=False),
    _row("numpy_test", Transfer.COMPARE, *(f"numpy.testing.{name}(input, other)" for name in _NUMPY_TESTS), pure=False),
    _row(
        "unittest",
        Transfer.COMPARE,
        *(f"unittest.TestCase.assert{name}(input, other)" for name in _UNITTESTS),
        pure=False,
    ),
    _row(
        "numpy_exact_test",
        Transfer.COMPARE,
        *(f"numpy.testing.{name}(input, other)" for name in _EXACT_NUMPY_TESTS),
        pure=False,
    ),
    _row(
        "exact_unittest",
        Transfer.COMPARE,
        *(f"unittest.TestCase.assert{name}(input, other)" for name in _EXACT_UNITTESTS),
        pure=False,
    ),
    _row("approx", Transfer.KEEP, "pytest.approx(input, rel=None, abs=None, nan_ok=False)", pure=False),
    _row(
        "round", Transfer.UNKNOWN, "builtins.round(input, ndigits=None)", "torch.round(input)", ".round()", pure=False
    ),
    _row("numpy", Transfer.KEEP, ".numpy(force=False)", pure=False),
    _row("tolist", Transfer.UNKNOWN, ".tolist()", pure=False),
    _row(
        "str",
        Transfer.UNKNOWN,
        "builtins.str(input)",
        "builtins.repr(input)",
        "builtins.format(input, format_spec='')",
        pure=False,
    ),
    _row(
        "log_message",
        Transfer.UNKNOWN,
        *(f"{at}.{level}(msg, *values)" for at in _LOGGERS for level in _LEVELS),
        pure=False,
    ),
    _row(
        "log_values",
        Transfer.UNKNOWN,
        "wandb.log(values, step=None)",
        "mlflow.log_metrics(values, step=None)",
        pure=False,
    ),
)

COMPARING = frozenset({"sub", "eq", "ne", "allclose", "isclose", "assert_close"}) | {
    row.name for row in COMPARISONS if row.transfer is Transfer.COMPARE
}
EXACT = frozenset({"eq", "ne", "equal", "numpy_equal", "numpy_exact_test", "exact_unittest"})
SHOWING = frozenset({"print", "format", "return", "log_message", "log_values"})
WRAPPING = frozenset({"approx", "round", "str", "numpy", "tolist"})
