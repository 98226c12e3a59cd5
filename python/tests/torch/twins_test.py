# SPDX-License-Identifier: Apache-2.0
"""The twins are what they say: PyTorch attends as the pass in float64 does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode
from twins import common, da3, fastvggt, mapanything, omega, pi3, streamvggt, vggt

MAKERS: dict[str, Callable[[], common.Twin]] = {
    "vggt": vggt.make,
    "vggt, unfused": vggt.unfused,
    "vggt, q doubled": vggt.doubled_query,
    "vggt, learned temperature": vggt.learned_temperature,
    "fastvggt, merging off": fastvggt.make,
    "streamvggt": streamvggt.make,
    "streamvggt, unfused": lambda: streamvggt.make(fused=False),
    "pi3": pi3.make,
    "da3": da3.make,
    "da3, two pictures": lambda: da3.make(2),
    "omega": omega.make,
    "mapanything": mapanything.make,
    "mapanything, first release": lambda: mapanything.make(special=False),
    "mapanything, entropy": lambda: mapanything.make(entropy=True),
}


class Probabilities(TorchFunctionMode):
    """Those of every product of attention, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[np.ndarray] = []

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function is common.FUSED:
            q, k = args[0].double(), args[1].double()
            logits = q @ k.transpose(-2, -1) * (kwargs.get("scale") or q.shape[-1] ** -0.5)
            if kwargs.get("attn_mask") is not None:
                logits = logits + kwargs["attn_mask"].double()
            self.seen.append(logits.softmax(-1).numpy())
        elif function is torch.Tensor.softmax:
            self.seen.append(result.double().numpy())
        return result


def probabilities(twin: common.Twin) -> list[np.ndarray]:
    with torch.no_grad(), Probabilities() as watched:
        twin.run()
    return watched.seen


def alike(rows: np.ndarray, seen: np.ndarray) -> bool:
    """Whether both are the same numbers, in whatever order of frames and tokens."""
    return rows.shape == seen.shape and bool(
        np.abs(np.sort(rows, axis=None) - np.sort(seen, axis=None)).max() < 1e-5
    )


@pytest.mark.parametrize("name", MAKERS)
def test_each_block_attends_as_in_float64(name: str) -> None:
    twin = MAKERS[name]()
    seen = probabilities(twin)
    for rows_of in twin.exact.values():
        for rows in rows_of.values():
            assert np.allclose(rows.sum(-1), 1)
            assert rows.max() > 2 / rows.shape[-1]  # far from even
            assert sum(alike(rows, each) for each in seen) == 1


def test_steps_attend_as_the_pass_with_a_mask_does() -> None:
    whole, steps = streamvggt.make(), streamvggt.make(steps=True)
    seen = probabilities(steps)
    tokens = vggt.SPECIAL + vggt.GRID[0] * vggt.GRID[1]
    for i, rows in whole.exact["global"].items():
        for frame in range(whole.frames):
            part = rows[:, :, frame * tokens : (frame + 1) * tokens, : (frame + 1) * tokens]
            # A step: the encoder's block, then a frame block and a global block, twice.
            assert np.abs(part - seen[5 * frame + 2 + 2 * i]).max() < 1e-5


def test_later_pictures_are_not_attended_to() -> None:
    rows = streamvggt.make().exact["global"][0]
    assert rows[0, :, 0, 9:].max() == 0
    assert rows[0, :, 9, :9].min() > 0


def test_pictures_are_put_in_another_order() -> None:
    assert da3.make(4, reference=2).order == [2, 0, 1, 3]
    assert da3.make(2).order == [0, 1]
    # Rows are of the caller's pictures: their own tokens' rows differ from those in model order.
    assert not np.allclose(
        da3.make(4, reference=2).exact["global"][3],
        da3.make(4, reference=0).exact["global"][3],
        atol=1e-2,
    )


def test_register_blocks_have_no_rows_of_patches() -> None:
    twin = omega.make()
    assert sorted(twin.exact["global"]) == [0, 2]
    small = 3 * omega.SPECIAL
    assert [p.shape[-1] for p in probabilities(twin) if len(p) == 1].count(small) == 1


def test_merged_tokens_are_fewer() -> None:
    shapes = [p.shape[-1] for p in probabilities(fastvggt.make(merging=0)) if len(p) == 1]
    assert shapes == [14, 14]  # of 27
