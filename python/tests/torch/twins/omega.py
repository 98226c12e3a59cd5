# SPDX-License-Identifier: Apache-2.0
"""VGGT-Omega: blocks between frames without RoPE, some of them among special tokens alone.

Frame blocks and the encoder turn their patches by DINOv3's rule, with sines and cosines that are
handed from block to block; no module turns them. The bias of qkv is multiplied with a mask.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from . import common

DIM, HEADS, DEPTH, PATCH, GRID, REGISTERS = 32, 2, 3, 4, (3, 2), 3
SPECIAL, REGISTER_BLOCKS, STORAGE = 1 + REGISTERS, (1,), 2


class MaskedBias(nn.Linear):
    """No bias for k."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__(dim, out)
        mask = torch.ones(out)
        mask[dim : 2 * dim] = 0
        self.register_buffer("bias_mask", mask)

    def forward(self, x):
        return nn.functional.linear(x, self.weight, self.bias * self.bias_mask)


class Attention(common.Attention):
    def __init__(self, dim: int, heads: int, qk_norm: bool = True) -> None:
        super().__init__(dim, heads, qk_norm)
        self.qkv = MaskedBias(dim, 3 * dim)
        if not qk_norm:
            self.q_norm = self.k_norm = None

    def forward(self, x, rope=None):
        q, k, v = self.split(x)
        if self.q_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q, k = turn(q, *rope), turn(k, *rope)
        return self.join(self.attend(q, k, v, None))


class Block(common.Block):
    """The rotation comes second, by place."""

    def forward(self, x, rope=None):
        return super().forward(x, rope=rope)


class Rope(nn.Module):
    """Sines and cosines of a grid of patches, [patches, channels] each."""

    def __init__(self) -> None:
        super().__init__()
        quarter = DIM // HEADS // 4
        self.register_buffer("periods", 100.0 ** (torch.arange(quarter) / quarter))

    def forward(self, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        y, x = (2 * (torch.arange(n) + 0.5) / max(rows, columns) - 1 for n in (rows, columns))
        places = torch.cartesian_prod(y, x)
        angles = 2 * torch.pi * places[:, :, None] / self.periods
        angles = angles.flatten(1).repeat(1, 2)
        return angles.sin(), angles.cos()


def turn(x, sin, cos):
    special = x.shape[2] - len(sin)
    patches = x[:, :, special:]
    a, b = patches.chunk(2, dim=-1)
    return torch.cat([x[:, :, :special], patches * cos + torch.cat([-b, a], dim=-1) * sin], dim=2)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = common.PatchEmbed(DIM, PATCH)
        self.cls_token = nn.Parameter(torch.empty(1, 1, DIM))
        self.storage_tokens = nn.Parameter(torch.empty(1, STORAGE, DIM))
        self.blocks = nn.ModuleList([Block(DIM, Attention(DIM, HEADS, False))])
        self.norm = nn.LayerNorm(DIM)

    def forward(self, pictures, rope):
        x = self.patch_embed(pictures)
        first = [t.expand(len(x), -1, -1) for t in (self.cls_token, self.storage_tokens)]
        x = torch.cat([*first, x], dim=1)
        for block in self.blocks:
            x = block(x, rope)
        return self.norm(x)[:, 1 + STORAGE :]


class Aggregator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = Encoder()
        self.rope_embed = Rope()
        for name in ("frame_blocks", "inter_frame_blocks"):
            setattr(
                self, name, nn.ModuleList([Block(DIM, Attention(DIM, HEADS)) for _ in range(DEPTH)])
            )
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, DIM))
        self.register_token = nn.Parameter(torch.empty(1, 2, REGISTERS, DIM))
        self.inter_frame_attention_types = [
            "register" if i in REGISTER_BLOCKS else "global" for i in range(DEPTH)
        ]

    def forward(self, pictures):
        rope = self.rope_embed(*GRID)
        patches = self.patch_embed(pictures.flatten(0, 1), rope)
        which = torch.arange(len(patches)).clamp(max=1)
        x = torch.cat([self.camera_token[0, which], self.register_token[0, which], patches], dim=1)
        for i, kind in enumerate(self.inter_frame_attention_types):
            x = self.frame_blocks[i](x, rope)
            taken = x if kind == "global" else x[:, :SPECIAL]
            y = self.inter_frame_blocks[i](taken.reshape(1, -1, DIM), None).reshape(taken.shape)
            x = y if kind == "global" else torch.cat([y, x[:, SPECIAL:]], dim=1)
        return x


class VGGTOmega(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.aggregator = Aggregator()

    def forward(self, pictures):
        return self.aggregator(pictures)


def make(frames: int = 3) -> common.Twin:
    model = common.seed(VGGTOmega(), 9)
    pictures = common.random_pictures(frames, GRID, PATCH, 10)
    twin, name = common.Exact(model), "aggregator"
    for key in [key for key in twin.weights if key.endswith("bias_mask")]:
        twin.weights[key.replace("bias_mask", "bias")] *= twin.weights[key]

    def turn(x: np.ndarray) -> np.ndarray:
        """DINOv3's: pairs of channels half of all apart; the first half of the angles from rows."""
        rows, columns = GRID
        places = np.stack(np.divmod(np.arange(rows * columns), columns), -1) + 0.5
        places = 2 * places / max(GRID) - 1
        angles = 2 * np.pi * places[:, :, None] / twin.weights[f"{name}.rope_embed.periods"]
        angles = np.concatenate(
            [np.zeros((x.shape[2] - len(places), x.shape[3] // 2)), angles.reshape(len(places), -1)]
        )
        half = x.shape[3] // 2
        turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
        return np.concatenate([turned.real, turned.imag], axis=-1)

    x = twin.patches(f"{name}.patch_embed.patch_embed.proj", pictures[0].double().numpy())
    first = [
        twin.weights[f"{name}.patch_embed.{which}"].repeat(frames, axis=0)
        for which in ("cls_token", "storage_tokens")
    ]
    x, p = twin.block(
        f"{name}.patch_embed.blocks.0", np.concatenate([*first, x], axis=1), HEADS, turn=turn
    )
    rows: dict[str, dict[int, np.ndarray]] = {"encoder": {0: p}, "frame": {}, "global": {}}
    x = twin.norm(f"{name}.patch_embed.norm", x, 1e-5)[:, 1 + STORAGE :]
    which = np.minimum(np.arange(frames), 1)
    x = np.concatenate(
        [
            twin.weights[f"{name}.camera_token"][0, which],
            twin.weights[f"{name}.register_token"][0, which],
            x,
        ],
        axis=1,
    )
    for i in range(DEPTH):
        x, rows["frame"][i] = twin.block(f"{name}.frame_blocks.{i}", x, HEADS, turn=turn)
        taken = x[:, :SPECIAL] if i in REGISTER_BLOCKS else x
        y, p = twin.block(f"{name}.inter_frame_blocks.{i}", taken.reshape(1, -1, DIM), HEADS)
        x = np.concatenate([y.reshape(taken.shape), x[:, taken.shape[1] :]], axis=1)
        if i not in REGISTER_BLOCKS:
            rows["global"][i] = p
    registers = [f"register_{i + 1}" for i in range(REGISTERS)]
    names = {
        "encoder": ["cls", *registers[:STORAGE]],
        "frame": ["camera", *registers],
        "global": ["camera", *registers],
    }
    return common.Twin(model, lambda: model(pictures), frames, GRID, names, rows)
