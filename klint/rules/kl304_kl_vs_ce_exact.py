"""KL304: KL and cross entropy minus entropy are compared with ``==``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.comparing import Comparison, divisor_in, divisor_of, kl_value_claim, ratio
from klint.rules.edits import is_editable, renamed, replaced, spelled, text_of
from klint.rules.fixes import safe
from klint.torch_model.comparisons import EXACT
from klint.torch_model.count import ONE
from klint.torch_model.sites import ComparisonSite


class KlVsCeExact(Rule[ComparisonSite]):
    """KL and cross entropy minus entropy are the same value, and are compared with `==`, which rounding decides.

    ## What it does

    Finds `==`, `!=`, `torch.equal`, `assertEqual`, `numpy.testing.assert_array_equal` and the like between a KL divergence and the same sum in
    another form. Silent where either side is rounded, and about `pytest.approx`.

    ## Why it is wrong

    Both are right, but they are computed in another order: the cross entropy goes through the logarithm of the sum of exponentials, and two numbers of
    the order of ln C are subtracted. In float32 the example is True in 185 of 1000 trials, and so is `!=` in the other 815.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl == F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    torch.testing.assert_close(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Fix

    Safe, since both values stay: `torch.allclose` takes the place of `==` and of `torch.equal`.

    ## References

    - [torch.testing.assert_close](https://pytorch.org/docs/stable/testing.html#torch.testing.assert_close)
    - [Numerical accuracy](https://pytorch.org/docs/stable/notes/numerical_accuracy.html)
    """

    code = "KL304"
    name = "kl-vs-ce-exact"
    summary = "`==` between KL and cross entropy minus entropy"
    severity = Severity.NOTE
    site = ComparisonSite
    losses = ("kl_div",)

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """Both sides are the same terms with the same weights, and compared as they are for being the same number."""
        comparison = Comparison.of(site)
        if comparison is None or site.place.name not in EXACT:
            return
        first, second, *_ = site.place.arguments.values()
        if first is not site.left or second is not site.right:  # pytest.approx, round(x, 4)
            return
        if ratio(comparison.kl_facts, comparison.other_facts) != ONE:
            return
        for loss_site in comparison.loss_sites:
            yield Draft(
                loss_site.anchor,
                f"both sides are the same value but for rounding, and {_how(site.place.name)} asks for the last bit; "
                "use torch.testing.assert_close or torch.allclose",
                kl_value_claim(
                    loss_site,
                    "KL = CE - entropy but for rounding",
                    Effect.SAME,
                    comparison.kl,
                    comparison.other,
                    divisor_of(loss_site, divisor_in(comparison.kl_facts)),
                ),
                related=((comparison.other.anchor, "the same value"), (site.place.anchor, "compared here")),
                fix=lambda: _fix(site),
            )


def _fix(site: ComparisonSite) -> Fix | None:
    """``torch.allclose`` of two tensors in place of ``==`` or ``torch.equal``."""
    place, sides = site.place.anchor, (site.inference.resolve(site.left), site.inference.resolve(site.right))
    tree, unit = place.tree, place.unit
    if any(isinstance(side, Operation) and side.name in _NO_TENSOR for side in sides):
        return None
    if isinstance(tree, ast.Call) and site.place.name == "equal":
        return safe("Use torch.allclose", renamed(unit, tree, "allclose", "torch.allclose"))
    name = spelled(unit, tree, "torch.allclose")
    if name is None or not is_editable(unit, tree) or not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        return None
    sign = "not " if isinstance(tree.ops[0], ast.NotEq) else ""
    call = f"{sign}{name}({text_of(unit, tree.left)}, {text_of(unit, tree.comparators[0])})"
    start, end = unit.span(tree)
    is_plain = isinstance(tree.ops[0], (ast.Eq, ast.NotEq)) and "#" not in unit.text[start:end]
    return safe(f"Use {sign}torch.allclose", (replaced(unit, tree, call),)) if is_plain else None


_NO_TENSOR = ("number", "numpy", "tolist", "round")


def _how(name: str) -> str:
    """A comparison as messages name it."""
    return {"eq": "'=='", "ne": "'!='", "equal": "torch.equal"}.get(name, "the test")
