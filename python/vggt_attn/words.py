# SPDX-License-Identifier: Apache-2.0
"""Arguments of Python as the words that the library reads."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import SupportsIndex

from vggt_attn import _core
from vggt_attn.errors import OptionError

# What Python's own functions take as a path.
AnyPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
# A number, several, or a word such as "all".
Numbers = SupportsIndex | Sequence[SupportsIndex] | str
# What names a definition of attention.
DefinitionName = str | _core.Definition

_MOST = 2**63 - 1  # that the library counts to


def integer(name: str, value: SupportsIndex) -> int:
    """A whole number of any kind that Python or NumPy has, from 0 on; TypeError for others."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 0:
        raise OptionError("is negative", f"`{name}`", "Nothing counts from the end.")
    if number > _MOST:
        raise OptionError("is too large", f"`{name}`")
    return number


def text(name: str, value: str) -> str:
    """The text itself; TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {value!r}")
    return value


def path_of(name: str, value: AnyPath) -> Path:
    """A path of any kind that Python has, with ``~`` as the home; TypeError for anything else."""
    path = os.path.expanduser(os.fsdecode(value))
    if "\0" in path:
        raise OptionError("holds a null character, which no path may", f"`{name}`")
    return Path(path)


def definition_name(value: DefinitionName) -> str:
    """The name of a definition, which may itself be given."""
    return value.name if isinstance(value, _core.Definition) else text("definition", value)


def integers(name: str, values: SupportsIndex | Iterable[SupportsIndex]) -> list[int]:
    """One whole number or several, as a list."""
    if _is_several(values):
        return [integer(name, value) for value in values]  # type: ignore[union-attr]
    return [integer(name, values)]  # type: ignore[arg-type]


def _is_several(value: object) -> bool:
    """Whether it is a list, or like one; arrays without axes are one number."""
    one = isinstance(value, str | bytes) or getattr(value, "ndim", 1) == 0
    return isinstance(value, Iterable) and not one


def numbers(name: str, value: Numbers | Iterable[SupportsIndex]) -> tuple[str, bool]:
    """The word for one number or several, and whether it names several (or may)."""
    if isinstance(value, str):
        return value, not value.isdigit()
    several = _is_several(value)
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
    if not pairs:
        raise OptionError("names none", f"`{name}`")
    if any(len(pair) != 2 for pair in pairs):
        raise OptionError("are no pairs of row and column", f"`{name}`", "Write [(3, 4), (5, 6)].")
    return ",".join(f"{row}:{col}" for row, col in pairs)
