# SPDX-License-Identifier: Apache-2.0
"""Figures for print, drawn by the library from recipes (docs/http-api.md lists their keys)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vggt_attn import _core
from vggt_attn.errors import OptionError
from vggt_attn.progress import ProgressLine
from vggt_attn.words import integers

if TYPE_CHECKING:
    from vggt_attn.exports import Export

# A place: "12.18", (row, col), (frame, row, col) or (frame, "camera").
Spot = Any


def _spot(spot: Spot) -> str:
    if isinstance(spot, str):
        return spot
    if len(spot) == 2 and isinstance(spot[1], str):
        return f"{integers('queries', spot[0])[0]}~0.0@{spot[1]}"
    place = integers("queries", spot)
    if len(place) not in (2, 3):
        raise OptionError(
            f"{tuple(spot)} is no place", "`queries`", "Write (row, col) or (frame, row, col)."
        )
    frame = f"{place[0]}~" if len(place) == 3 else ""
    return f"{frame}{place[-2]}.{place[-1]}"


def spots_text(value: Any) -> str:
    """A place, or several, as recipes and links name them."""
    if isinstance(value, str):
        return value
    spots = list(value)
    single = bool(spots) and not hasattr(spots[0], "__len__")
    return "_".join(_spot(each) for each in ([spots] if single else spots))


def _word(key: str, value: Any) -> str:
    if key == "queries":
        return spots_text(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if key == "frames":
        return ",".join(str(each) for each in integers(key, value))
    if hasattr(value, "item"):  # NumPy's
        value = value.item()
    if not isinstance(value, int | float):
        raise TypeError(f"{key} must be a number, text or flag, not {value!r}")
    return str(int(value)) if value == int(value) else repr(value)


class Figure:
    """A figure of an export. Jupyter shows it; ``save`` writes it, or its numbers."""

    def __init__(
        self,
        export: Export,
        recipe: Mapping[str, Any] | str | os.PathLike[str] | None,
        other: Export | None,
        keys: Mapping[str, Any],
    ) -> None:
        """Checks the recipe against the exports; draws nothing yet."""
        words: dict[str, str] = {}
        if isinstance(recipe, str | os.PathLike):
            path = Path(recipe)
            words = dict(_core.recipe_words(path.read_text(encoding="utf-8"), str(path)))
            if other is None and "other" in words:
                other = type(export)(path.parent / words["other"])
        elif recipe is not None:
            words = {key: _word(key, value) for key, value in recipe.items()}
        words |= {key: _word(key, value) for key, value in keys.items() if value is not None}
        self._words = [(k, v) for k, v in words.items() if k not in ("export", "other")]
        self._export = export
        self._other = other
        _core.check_recipe(export.opened, other.opened if other else None, self._words)

    @property
    def recipe(self) -> dict[str, str]:
        """What was asked for, as text; ``vggt-attn figure`` reads it as JSON."""
        named = {"export": str(self._export.path)}
        if self._other:
            named["other"] = str(self._other.path)
        return named | dict(self._words)

    def data(self, file_format: str = "png") -> bytes:
        """The bytes of a file: ``"png"``, ``"svg"`` or ``"pdf"``."""
        other = self._other.opened if self._other else None
        return _core.draw_recipe(self._export.opened, other, self._words, file_format)

    def save(self, file: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Writes what the name ends in, and returns the path.

        ``.png``, ``.svg`` and ``.pdf`` are the figure, ``.csv`` and ``.npy`` its numbers, ``.json``
        is the recipe.
        """
        path = Path(file)
        if path.suffix == ".json":
            with path.open("w" if overwrite else "x", encoding="utf-8") as out:
                out.write(json.dumps(self.recipe, indent=2) + "\n")
            return path
        other = self._other.opened if self._other else None
        left_out = _core.write_recipe(
            self._export.opened, other, self._words, path, bool(overwrite)
        )
        if left_out:
            names = ", ".join(str(layer) for layer in left_out)
            ProgressLine(False).note(f"left out, because they cannot be read: layers {names}")
        return path

    def _repr_png_(self) -> bytes:
        return self.data("png")

    def __repr__(self) -> str:
        """The recipe."""
        return f"<Figure {self.recipe}>"
