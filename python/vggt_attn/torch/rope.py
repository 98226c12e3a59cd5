# SPDX-License-Identifier: Apache-2.0
"""Rotary position embedding: recognised by what it does to queries and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# How far a row from what is stored may be from the row of what was attended with, as a share of the
# row's largest value, for queries and keys to be stored as they were before RoPE. Rounding to
# float16 alone makes up to about half of this.
ROW_TOLERANCE = 2e-3


class Turn:
    """VGGT's rotary embedding at positions [tokens, 2] (row, column), which lie on the CPU."""

    def __init__(self, positions: Tensor, base: float, channels: int, device: Any) -> None:
        """For float32 on ``device``."""
        quarter = channels // 4
        frequencies = base ** -(torch.arange(quarter, dtype=torch.float64, device="cpu") / quarter)
        angles = positions[:, :, None] * frequencies
        self._cos, self._sin = (
            x.float().to(device, non_blocking=True) for x in (angles.cos(), angles.sin())
        )

    def __call__(self, x: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """Turns x [..., tokens, channels]. ``rows``: which of the tokens these are."""
        cos, sin = self._cos[rows], self._sin[rows]
        a, b = x.unflatten(-1, (2, 2, -1)).unbind(-2)  # of each axis the halves of its channels
        turned = [torch.addcmul(a * cos, b, sin, value=-1), torch.addcmul(b * cos, a, sin)]
        return torch.stack(turned, dim=-2).flatten(-3)


@dataclass(frozen=True)
class Layout:
    """Where positions put a frame's patches: rows and columns from ``first`` on."""

    rows: int
    columns: int
    first: int
    before: int  # special tokens, at (0, 0), before the patches
    after: int


def layout(positions: Tensor) -> Layout | None:
    """What the positions [tokens, 2] of one frame say; None if they are no grid of patches.

    Specials stand at (0, 0), patches row by row at (first + row, first + column), first ≥ 1.
    """
    positions = positions.long().cpu()
    patch = (positions > 0).all(dim=1).nonzero().flatten()
    if not len(patch) or (positions < 0).any():
        return None
    begin, end = int(patch[0]), int(patch[-1]) + 1
    first, last = positions[begin], positions[end - 1]
    rows, columns = (int(n) for n in last - first + 1)
    if first[0] != first[1] or rows * columns != end - begin or len(patch) != end - begin:
        return None
    found = Layout(rows, columns, int(first[0]), begin, len(positions) - end)
    return found if positions.equal(grid_positions(found)) else None


def grid_positions(at: Layout) -> Tensor:
    """Positions [tokens, 2] of a frame's tokens."""
    patch = torch.arange(at.rows * at.columns, device="cpu")  # whatever device is the default
    positions = patch.new_zeros(at.before + len(patch) + at.after, 2)
    positions[at.before : at.before + len(patch), 0] = patch // at.columns + at.first
    positions[at.before : at.before + len(patch), 1] = patch % at.columns + at.first
    return positions


def calls(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Any]:
    """(tokens, positions, turned) of a call of a rope module, whatever its arguments' order.

    Tokens are what has four dimensions and is no integer, as many as come out; positions are
    [sequences, tokens, 2]. Empty if the call looks otherwise.
    """
    given = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
    turned = [out] if isinstance(out, Tensor) else list(out) if isinstance(out, tuple) else []
    tokens = [x for x in given if x.dim() == 4 and x.is_floating_point()][: len(turned)]
    where = [x for x in given if x.dim() == 3 and x.shape[2] == 2]
    if len(tokens) != len(turned) or any(not isinstance(x, Tensor) for x in turned):
        return []
    return [
        (x, where[0] if where else None, y)
        for x, y in zip(tokens, turned, strict=True)
        if x.shape == y.shape
    ]


def times(a: Tensor, b: Tensor, sure: bool) -> float | None:
    """The number by which a must be multiplied to give b, up to rounding; None if there is none.

    With ``sure`` what lies in the same memory is taken to be the same: looking at values waits for
    a GPU.
    """
    if a.shape != b.shape:
        return None
    here = a.data_ptr() == b.data_ptr() and a.stride() == b.stride() and a.dtype == b.dtype
    if a is b or (sure and here):
        return 1.0
    x, y = a.float(), b.float()
    factor = float((x * y).sum() / (x * x).sum().clamp(min=1e-30))
    coarse = min(torch.finfo(a.dtype).bits, torch.finfo(b.dtype).bits) < 32
    most = (1e-2 if coarse else 1e-5) * float(y.abs().max())
    if not float((x * factor - y).abs().max()) <= most:
        return None
    return 1.0 if abs(factor - 1) < (1e-2 if coarse else 1e-5) else factor


def attention(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """Rows of attention [heads, queries, keys] of q, k [heads, tokens, d]."""
    return (q.float() @ k.float().transpose(1, 2) * scale).softmax(dim=-1)


def row_error(found: Tensor, exact: Tensor) -> Tensor:
    """The largest difference of rows [heads, rows, keys], as a share of its row's largest value."""
    return ((found - exact).abs().amax(-1) / exact.amax(-1)).max()
