# SPDX-License-Identifier: Apache-2.0
"""MapAnything: global blocks first, special tokens behind the patches, one token of no frame.

A frame is [patches, class token]; behind all frames, and in global blocks alone, stands the scale
token. There is no RoPE and no norm of q and k. The logits' scale is given to the fused function by
name; `entropy` multiplies q by a number that depends on how many tokens there are.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from . import common

DIM, HEADS, DEPTH, PATCH, GRID = 32, 2, 4, 4, (2, 3)
PATCHES = GRID[0] * GRID[1]


class Attention(common.Attention):
    entropy = False

    def forward(self, x):
        q, k, v = self.split(x)
        if self.entropy:
            q = q * math.sqrt(1.4 * math.log(x.shape[1]) / math.log(444))
        try:
            return self.join(common.FUSED(q, k, v, dropout_p=0.0, scale=self.scale))
        except TypeError:  # before torch 2.1, or 2.0
            return self.join(self.attend(q, k, v, None))


class InfoSharing(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj_embed = nn.Linear(DIM, dim)
        self.self_attention_blocks = nn.ModuleList(
            [common.Block(dim, Attention(dim, HEADS, qk_norm=False), 1e-6) for _ in range(DEPTH)]
        )
        self.register_buffer("view_pos_table", torch.linspace(-1, 1, dim)[None])

    def forward(self, frames, scale):
        """frames [n, patches + special, c], scale [1, 1, c]."""
        x, scale = self.proj_embed(frames), self.proj_embed(scale)
        x = torch.cat([x[:1] + self.view_pos_table, x[1:]])
        shape = x.shape
        for i, block in enumerate(self.self_attention_blocks):
            if i % 2 == 0:
                both = block(torch.cat([x.reshape(1, -1, shape[2]), scale], dim=1))
                x, scale = both[:, :-1].reshape(shape), both[:, -1:]
            else:
                x = block(x)
        return x


class MapAnything(nn.Module):
    def __init__(self, special: bool, entropy: bool) -> None:
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.model = common.Encoder(DIM, HEADS, 2, 0, PATCH)
        self.scale_token = nn.Parameter(torch.empty(DIM))
        self.info_sharing = InfoSharing(48)
        self.special = special
        for block in self.info_sharing.self_attention_blocks:
            block.attn.entropy = entropy

    def forward(self, pictures):
        tokens = self.encoder.model(pictures.flatten(0, 1))
        last = tokens[:, :1] if self.special else tokens[:, :0]
        return self.info_sharing(
            torch.cat([tokens[:, 1:], last], dim=1), self.scale_token[None, None]
        )


def make(frames: int = 3, *, special: bool = True, entropy: bool = False) -> common.Twin:
    """`special`: class tokens behind the patches, as today; none in the first release."""
    model = common.seed(MapAnything(special, entropy), 11)
    pictures = common.random_pictures(frames, GRID, PATCH, 12)
    twin, name = common.Exact(model), "info_sharing"
    tokens, encoder = twin.encoder("encoder.model", pictures[0].double().numpy(), HEADS, 2)
    x = np.concatenate([tokens[:, 1:], tokens[:, :1] if special else tokens[:, :0]], axis=1)
    x = twin.linear(f"{name}.proj_embed", x)
    x[0] += twin.weights[f"{name}.view_pos_table"]
    scale = twin.linear(f"{name}.proj_embed", twin.weights["scale_token"][None, None])
    # Each frame's special tokens before its patches, the scale token where it is.
    here = np.roll(np.arange(x.shape[1]), x.shape[1] - PATCHES)
    everywhere = np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2])[:, here].ravel()
    everywhere = np.append(everywhere, len(everywhere))
    rows: dict[str, dict[int, np.ndarray]] = {"encoder": encoder, "frame": {}, "global": {}}
    for i in range(DEPTH):
        whole = i % 2 == 0
        y = np.concatenate([x.reshape(1, -1, x.shape[2]), scale], axis=1) if whole else x
        times = math.sqrt(1.4 * math.log(y.shape[1]) / math.log(444)) if entropy else 1
        y, p = twin.block(
            f"{name}.self_attention_blocks.{i}",
            y,
            HEADS,
            eps=1e-6,
            scale=times * (x.shape[2] // HEADS) ** -0.5,
        )
        if whole:
            x, scale = y[:, :-1].reshape(x.shape), y[:, -1:]
            rows["global"][i] = common.rearrange(p, everywhere)
        else:
            x = y
            rows["frame"][i] = common.rearrange(p, here)
    names = {"encoder": ["cls"], "frame": ["cls"] * special, "global": ["cls"] * special}
    return common.Twin(
        model, lambda: model(pictures), frames, GRID, names, rows, scene={"global": ["scale"]}
    )
