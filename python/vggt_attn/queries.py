# SPDX-License-Identifier: Apache-2.0
"""Questions about attention as the words that the library reads, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vggt_attn.errors import OptionError
from vggt_attn.words import cells, integers, numbers, span, text

# In the words of a request, which may name several of them.
_WORDS = {"layer": "layers", "head": "heads", "frames": "frames"}


def request_words(
    axes: Mapping[str, Any], patches: Mapping[str, Any], rest: Mapping[str, str | None]
) -> tuple[dict[str, str], tuple[int | slice, ...]]:
    """The words of a request, and the index that drops the axes of which a single one is named.

    Args:
        axes: ``layer``, ``head`` and ``frames``.
        patches: ``rows``, ``cols`` and ``cells``, several patches as one query.
        rest: words that are as they are.
    """
    words = {name: text(name, word) for name, word in rest.items() if word is not None}
    keep = {"layer": False, "head": False, "frames": True}
    for name, value in axes.items():
        if value is not None:
            words[_WORDS[name]], keep[name] = numbers(name, value)
    if words.get("heads") == "max":
        words |= {"heads": "all", "reduce": "max"}
    if words.get("heads") == "mean" or words.get("reduce", "none") != "none":
        keep["head"] = False
    for name, read in (("rows", span), ("cols", span), ("cells", cells)):
        if patches[name] is not None:
            words[name] = read(name, patches[name])
    return words, tuple(slice(None) if keep[name] else 0 for name in keep)


def _checked(places: Mapping[str, ArrayLike | None]) -> dict[str, NDArray[Any]]:
    """Those that are given, as arrays of one shape."""
    given = {name: np.asarray(value) for name, value in places.items() if value is not None}
    pixels = {"x", "y"} & given.keys()
    if pixels and (len(pixels) != 2 or {"row", "col"} & given.keys()):
        raise OptionError("go together, without row and col", "`x`, `y`")
    for name, value in given.items():
        if value.size == 0:
            raise OptionError("no query is given", f"`{name}`", "Give at least one.")
        if name not in pixels and (value.dtype.kind not in "iu" or value.min() < 0):
            integers(name, value.ravel().tolist())  # says what is wrong
        if not np.issubdtype(value.dtype, np.number):
            word = "numbers" if name in pixels else "whole numbers"
            raise TypeError(f"{name} must be {word}, not {places[name]!r}")
    arrays = np.broadcast_arrays(*given.values())
    return dict(zip(given, arrays, strict=True))


def each_query(
    ask: Callable[[dict[str, str]], NDArray[np.float32]],
    places: Mapping[str, ArrayLike | None],
    patch_at: Callable[[float, float, int], tuple[int, int]],
) -> NDArray[np.float32]:
    """Asks for one query, or for all of a batch, whose axes then come first.

    Args:
        ask: answers the words that name a single place.
        places: ``frame``, ``row``, ``col``, ``x`` and ``y``: numbers, arrays or None.
        patch_at: the row and column of a point (x, y, frame).
    """
    given = _checked(places)
    shape = given["frame"].shape

    def words() -> Iterator[tuple[tuple[int, ...], dict[str, str]]]:
        for index in np.ndindex(shape):
            at = {name: array[index].item() for name, array in given.items()}
            if "x" in at:
                at["row"], at["col"] = patch_at(at.pop("x"), at.pop("y"), at["frame"])
            yield index, {name: str(value) for name, value in at.items()}

    asked = words()
    index, first = next(asked)
    answer = ask(first)
    if not shape:
        return answer
    answers = np.empty((*shape, *answer.shape), np.float32)
    answers[index] = answer
    for index, place in asked:
        answers[index] = ask(place)
    return answers
