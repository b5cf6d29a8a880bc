"""Products of sizes: how many numbers a tensor has, or what a loss has been divided by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class Size:
    """An unknown size. ``tensor`` is the identity of the tensor it belongs to, ``dim`` its dim (None: all its numbers).

    ``text`` is how people read it, ``input.size(0)``, and no part of what it is.
    """

    tensor: int
    dim: int | None
    text: str = field(default="", compare=False)

    @property
    def sort_key(self) -> tuple[int, int]:
        """An order among sizes."""
        return (self.tensor, -1_000_000 if self.dim is None else self.dim)


@dataclass(frozen=True)
class Count:
    """``factor`` times a product of sizes with integer powers: closed under multiplication and division.

    >>> batch, classes = Size(1, 0, "B"), Size(1, 1, "C")
    >>> str(Count.of(batch) * Count.of(classes) / Count.number(2))
    'B * C / 2'
    """

    factor: Fraction = Fraction(1)
    powers: tuple[tuple[Size, int], ...] = ()

    @classmethod
    def number(cls, value: int | Fraction) -> Count:
        """A known number."""
        return cls(Fraction(value))

    @classmethod
    def of(cls, size: Size) -> Count:
        """An unknown size."""
        return cls(powers=((size, 1),))

    @classmethod
    def product(cls, counts: Iterable[Count]) -> Count:
        """The product of any number of counts; 1 of none."""
        result = ONE
        for count in counts:
            result = result * count
        return result

    @property
    def value(self) -> int | None:
        """The number, where no unknown size is left and it is whole."""
        return int(self.factor) if not self.powers and self.factor.denominator == 1 else None

    @property
    def is_number(self) -> bool:
        """Whether no unknown size is left."""
        return not self.powers

    def __mul__(self, other: Count) -> Count:
        powers = dict(self.powers)
        for size, power in other.powers:
            powers[size] = powers.get(size, 0) + power
        kept = sorted(((size, power) for size, power in powers.items() if power), key=lambda item: item[0].sort_key)
        return Count(self.factor * other.factor, tuple(kept))

    def __truediv__(self, other: Count) -> Count:
        if other.factor == 0:
            raise ZeroDivisionError("division by a size of 0")
        return self * Count(1 / other.factor, tuple((size, -power) for size, power in other.powers))

    def __str__(self) -> str:
        if self.is_number:
            return str(self.factor)
        above = [str(self.factor.numerator)] if abs(self.factor.numerator) != 1 else []
        below = [str(self.factor.denominator)] if self.factor.denominator != 1 else []
        for size, power in self.powers:
            (above if power > 0 else below).extend([size.text or "?"] * abs(power))
        sign = "-" if self.factor == -1 else ""
        top = sign + (" * ".join(above) or "1")
        if not below:
            return top
        return f"{top} / {below[0]}" if len(below) == 1 else f"{top} / ({' * '.join(below)})"


ONE = Count()
ZERO = Count(Fraction(0))


def inverse(count: Count | None) -> Count | None:
    """1 over a count; None where it is not known, or 0 as of a tensor without numbers."""
    return ONE / count if count is not None and count.factor else None
