# SPDX-License-Identifier: Apache-2.0
"""Attention from stored queries and keys in double precision, by NumPy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vggt_attn import Export


def _rotated(x: NDArray[np.float64], export: Export, block: str) -> NDArray[np.float64]:
    """What VGGT's rotary embedding makes of [tokens, head_dim]."""
    blocks = export.blocks[block]
    height, width = export.grid
    specials = len(blocks.special_tokens)
    y, x_ = np.mgrid[0:height, 0:width].reshape(2, -1) + blocks.rope_first_patch
    quarter = blocks.head_dim // 4
    frequencies = blocks.rope_base ** (-np.arange(quarter) / quarter)
    size = export.frames * (specials + height * width)  # scene tokens, behind, stay as they are
    out = x[:size].copy().reshape(export.frames, specials + height * width, 2, 2, quarter)
    for half, position in enumerate((y, x_)):
        angle = position[:, None] * frequencies
        a, b = (out[:, specials:, half, part].copy() for part in (0, 1))
        out[:, specials:, half, 0] = a * np.cos(angle) - b * np.sin(angle)
        out[:, specials:, half, 1] = b * np.cos(angle) + a * np.sin(angle)
    return np.concatenate([out.reshape(size, -1), x[size:]])


def logits(
    export: Export, layer: int, head: int, block: str = "global", rope: bool = True
) -> NDArray[np.float64]:
    """[tokens, tokens] of one head."""
    blocks = export.blocks[block]
    q, k = (
        np.asarray(side(layer, block=block)[head - 1], np.float64) for side in (export.q, export.k)
    )
    if blocks.rope == "2d" and rope:
        q, k = (_rotated(each, export, block) for each in (q, k))
    return np.asarray(q @ k.T * blocks.scale)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))
