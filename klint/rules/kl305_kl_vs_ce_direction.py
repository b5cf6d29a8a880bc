"""KL305: KL is compared with the cross entropy of the swapped distributions."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.comparing import Comparison
from klint.torch_model.sites import ComparisonSite


class KlVsCeDirection(Rule[ComparisonSite]):
    """KL is compared with cross entropy minus entropy, where the two distributions have changed places.

    ## What it does

    Finds KL(P || Q) beside the cross entropy with Q for the target and P for the model, minus an entropy. Silent about two KL divergences
    side by side: the symmetric, the generalised and the Jensen-Shannon divergence are made of both directions.

    ## Why it is wrong

    KL is not symmetric: `F.kl_div(log_q, p)` is KL(P || Q) = CE(Q, P) - H(P), where the second argument is the target P, as it is for `cross_entropy`. With
    Q as the target it is KL(Q || P). In the example the one is 0.8648 and the other 0.8181: near each other, so that the gap passes for rounding.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p, q = F.softmax(y, dim=1), F.softmax(x, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(y, q) - F.cross_entropy(x, q))
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

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    """

    code = "KL305"
    name = "kl-vs-ce-direction"
    summary = "KL is compared with the cross entropy of the swapped distributions"
    severity = Severity.ERROR
    site = ComparisonSite
    losses = ("kl_div",)

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """The other side is a cross entropy of the two distributions in the other order, minus the entropy of either."""
        comparison = Comparison.of(site)
        subtraction = comparison.subtraction if comparison is not None and not comparison.is_weighed else None
        if comparison is None or subtraction is None or comparison.key is None:
            return
        cross, term, rows = subtraction
        target, source = comparison.key
        if cross != (source, target) or term not in ((source, source), (target, target)):
            return
        calls = [operation for operation in comparison.terms_behind_other(cross) if operation.name == "cross_entropy"]
        if not calls:  # KL in either direction, as symmetric divergences have it
            return
        for loss_site in comparison.loss_sites:
            yield Draft(
                loss_site.anchor,
                f"this is KL with {loss_site.target.text} for the target, and is compared with a cross entropy that has the two "
                "distributions swapped: KL is not symmetric; use the same target on both sides",
                comparison.other_claim(loss_site, "CE - entropy of the swapped distributions is not KL", None, rows),
                related=(
                    (calls[0].anchor, "cross entropy with the distributions swapped"),
                    (site.place.anchor, "side by side"),
                ),
            )
