# SPDX-License-Identifier: Apache-2.0
"""The classic maps of an export, which were quantised when it was made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from vggt_attn import _core
from vggt_attn.errors import MissingLayer, OptionError
from vggt_attn.words import integer

_OF_SLICES = (SupportsIndex, slice, type(...), type(None))


class LayerMaps(np.ndarray[Any, np.dtype[Any]]):
    """A layer's maps, read-only: ``[queries, frames, rows, cols]``, or ``[queries, heads, …]``.

    Query ``row * cols + col`` is a place of the map grid in frame 0. Levels are uint8:
    ``maps / 255 * maps.scale`` are the probabilities, which were clipped at ``scale``. Maps of
    floating point, which other programs wrote, hold the probabilities themselves.

    Attributes:
        scale: what level 255 stands for: one number, or float64 ``[heads, 1, 1, 1]`` of maps of
            each head. Slices of the array have their own heads'. NaN where it is not known:
            of maps of each head that were reshaped or picked by lists.

    What is computed of them is a plain array.
    """

    _scale: float | NDArray[np.float64]
    _shape: tuple[int, ...]  # that the scale belongs to

    def __new__(cls, values: NDArray[Any], scale: float | NDArray[np.float64]) -> LayerMaps:
        """Looks at `values`, without a copy."""
        maps = values.view(cls)
        maps._scale, maps._shape = scale, values.shape
        return maps

    @property
    def scale(self) -> float | NDArray[np.float64]:
        """What level 255 stands for; NaN where heads may have changed places."""
        known = np.ndim(self._scale) == 0 or self._shape == self.shape
        return self._scale if known else math.nan

    def __array_finalize__(self, parent: NDArray[Any] | None, /) -> None:
        """Views and copies keep the scale."""
        self._scale = getattr(parent, "_scale", math.nan)
        self._shape = getattr(parent, "_shape", ())

    def __array_wrap__(self, values: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What is computed of maps is none."""
        plain = np.asarray(values)
        return plain if plain.ndim else plain[()]

    def __getitem__(self, key: Any, /) -> Any:
        """Slices have the scales of their heads."""
        part = super().__getitem__(key)
        if isinstance(part, LayerMaps) and np.ndim(self.scale):
            keys = key if isinstance(key, tuple) else (key,)
            if all(isinstance(k, _OF_SLICES) and not isinstance(k, bool) for k in keys):
                scales = np.broadcast_to(np.asarray(self.scale), self.shape)[key]
                # One number for each axis over which all are the same.
                scales = scales[tuple(slice(None if step else 1) for step in scales.strides)]
                part._scale = float(scales.item()) if scales.size == 1 else scales
                part._shape = part.shape
        return part

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle, which knows nothing of scales."""
        rebuild, arguments, state = cast("tuple[Any, ...]", super().__reduce__())
        return rebuild, arguments, (state, self._scale, self._shape)

    def __setstate__(self, state: Any, /) -> None:
        """The inverse."""
        super().__setstate__(state[0])
        self._scale, self._shape = state[1:]


class Maps(Mapping[int, LayerMaps]):
    """All layers' maps, by the layers' numbers from 1: ``export.maps[12]``."""

    def __init__(self, opened: _core.OpenedExport) -> None:
        """Reads nothing yet."""
        self._opened = opened
        self._last: tuple[int, LayerMaps] | None = None

    def __getitem__(self, layer: SupportsIndex) -> LayerMaps:
        """Maps the file, or inflates it if it is compressed; the last layer is kept."""
        number = integer("layer", layer)
        last = self._last
        if last is not None and last[0] == number:
            return last[1]
        try:
            values = self._opened.maps(number)
        except OptionError as error:
            raise MissingLayer(error.what, error.where, error.hint) from None
        scales = self._opened.map_scales(number)
        heads = self._opened.map_heads
        scale = np.reshape(scales, (heads, 1, 1, 1)) if heads else scales[0]
        maps = LayerMaps(values, scale)
        self._last = (number, maps)
        return maps

    def __contains__(self, layer: object) -> bool:
        """Whether the export has maps of this layer."""
        return layer in self._opened.map_layers

    def __iter__(self) -> Iterator[int]:
        """The layers' numbers, ascending."""
        return iter(self._opened.map_layers)

    def __len__(self) -> int:
        """How many layers there are."""
        return len(self._opened.map_layers)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a map: those of patches, unless the export has strides."""
        return self._opened.map_grid

    @property
    def heads(self) -> int:
        """How many heads were kept apart; 0 if maps are the mean of all heads."""
        return self._opened.map_heads

    def __repr__(self) -> str:
        """Says what there is."""
        if not len(self):
            return "<Maps: none>"
        rows, cols = self.grid
        kept = f"{self.heads} heads" if self.heads else "the mean of all heads"
        return f"<Maps of {len(self)} layers, {kept}, {rows}×{cols}>"
