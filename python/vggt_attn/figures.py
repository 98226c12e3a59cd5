# SPDX-License-Identifier: Apache-2.0
"""Figures for print, drawn by the library from recipes (docs/http-api.md lists their keys)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vggt_attn import _core
from vggt_attn.errors import Error, MissingFile, OptionError
from vggt_attn.progress import ProgressLine
from vggt_attn.words import AnyPath, integers, path_of, text

if TYPE_CHECKING:
    from vggt_attn.exports import Export

# A place: "12.18", (row, col), (frame, row, col) or (frame, "camera").
Spot = Any


def _spot(spot: Spot) -> str:
    if isinstance(spot, str):
        return spot
    if not hasattr(spot, "__len__"):
        raise TypeError(f"queries must be (row, col), or a list of such, not {spot!r}")
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
    if not hasattr(value, "__iter__"):
        raise TypeError(f"queries must be (row, col), or a list of such, not {value!r}")
    spots = list(value)
    single = bool(spots) and not hasattr(spots[0], "__len__")
    return "_".join(_spot(each) for each in ([spots] if single else spots))


def _word(key: str, value: Any) -> str:
    if key == "queries":
        return spots_text(value)
    if isinstance(value, str):
        return value
    if isinstance(value, _core.Definition):
        return value.name
    if key == "frames":
        return ",".join(str(each) for each in integers(key, value))
    if hasattr(value, "item"):  # NumPy's
        value = value.item()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, int):
        raise TypeError(f"{key} must be a number, text or flag, not {value!r}")
    return str(int(value))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFile("no such file", str(path)) from None
    except UnicodeDecodeError:
        raise Error("is no text, and no recipe", str(path)) from None


# What the page can show. Figures have the first four.
VIEWS = ("frames", "layers", "heads", "matrix", "atlas", "scene")


def link_of(text: str) -> str:
    """The part of a pasted address that says what is shown."""
    return text.rpartition("?")[2]


class Figure:
    """A figure of an export. Jupyter shows it; ``save`` writes it, or its numbers."""

    def __init__(
        self,
        export: Export,
        recipe: Mapping[str, Any] | AnyPath | None,
        other: Export | None,
        keys: Mapping[str, Any],
    ) -> None:
        """Checks the recipe against the exports; draws nothing yet."""
        words: dict[str, str] = {}
        if recipe is not None and not isinstance(recipe, Mapping):
            path = path_of("recipe", recipe)
            shown = str(path).encode(errors="replace").decode()
            words = dict(_core.recipe_words(_text_of(path), shown))
            if other is None and "other" in words:
                folder = os.path.realpath(path.parent)
                other = type(export)(os.path.normpath(os.path.join(folder, words["other"])))
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
        wanted = text("file_format", file_format)
        return _core.draw_recipe(self._export.opened, other, self._words, wanted)

    def save(self, file: AnyPath, *, overwrite: bool = False) -> Path:
        """Writes what the name ends in, and returns the path.

        ``.png``, ``.svg`` and ``.pdf`` are the figure, ``.csv`` and ``.npy`` its numbers, ``.json``
        is the recipe.
        """
        path = path_of("file", file)
        if path.suffix == ".json":
            # Exports are named as seen from the recipe, so that both may move.
            folder = os.path.realpath(path.parent)
            recipe = self.recipe
            for name in recipe.keys() & {"export", "other"}:
                recipe[name] = os.path.relpath(recipe[name], folder)
            try:
                with path.open("w" if overwrite else "x", encoding="utf-8") as out:
                    out.write(json.dumps(recipe, indent=2) + "\n")
            except FileExistsError:
                hint = "Use `overwrite` to replace it."
                raise Error("exists already", str(path), hint) from None
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
