"""The catalogue: every rule that klint is to have, with its name, level and severity. Codes are stable for ever."""

from __future__ import annotations

CATALOGUE = """
KL101 kl-input-probabilities on error
KL102 kl-input-scores on error
KL103 kl-target-log-probabilities on error
KL104 kl-target-scores on error
KL105 kl-log-target-probabilities on error
KL106 kl-swapped-arguments on error
KL107 kl-class-indices on error
KL108 kl-dim-mismatch on error
KL109 kl-broadcast on warning
KL110 log-of-softmax on warning
KL111 normalised-twice on error
KL112 kl-elementwise-probabilities on warning
KL113 scaled-after-normalising on error
KL201 kl-mean-reduction on warning
KL202 kl-batchmean-unbatched on error
KL203 kl-batchmean-positions on warning
KL204 kl-elementwise-mean on warning
KL205 legacy-reduction on warning
KL206 reduction-in-wrong-slot on error
KL208 unknown-reduction on error
KL209 reduced-twice on warning
KL210 divided-twice on warning
KL301 kl-vs-ce-divisors on error
KL302 kl-vs-ce-options on warning
KL303 kl-vs-ce-entropy on error
KL304 kl-vs-ce-exact on note
KL305 kl-vs-ce-direction on error
KL401 ce-input-probabilities on error
KL403 ce-input-elementwise on error
KL404 ce-target-not-distribution on error
KL405 nll-input on error
KL406 bce-input-scores on error
KL407 bce-logits-input-probabilities on error
KL408 loss-constructor-call on error
KL409 ce-class-dim on error
KL410 single-class on error
KL411 implicit-softmax-dim on warning
KL412 softmax-batch-dim on warning
KL413 ce-swapped-arguments on error
KL414 integer-one-hot on error
KL901 mixed-divisors opt-in note
KL902 ce-input-log-probabilities opt-in note
KL903 kd-temperature-scale opt-in note
KL904 kd-target-gradient opt-in warning
KL905 unused-noqa opt-in note
KL906 one-sided-temperature opt-in note
"""


def catalogue() -> dict[str, tuple[str, str, str]]:
    """Name, level and severity by code."""
    rows = (line.split() for line in CATALOGUE.strip().splitlines())
    return {code: (name, level, severity) for code, name, level, severity in rows}
