# SPDX-License-Identifier: Apache-2.0
"""FastVGGT: VGGT whose global blocks may attend on fewer tokens than they have.

Tokens that resemble each other are averaged between RoPE and the product, and what comes out is
copied to all of them. So there are no rows of the tokens that an export has; with merging off, it
is VGGT.
"""

from __future__ import annotations

import torch

from . import common, vggt


class MergingAttention(common.Attention):
    merging = False

    def attend(self, q, k, v, mask):
        if not self.merging:
            return super().attend(q, k, v, mask)
        tokens = q.shape[2]
        into = torch.arange(tokens) // 2  # pairs of neighbours become one
        counts = torch.bincount(into).to(q.dtype)[:, None]

        def merged(x):
            shape = (*x.shape[:2], len(counts), x.shape[3])
            return torch.zeros(shape, dtype=x.dtype).index_add(2, into, x) / counts

        return super().attend(merged(q), merged(k), merged(v), mask)[:, :, into]


class Aggregator(vggt.Aggregator):
    global_merging, merging = True, None  # the first global block that merges


def make(frames: int = 3, *, merging: int | None = None, announced: bool = True) -> common.Twin:
    """`announced`: the model says where it merges, as FastVGGT does."""
    aggregator = Aggregator if announced else vggt.Aggregator
    twin = vggt.twin(vggt.VGGT(MergingAttention, aggregator=aggregator), frames)
    if merging is not None:
        if announced:
            twin.model.aggregator.merging = merging
        for block in twin.model.aggregator.global_blocks[merging:]:
            block.attn.merging = True
        # What follows a block that merges is not computed here.
        twin.exact = {
            kind: {i: p for i, p in rows.items() if kind == "encoder" or i < merging}
            for kind, rows in twin.exact.items()
        }
    return twin
