# SPDX-License-Identifier: Apache-2.0
"""VGGT: frame and global blocks in two lists, camera and registers before each frame's patches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from . import common

DIM, HEADS, DEPTH, PATCH, GRID, REGISTERS = 32, 2, 2, 4, (2, 3), 2
SPECIAL = 1 + REGISTERS


class Aggregator(nn.Module):
    def __init__(self, attention: Callable[..., nn.Module], fused: bool) -> None:
        super().__init__()
        self.patch_embed = common.Encoder(DIM, HEADS, 1, REGISTERS, PATCH, fused=fused)
        self.rope = common.Rope2d()
        for name in ("frame_blocks", "global_blocks"):
            made = attention if name == "global_blocks" else common.Attention
            setattr(
                self,
                name,
                nn.ModuleList(
                    [
                        common.Block(DIM, made(DIM, HEADS, rope=self.rope, fused=fused))
                        for _ in range(DEPTH)
                    ]
                ),
            )
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, DIM))
        self.register_token = nn.Parameter(torch.empty(1, 2, REGISTERS, DIM))

    def tokens(self, pictures: torch.Tensor, first: int = 0) -> torch.Tensor:
        """[frames, tokens, dim]; `first` is the number of the first picture in its sequence."""
        frames = pictures.shape[1]
        patches = self.patch_embed(pictures.flatten(0, 1))[:, 1 + REGISTERS :]
        which = torch.tensor([min(first + i, 1) for i in range(frames)])
        return torch.cat([self.camera_token[0, which], self.register_token[0, which], patches], 1)

    def mask(self, frames: int, tokens: int) -> torch.Tensor | None:
        return None

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = self.tokens(pictures)
        frames, tokens, _ = x.shape
        pos = common.patch_positions(frames, GRID, SPECIAL)
        for frame_block, global_block in zip(self.frame_blocks, self.global_blocks, strict=True):
            x = frame_block(x, pos=pos)
            x = global_block(
                x.reshape(1, frames * tokens, DIM),
                pos=pos.reshape(1, frames * tokens, 2),
                mask=self.mask(frames, tokens),
            ).reshape(x.shape)
        return x


class VGGT(nn.Module):
    def __init__(
        self,
        attention: Callable[..., nn.Module] = common.Attention,
        fused: bool = True,
        aggregator: type[Aggregator] = Aggregator,
    ) -> None:
        super().__init__()
        self.aggregator = aggregator(attention, fused)

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"tokens": self.aggregator(pictures)}


# --- what a fork may do between q, k and their product -------------------------


class DoubledQuery(common.Attention):
    """Multiplies q after RoPE, where no module is called."""

    def attend(self, q, k, v, mask):
        return super().attend(q * 2, k, v, mask)


class LearnedTemperature(common.Attention):
    """Multiplies the logits with a number of its own instead of 1/√channels."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.temperature = nn.Parameter(torch.empty(()))

    def attend(self, q, k, v, mask):
        return (self.temperature.exp() / 2 * (q @ k.transpose(-2, -1))).softmax(dim=-1) @ v


def exact(
    model: nn.Module,
    pictures: torch.Tensor,
    *,
    causal: bool = False,
    scale: Callable[[dict[str, np.ndarray], int], float | None] = lambda w, i: None,
) -> dict[str, dict[int, np.ndarray]]:
    """The pass in float64; `scale` gives global block i's scale of logits from the weights."""
    double = common.Exact(model)
    shot = pictures[0].double().numpy()
    frames, name = len(shot), "aggregator"
    patches, encoder = double.encoder(f"{name}.patch_embed", shot, HEADS, 1)
    which = np.minimum(np.arange(frames), 1)
    x = np.concatenate(
        [
            double.weights[f"{name}.camera_token"][0, which],
            double.weights[f"{name}.register_token"][0, which],
            patches[:, 1 + REGISTERS :],
        ],
        axis=1,
    )
    rows: dict[str, dict[int, np.ndarray]] = {"encoder": encoder, "frame": {}, "global": {}}
    frame_of = np.repeat(np.arange(frames), x.shape[1])
    mask = frame_of[:, None] >= frame_of[None, :] if causal else None

    def turn(x: np.ndarray) -> np.ndarray:
        return common.turn_2d(x, common.positions_2d(GRID, SPECIAL, x.shape[2] // patches.shape[1]))

    for i in range(DEPTH):
        x, rows["frame"][i] = double.block(f"{name}.frame_blocks.{i}", x, HEADS, turn=turn)
        y, rows["global"][i] = double.block(
            f"{name}.global_blocks.{i}",
            x.reshape(1, -1, DIM),
            HEADS,
            turn=turn,
            mask=mask,
            scale=scale(double.weights, i),
        )
        x = y.reshape(x.shape)
    return rows


def names() -> dict[str, list[str]]:
    registers = [f"register_{i + 1}" for i in range(REGISTERS)]
    return {
        "encoder": ["cls", *registers],
        "frame": ["camera", *registers],
        "global": ["camera", *registers],
    }


def twin(model: nn.Module, frames: int, **how) -> common.Twin:
    common.seed(model, 1)
    pictures = common.random_pictures(frames, GRID, PATCH, 2)
    return common.Twin(
        model, lambda: model(pictures), frames, GRID, names(), exact(model, pictures, **how)
    )


def make(frames: int = 3) -> common.Twin:
    return twin(VGGT(), frames)


def unfused(frames: int = 3) -> common.Twin:
    """Logits and softmax written out, in all blocks."""
    return twin(VGGT(fused=False), frames)


def doubled_query(frames: int = 3) -> common.Twin:
    return twin(VGGT(DoubledQuery), frames, scale=lambda w, i: 2 * (DIM // HEADS) ** -0.5)


def learned_temperature(frames: int = 3) -> common.Twin:
    return twin(
        VGGT(LearnedTemperature),
        frames,
        scale=lambda w, i: float(np.exp(w[f"aggregator.global_blocks.{i}.attn.temperature"]) / 2),
    )
