# SPDX-License-Identifier: Apache-2.0
"""Pi3: frame and global blocks take turns in one list, five registers and no camera token.

Its attention imports the fused function by name, and its encoder's writes logits and softmax out.
The decoders of its heads are attention modules, too, with names that end like those of the list.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from . import common

try:
    from torch.nn.functional import scaled_dot_product_attention
except ImportError:  # before torch 2.0

    def scaled_dot_product_attention(q, k, v):
        return (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1) @ v


DIM, HEADS, DEPTH, PATCH, GRID, SPECIAL = 32, 2, 4, 4, (3, 2), 5


class Attention(common.Attention):
    def forward(self, x, xpos=None):
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, self.head_dim).transpose(1, 3)
        q, k, v = (qkv[:, :, i] for i in range(3))
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        if self.rope is not None:
            q, k = self.rope(q, xpos), self.rope(k, xpos)
        return self.join(scaled_dot_product_attention(q, k, v))


class Head(nn.Module):
    """A few frame-wise blocks that follow the list."""

    def __init__(self, rope):
        super().__init__()
        self.blocks = nn.ModuleList([common.Block(DIM, Attention(DIM, HEADS, False, rope))])

    def forward(self, x, xpos):
        for block in self.blocks:
            x = block(x, xpos=xpos)
        return x


class Pi3(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = common.Encoder(DIM, HEADS, 2, 4, PATCH, fused=False)
        self.rope = common.Rope2d()
        self.decoder = nn.ModuleList(
            [common.Block(DIM, Attention(DIM, HEADS, rope=self.rope), 1e-6) for _ in range(DEPTH)]
        )
        self.register_token = nn.Parameter(torch.empty(1, 1, SPECIAL, DIM))
        self.point_decoder = Head(self.rope)

    def forward(self, pictures):
        patches = self.encoder(pictures.flatten(0, 1))[:, 5:]
        frames = len(patches)
        x = torch.cat([self.register_token[0].expand(frames, -1, -1), patches], dim=1)
        pos = common.patch_positions(frames, GRID, SPECIAL)
        shape = x.shape
        for i, block in enumerate(self.decoder):
            sequences = 1 if i % 2 else frames
            x = block(x.reshape(sequences, -1, DIM), xpos=pos.reshape(sequences, -1, 2))
        return self.point_decoder(x.reshape(shape), pos)


def make(frames: int = 3) -> common.Twin:
    model = common.seed(Pi3(), 5)
    pictures = common.random_pictures(frames, GRID, PATCH, 6)
    twin = common.Exact(model)
    patches, encoder = twin.encoder("encoder", pictures[0].double().numpy(), HEADS, 2)
    x = np.concatenate(
        [twin.weights["register_token"][0].repeat(frames, axis=0), patches[:, 5:]], axis=1
    )
    shape = x.shape
    rows = {"encoder": encoder, "frame": {}, "global": {}}
    for i in range(DEPTH):
        sequences = 1 if i % 2 else frames
        positions = common.positions_2d(GRID, SPECIAL, frames // sequences)
        x, rows["global" if i % 2 else "frame"][i] = twin.block(
            f"decoder.{i}",
            x.reshape(sequences, -1, DIM),
            HEADS,
            eps=1e-6,
            turn=lambda y, positions=positions: common.turn_2d(y, positions),
        )
        x = x.reshape(shape)
    registers = [f"register_{i + 1}" for i in range(SPECIAL)]
    names = {"encoder": ["cls", *registers[:4]], "frame": registers, "global": registers}
    return common.Twin(model, lambda: model(pictures), frames, GRID, names, rows)
