# SPDX-License-Identifier: Apache-2.0
"""StreamVGGT: VGGT whose global blocks see no later picture, at once or a picture at a time."""

from __future__ import annotations

import torch

from . import common, vggt


class CachedAttention(common.Attention):
    """Keeps keys and values before their norm; norm and RoPE are computed anew at each step."""

    def forward(self, x, pos=None, mask=None, past=None, use_cache=False):
        q, k, v = self.split(x)
        if not use_cache:
            q, k = self.q_norm(q), self.k_norm(k)
            return self.join(self.attend(self.rope(q, pos), self.rope(k, pos), v, mask))
        k, v = k.unsqueeze(2), v.unsqueeze(2)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        kept, frames = (k, v), k.shape[2]
        k, v = k.flatten(2, 3), v.flatten(2, 3)
        q, k = self.q_norm(q), self.k_norm(k)
        q, k = self.rope(q, pos), self.rope(k, pos.repeat(1, frames, 1))
        return self.join(self.attend(q, k, v, mask)), kept


class CachedBlock(common.Block):
    def forward(self, x, past=None, use_cache=False, **kwargs):
        if not use_cache:
            return super().forward(x, **kwargs)
        mixed, kept = self.attn(self.norm1(x), past=past, use_cache=True, **kwargs)
        x = x + mixed
        return x + self.mlp(self.norm2(x)), kept


class Aggregator(vggt.Aggregator):
    def __init__(self, attention, fused):
        super().__init__(attention, fused)
        for i in range(vggt.DEPTH):
            self.global_blocks[i] = CachedBlock(
                vggt.DIM, CachedAttention(vggt.DIM, vggt.HEADS, rope=self.rope, fused=fused)
            )

    def mask(self, frames, tokens):
        """Added to the logits: the least float where a key belongs to a later picture."""
        frame = torch.arange(frames * tokens) // tokens
        later = frame[:, None] < frame[None, :]
        return later.float() * torch.finfo(torch.float32).min

    def forward(self, pictures, past_key_values=None, use_cache=False):
        """With a cache, a place for each block, one picture after those in it."""
        if not use_cache:
            return super().forward(pictures)
        cache = past_key_values
        x = self.tokens(pictures, first=0 if cache[0] is None else cache[0][0].shape[2])
        pos = common.patch_positions(1, vggt.GRID, vggt.SPECIAL)
        for i, (frame_block, global_block) in enumerate(
            zip(self.frame_blocks, self.global_blocks, strict=True)
        ):
            x, cache[i] = global_block(
                frame_block(x, pos=pos), past=cache[i], use_cache=True, pos=pos
            )
        return x


class StreamVGGT(vggt.VGGT):
    def __init__(self, fused=True):
        super().__init__(common.Attention, fused, Aggregator)

    def inference(self, pictures):
        cache = [None] * vggt.DEPTH
        return [
            self.aggregator(pictures[:, i : i + 1], past_key_values=cache, use_cache=True)
            for i in range(pictures.shape[1])
        ]


def make(frames: int = 3, *, steps: bool = False, fused: bool = True) -> common.Twin:
    """All pictures in one pass with a mask, or one a step with a cache: the rows are the same."""
    model = StreamVGGT(fused)
    common.seed(model, 3)
    pictures = common.random_pictures(frames, vggt.GRID, vggt.PATCH, 4)
    run = (lambda: model.inference(pictures)) if steps else (lambda: model(pictures))
    return common.Twin(
        model, run, frames, vggt.GRID, vggt.names(), vggt.exact(model, pictures, causal=True)
    )
