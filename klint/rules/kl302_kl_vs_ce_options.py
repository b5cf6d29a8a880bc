"""KL302: KL is compared with a cross entropy that has weight, label_smoothing or ignore_index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from klint.finding import Fix, Severity
from klint.graph.nodes import Constant, Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.comparing import Comparison, divisor_in, ratio
from klint.rules.fixes import unsafe, without_option
from klint.rules.rewrite import substituted, total, without_arguments
from klint.torch_model.count import ONE, Count
from klint.torch_model.infer import Inference
from klint.torch_model.sites import ComparisonSite, LossSite


class KlVsCeOptions(Rule[ComparisonSite]):
    """KL is compared with cross entropy minus entropy, where the cross entropy has options that make it another sum.

    ## What it does

    Finds a KL divergence beside a cross entropy minus entropy that would be the same sum without `weight`, `label_smoothing` or `ignore_index`.
    Silent about options that have no effect: weights of 1, a smoothing of 0, a negative `ignore_index`, and about any that is not known.

    ## Why it is wrong

    CE(x, P) - H(P) = KL(P || softmax x) holds for the plain cross entropy. `label_smoothing=s` puts (1 - s) P + s / C in the place of P, `weight`
    multiplies the summand of each class, and `ignore_index` of a class is refused with a soft target: RuntimeError. In the example KL is 0.8648
    and the other side 0.8605; a weight of 5 for one of the ten classes makes it 1.5010. So small a gap passes for rounding, which it is not.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(x, p, label_smoothing=0.1) - F.cross_entropy(y, p))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Fix

    Unsafe, since another number is computed: the option is left out, where there is one, at one cross entropy that nothing else uses.

    ## References

    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL302"
    name = "kl-vs-ce-options"
    summary = "KL is compared with a cross entropy that has weight, label_smoothing or ignore_index"
    severity = Severity.WARNING
    site = ComparisonSite
    losses = ("kl_div",)

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """Without the options of the cross entropy, both sides are the same terms up to one factor."""
        comparison = Comparison.of(site)
        if comparison is None or comparison.is_weighed or comparison.key is None:
            return
        calls = {call: options for call in comparison.behind_other() if (options := _options(site.inference, call))}
        plain = _plain(comparison, calls) if calls else None
        if plain is None:
            return
        names = sorted({option for options in calls.values() for option in options})
        given = " and ".join(names)
        for loss_site in comparison.loss_sites:
            yield Draft(
                loss_site.anchor,
                f"this is compared with cross entropy minus entropy, where the cross entropy has {given}: "
                f"{_effect(names)}; use cross_entropy without {given}",
                _claim(comparison, loss_site, plain, calls),
                related=(
                    *((call.anchor, f"cross entropy with {' and '.join(calls[call])}") for call in calls),
                    (site.place.anchor, "side by side"),
                ),
                fix=lambda: _fix(site.inference, calls),
            )


def _fix(inference: Inference, calls: dict[Operation, tuple[str, ...]]) -> Fix | None:
    """The one option of the one cross entropy left out."""
    if len(calls) != 1:
        return None
    ((call, names),) = calls.items()
    edits = without_option(LossSite(call, inference), names[0]) if len(names) == 1 else None
    return unsafe(f"Use cross_entropy without {names[0]}", edits)


@dataclass(frozen=True)
class _Plain:
    """The other side without the options: its graph, and what it divides by."""

    node: Node
    rows: Count


def _options(inference: Inference, call: Operation) -> tuple[str, ...]:
    """The options of a cross entropy that surely have an effect on its value."""
    if call.name != "cross_entropy" or call.open:
        return ()
    return tuple(option for option, has_effect in _EFFECTIVE.items() if has_effect(inference, call))


def _weighs(inference: Inference, call: Operation) -> bool:
    """Whether ``weight`` is a tensor, and not one of nothing but 1."""
    node = inference.value(call, "weight")
    return isinstance(node, Operation) and inference.facts(node).fill != ONE


def _smooths(inference: Inference, call: Operation) -> bool:
    node = inference.value(call, "label_smoothing")
    return isinstance(node, Constant) and isinstance(node.value, (int, float)) and bool(node.value)


def _ignores(inference: Inference, call: Operation) -> bool:
    index = inference.integer(call, "ignore_index")
    return index is not None and index >= 0 and inference.argument(call, "target").is_distribution


_EFFECTIVE = {"weight": _weighs, "label_smoothing": _smooths, "ignore_index": _ignores}


def _plain(comparison: Comparison, calls: dict[Operation, tuple[str, ...]]) -> _Plain | None:
    """The other side without the options, if it is the KL divergence up to a factor then."""
    node: Node = comparison.other
    for call, options in calls.items():
        node = substituted(node, call, without_arguments(call, *options))
    inference = comparison.inference.afresh()
    facts = inference.facts(node)
    return None if ratio(inference.facts(comparison.kl), facts) is None else _Plain(node, divisor_in(facts))


def _effect(options: list[str]) -> str:
    if "ignore_index" in options:
        return "torch refuses an ignored class with a soft target"
    return "the two differ by more than rounding"


def _claim(comparison: Comparison, site: LossSite, plain: _Plain, calls: dict[Operation, tuple[str, ...]]) -> Claim:
    """Either call raises, or the other side is not the KL divergence, which it is without the options."""
    for call, options in calls.items():
        if "ignore_index" in options:
            fixed = total(without_arguments(call, "ignore_index"), "sum")
            choices = dict(site.inference.choices)
            return Claim(
                "torch refuses the cross entropy", Effect.RAISES, as_written=call, fixed=fixed, choices=choices
            )
    return comparison.other_claim(site, "CE - entropy is not KL", plain.node, plain.rows)
