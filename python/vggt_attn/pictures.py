# SPDX-License-Identifier: Apache-2.0
"""Pictures in memory as files, which exports are made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggt_attn import _core
from vggt_attn.errors import OptionError
from vggt_attn.words import path_of

# What a picture may be: a file, an array, a tensor, or a picture of Pillow.
Picture = Any
_HINT = "Give paths, arrays, tensors or pictures of Pillow."
_SAVED_AS_THEY_ARE = {"1", "L", "LA", "P", "RGB", "RGBA"}  # modes of Pillow


def _wrong(number: int, what: str, hint: str = "") -> OptionError:
    return OptionError(f"picture {number} {what}", "`images`", hint)


def rgb_of(picture: Picture, number: int) -> NDArray[np.uint8]:
    """uint8 [height, width, 3] of an array or tensor.

    It may be [height, width, 3], [height, width] or, as PyTorch has it, [3, height, width]; of
    uint8, or of floating point from 0 to 1.
    """
    if hasattr(picture, "detach"):  # a tensor, maybe on a GPU, maybe bfloat16
        picture = picture.detach().cpu()
        picture = picture.float() if picture.is_floating_point() else picture
    array = np.asarray(picture)
    if array.dtype == object or array.ndim == 0:
        raise _wrong(number, f"is of {type(picture).__name__}", _HINT)
    if array.ndim == 3 and array.shape[2] not in (1, 3) and array.shape[0] in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or array.size == 0:
        raise _wrong(number, f"has the shape {list(np.shape(picture))}", "Give [height, width, 3].")
    if np.issubdtype(array.dtype, np.floating):
        # Comparisons with NaN are false.
        if not (array.min() >= 0 and array.max() <= 1):
            raise _wrong(number, "has values outside 0 to 1", "Scale it, or give uint8.")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise _wrong(number, f"is of {array.dtype}", "Give uint8, or floats from 0 to 1.")
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _save(picture: Picture, number: int, path: Path) -> None:
    if hasattr(picture, "mode") and hasattr(picture, "convert"):  # Pillow's
        whole = picture if picture.mode in _SAVED_AS_THEY_ARE else picture.convert("RGB")
        whole.save(path, "PNG", compress_level=1)
    else:
        _core.save_png(path, rgb_of(picture, number))


def files_of(pictures: Iterable[Picture], folder: Path) -> list[Path]:
    """The pictures as files; those in memory are written below `folder`, as PNG."""
    files = []
    for number, picture in enumerate(pictures):
        if isinstance(picture, str | bytes | os.PathLike):
            files.append(path_of("images", picture))
        else:
            files.append(folder / f"picture_{number:03}.png")
            _save(picture, number, files[-1])
    return files
