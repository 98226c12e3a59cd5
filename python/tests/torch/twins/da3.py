# SPDX-License-Identifier: Apache-2.0
"""Depth Anything 3: one list of blocks, the first of which are the encoder.

From block `alt_start` on odd blocks are global and even ones see a frame each. Before block
`alt_start` - 1 a chosen picture is put first, if there are three or more; what leaves the model is
put back. At block `alt_start` the class token is overwritten with a camera token, in place. RoPE
and norms of q and k begin there, too, and in global blocks all patches stand at (1, 1).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from . import common

DIM, HEADS, DEPTH, START, PATCH, GRID = 32, 2, 6, 2, 4, (2, 3)
REORDERED_FROM = 3  # pictures


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alt_start = self.qknorm_start = self.rope_start = START
        self.patch_embed = common.PatchEmbed(DIM, PATCH)
        self.cls_token = nn.Parameter(torch.empty(1, 1, DIM))
        self.camera_token = nn.Parameter(torch.empty(1, 2, DIM))
        self.rope = common.Rope2d()
        self.blocks = nn.ModuleList(
            [
                common.Block(
                    DIM,
                    common.Attention(DIM, HEADS, i >= START, self.rope if i >= START else None),
                    eps=1e-6,
                )
                for i in range(DEPTH)
            ]
        )

    def forward(self, pictures: torch.Tensor, reference: int) -> torch.Tensor:
        frames = pictures.shape[1]
        patches = self.patch_embed(pictures.flatten(0, 1))
        x = torch.cat([self.cls_token.expand(frames, -1, -1), patches], dim=1)[None]
        places = order(frames, reference)
        pos = common.patch_positions(frames, GRID, 1)
        alike = pos.clamp(max=1)
        for i, block in enumerate(self.blocks):
            if i == START - 1 and frames >= REORDERED_FROM:
                x = x[:, places]
            if i == START:
                first, others = self.camera_token[:, :1], self.camera_token[:, 1:]
                x[:, :, 0] = torch.cat([first, others.expand(-1, frames - 1, -1)], dim=1)
            rotated = i >= START
            if rotated and i % 2:
                y = block(x.flatten(1, 2), pos=alike.reshape(1, -1, 2))
            else:
                y = block(x.flatten(0, 1), pos=pos if rotated else None)
            x = y.reshape(x.shape)
        if frames >= REORDERED_FROM:
            x = x[:, np.argsort(places).tolist()]
        return x


class DepthAnything3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.pretrained = Backbone()

    def forward(self, pictures: torch.Tensor, reference: int) -> torch.Tensor:
        return self.backbone.pretrained(pictures, reference)


def order(frames: int, reference: int) -> list[int]:
    """Of each place in the model the picture that stands there."""
    return [reference, *(i for i in range(frames) if i != reference)]


def make(frames: int = 4, *, reference: int = 2) -> common.Twin:
    """`reference`: the picture that the model chooses; with two pictures it does not choose."""
    model = common.seed(DepthAnything3(), 7)
    pictures = common.random_pictures(frames, GRID, PATCH, 8)
    places = order(frames, reference) if frames >= REORDERED_FROM else list(range(frames))
    twin, name = common.Exact(model), "backbone.pretrained"
    # Pictures are put in order at once: the blocks before that see each alone.
    patches = twin.patches(f"{name}.patch_embed.proj", pictures[0, places].double().numpy())
    cls = twin.weights[f"{name}.cls_token"].repeat(frames, axis=0)
    x = np.concatenate([cls, patches], axis=1)
    shape, back = x.shape, np.argsort(places)
    rows: dict[str, dict[int, np.ndarray]] = {"encoder": {}, "frame": {}, "global": {}}
    for i in range(DEPTH):
        if i == START:
            camera = twin.weights[f"{name}.camera_token"][0]
            x[:, 0] = camera[np.minimum(np.arange(frames), 1)]
        crossing = i >= START and i % 2 == 1
        positions = common.positions_2d(GRID, 1, frames if crossing else 1) * (i >= START)
        if crossing:
            positions = np.minimum(positions, 1)
        x, p = twin.block(
            f"{name}.blocks.{i}",
            x.reshape(1 if crossing else frames, -1, DIM),
            HEADS,
            eps=1e-6,
            turn=lambda y, positions=positions: common.turn_2d(y, positions),
        )
        x = x.reshape(shape)
        if crossing:
            tokens = np.arange(frames * shape[1]).reshape(frames, -1)[back].ravel()
            rows["global"][i] = common.rearrange(p, tokens)
        else:
            rows["frame" if i >= START else "encoder"][i] = p[back]
    names = {"encoder": ["cls"], "frame": ["camera"], "global": ["camera"]}
    return common.Twin(
        model, lambda: model(pictures, reference), frames, GRID, names, rows, order=places
    )
