"""A claim in mathematics: what the loss is by definition, and what the code as written makes of it, as MathML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.torch_model.count import Count
from klint.torch_model.facts import Space

LONGEST = 80
"""How much of an expression's source a legend quotes."""


@dataclass(frozen=True)
class Symbol:
    """A symbol of a formula, and what it stands for: words, around the expression of the source that it is read from."""

    symbol: Markup
    before: str
    code: str = ""
    after: str = ""


@dataclass(frozen=True)
class Formula:
    """One line of mathematics, and what it is."""

    title: str
    markup: Markup


@dataclass(frozen=True)
class Statement:
    """A claim: its formulas, and the symbols that they use."""

    formulas: tuple[Formula, ...]
    symbols: tuple[Symbol, ...]


def state(claim: Claim) -> Statement:
    """The claim in mathematics. L is what the loss should be, W the value as written."""
    formulas = [Formula("as claimed", _math(_prediction(claim)))]
    if claim.expected is None:
        reference = "the value of the fixed code" if claim.fixed is not None else ""
        symbols = [Symbol(_symbol("L"), reference)] if reference and claim.effect in _HELD_AGAINST else []
    else:
        formulas.insert(0, Formula("by definition", _math(_definition(claim.expected))))
        symbols = list(_legend(claim.expected))
    if claim.subject is not None:
        symbols.append(Symbol(_symbol("x"), "", _quoted(claim.subject.anchor.text)))
    symbols.append(Symbol(_symbol("W"), "the value as written"))
    return Statement(tuple(formulas), tuple(symbols))


_HELD_AGAINST = (Effect.RATIO, Effect.DIFFERS, Effect.SAME, Effect.UNDERFLOW)
"""Effects that are stated as a relation of W to L."""


# What the loss is.


def _definition(expected: Expected) -> Markup:
    body = _BODIES.get(expected.loss, _name(expected.loss))
    return _row(_equals("L"), _over(expected), body)


def _over(expected: Expected) -> Markup:
    """What the sum is divided by, and the sign in front of it."""
    sign = Markup("") if expected.loss == "kl_div" else _operator("\N{MINUS SIGN}")
    divisor = _DIVISORS[expected.divisor]
    return sign if divisor is None else _row(sign, _fraction(_number("1"), divisor))


def _legend(expected: Expected) -> list[Symbol]:
    symbols = [_distribution("Q", "target", expected.target), _distribution("P", "input", expected.input)]
    divisor = _DIVISORS[expected.divisor]
    return symbols if divisor is None else [*symbols, Symbol(_math(divisor), _COUNTED[expected.divisor])]


def _distribution(letter: str, slot: str, reading: Reading) -> Symbol:
    """How the definition reads a tensor as a distribution."""
    before, after = _READINGS.get(reading.space, ("", ""))
    return Symbol(_symbol(letter), f"the {slot}, {before}", _quoted(reading.node.anchor.text), after)


_READINGS: Mapping[Space, tuple[str, str]] = {
    Space.PROBABILITIES: ("", ""),
    Space.LOG_PROBABILITIES: ("exp(", ")"),
    Space.SCORES: ("softmax(", ")"),
    Space.ELEMENTWISE: ("", ""),
    Space.LOG_ELEMENTWISE: ("exp(", ")"),
    Space.INDICES: ("one-hot of ", ""),
}
_COUNTED: Mapping[Divisor, str] = {
    Divisor.ROWS: "the number of distributions",
    Divisor.BATCH: "input.size(0)",
    Divisor.NUMEL: "the count of all numbers",
}


# What the code as written makes of it.


def _prediction(claim: Claim) -> Markup:
    return _PREDICTIONS[claim.effect](claim)


def _ratio(claim: Claim) -> Markup:
    if claim.ratio is None:
        return _row(_equals("W"), _name("k"), _times(), _name("L"), _comma(), _name("k"), _operator("≠"), _number("1"))
    return _row(_equals("W"), _count(claim.ratio), _times(), _name("L"))


def _differs(_claim: Claim) -> Markup:
    return _row(_name("W"), _operator("≠"), _name("L"))


def _same(_claim: Claim) -> Markup:
    return _row(_equals("W"), _name("L"))


def _nan(_claim: Claim) -> Markup:
    return _row(_equals("W"), _words("NaN"))


def _raises(_claim: Claim) -> Markup:
    return _row(_name("W"), _words("\N{NO-BREAK SPACE}does not come about: torch raises an exception"))


def _underflow(_claim: Claim) -> Markup:
    limit = _row(_function("ln"), _function("softmax"), _operator("("), _index("x", "c"), _operator(")"))
    return _row(
        _equals("W"), _name("L"), _words("\N{NO-BREAK SPACE}until\N{NO-BREAK SPACE}"), limit, _operator("→"),
        _operator("\N{MINUS SIGN}"), _number("∞"),
    )  # fmt: skip


def _flat(_claim: Claim) -> Markup:
    return _row(_gradient(), _operator("="), _number("0"))


def _leak(_claim: Claim) -> Markup:
    return _row(_gradient(), _operator("≠"), _number("0"))


_PREDICTIONS = {
    Effect.RATIO: _ratio,
    Effect.DIFFERS: _differs,
    Effect.NAN: _nan,
    Effect.UNDERFLOW: _underflow,
    Effect.RAISES: _raises,
    Effect.SAME: _same,
    Effect.FLAT: _flat,
    Effect.LEAK: _leak,
}


def _count(count: Count) -> Markup:
    """A product of sizes as a fraction."""
    above = [_number(str(count.factor.numerator))] if abs(count.factor.numerator) != 1 or not count.powers else []
    below = [_number(str(count.factor.denominator))] if count.factor.denominator != 1 else []
    for size, power in count.powers:
        (above if power > 0 else below).extend([_words(size.text or "a size")] * abs(power))
    sign = _operator("\N{MINUS SIGN}") if count.factor == -1 and count.powers else Markup("")
    top = _product(above) if above else _number("1")
    return _row(sign, _fraction(top, _product(below)) if below else top)


# MathML, element by element. Only ``_text`` takes text, and escapes it.


def _text(tag: str, text: str) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), text)


def _name(text: str) -> Markup:
    return _text("mi", text)


def _number(text: str) -> Markup:
    return _text("mn", text)


def _operator(text: str) -> Markup:
    return _text("mo", text)


def _words(text: str) -> Markup:
    return _text("mtext", text)


def _function(text: str) -> Markup:
    return _row(_name(text), Markup('<mspace width="0.17em"/>'))


def _row(*parts: Markup) -> Markup:
    return Markup("<mrow>{}</mrow>").format(Markup("").join(parts))


def _fraction(above: Markup, below: Markup) -> Markup:
    return Markup("<mfrac>{}{}</mfrac>").format(above, below)


def _index(letter: str, index: str) -> Markup:
    return Markup("<msub>{}{}</msub>").format(_name(letter), _row(*map(_name, index)))


def _sum(*indices: str) -> Markup:
    """A sum with its indices beside the sign: below it they need a font for mathematics, which not every screen has."""
    sign = Markup('<mo largeop="true" movablelimits="false" mathsize="1.35em">∑</mo>')
    return Markup("<msub>{}{}</msub>").format(sign, _row(_comma().join(map(_name, indices))))


def _product(parts: list[Markup]) -> Markup:
    return _row(_times().join(parts))


def _times() -> Markup:
    return _operator("·")


def _comma() -> Markup:
    return _operator(",")


def _equals(letter: str) -> Markup:
    return _row(_name(letter), _operator("="))


def _gradient() -> Markup:
    return _fraction(_row(_operator("∂"), _name("W")), _row(_operator("∂"), _name("x")))


def _log(letter: str) -> Markup:
    return _row(_function("ln"), _index(letter, "nc"))


def _math(markup: Markup) -> Markup:
    return Markup('<math><mstyle displaystyle="true">{}</mstyle></math>').format(markup)


def _symbol(letter: str) -> Markup:
    return _math(_name(letter))


def _quoted(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _sums(*parts: Markup) -> Markup:
    return _row(_sum("n", "c"), *parts)


_DIVERGENCE = _sums(
    _index("Q", "nc"), _operator("("), _log("Q"), _operator("\N{MINUS SIGN}"), _log("P"), _operator(")")
)
_CROSS_ENTROPY = _sums(_index("Q", "nc"), _log("P"))
_BINARY = _row(
    _sum("i"),
    _operator("("), _index("Q", "i"), _function("ln"), _index("P", "i"), _operator("+"),
    _operator("("), _number("1"), _operator("\N{MINUS SIGN}"), _index("Q", "i"), _operator(")"),
    _function("ln"), _operator("("), _number("1"), _operator("\N{MINUS SIGN}"), _index("P", "i"), _operator(")"),
    _operator(")"),
)  # fmt: skip
_BODIES: Mapping[str, Markup] = {
    "kl_div": _DIVERGENCE,
    "cross_entropy": _CROSS_ENTROPY,
    "nll_loss": _CROSS_ENTROPY,
    "binary_cross_entropy": _BINARY,
    "binary_cross_entropy_with_logits": _BINARY,
}
_DIVISORS: Mapping[Divisor, Markup | None] = {
    Divisor.ONE: None,
    Divisor.ROWS: _name("N"),
    Divisor.BATCH: _name("B"),
    Divisor.NUMEL: _name("M"),
}
