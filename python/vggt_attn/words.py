# SPDX-License-Identifier: Apache-2.0
"""Arguments of Python as the words that the library reads."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex

from vggt_attn.errors import OptionError

# A number, several, or a word such as "all".
Numbers = SupportsIndex | Sequence[SupportsIndex] | str


def integer(name: str, value: SupportsIndex) -> int:
    """A whole number of any kind that Python or NumPy has; TypeError for anything else."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None


def integers(name: str, values: SupportsIndex | Iterable[SupportsIndex]) -> list[int]:
    """One whole number or several, as a list."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes):
        return [integer(name, value) for value in values]
    return [integer(name, values)]  # type: ignore[arg-type]


def numbers(name: str, value: Numbers | Iterable[SupportsIndex]) -> tuple[str, bool]:
    """The word for one number or several, and whether it names several (or may)."""
    if isinstance(value, str):
        return value, not value.isdigit()
    several = isinstance(value, Iterable)
    named = integers(name, value)
    if not named:
        raise OptionError("names none", f"`{name}`", "Leave it out for all.")
    return ",".join(str(each) for each in named), several


def span(name: str, value: Sequence[SupportsIndex] | str) -> str:
    """'3-7' from (3, 7), both ends included."""
    if isinstance(value, str):
        return value
    ends = integers(name, value)
    if len(ends) != 2:
        raise OptionError("is no pair of first and last", f"`{name}`", "Write (3, 7), or '3-7'.")
    return f"{ends[0]}-{ends[1]}"


def cells(name: str, value: Iterable[Sequence[SupportsIndex]] | str) -> str:
    """'3:4,5:6' from [(3, 4), (5, 6)]."""
    if isinstance(value, str):
        return value
    pairs = [integers(name, cell) for cell in value]
    if any(len(pair) != 2 for pair in pairs):
        raise OptionError("are no pairs of row and column", f"`{name}`", "Write [(3, 4), (5, 6)].")
    return ",".join(f"{row}:{col}" for row, col in pairs)
