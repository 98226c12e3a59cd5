# SPDX-License-Identifier: Apache-2.0
"""The golden tiny models of VGGT's relatives in PyTorch: tensors are named as in checkpoints."""

from __future__ import annotations

import math
from typing import Any

import torch
from tiny_vggt import PATCH, Aggregator, Attention, Block, Encoder, Patches, Rope
from torch import nn
from torch.nn import functional
from twins import common, omega


class StreamAttention(Attention):
    frames = 1  # that attend to one another; set by each pass

    def attend(self, q, k, v):
        frame = torch.arange(q.shape[2]) * self.frames // q.shape[2]
        later = (frame[:, None] < frame).to(q.dtype)
        logits = (q * self.scale) @ k.transpose(-2, -1) + later * torch.finfo(q.dtype).min
        return logits.softmax(dim=-1) @ v


class StreamVggt(nn.Module):
    class Aggregator(Aggregator):
        def forward(self, images, past_key_values=None):
            for block in self.global_blocks:
                block.attn.frames = images.shape[1]
            return super().forward(images)

    def __init__(self, dim: int, depth: int, head_dim: int) -> None:
        super().__init__()
        self.aggregator = self.Aggregator(dim, depth, dim // head_dim, 0, attention=StreamAttention)
        self.aggregator.patch_embed = Patches(dim)

    def forward(self, images):
        return self.aggregator(images)


class Pi3(nn.Module):
    def __init__(self, dim: int, depth: int, head_dim: int, dino_depth: int, grid: int) -> None:
        super().__init__()
        rope = Rope()
        self.encoder = Encoder(dim, dino_depth, grid=grid)
        del self.encoder.mask_token
        self.decoder = nn.ModuleList(
            [Block(dim, dim // head_dim, 1e-6, rope=rope) for _ in range(depth)]
        )
        self.register_token = nn.Parameter(torch.empty(1, 1, 5, dim))
        self.register_buffer("image_mean", torch.empty(1, 3, 1, 1))
        self.register_buffer("image_std", torch.empty(1, 3, 1, 1))

    def forward(self, images):
        images = images[0]
        frames = len(images)
        patches = self.encoder((images - self.image_mean) / self.image_std)
        x = torch.cat([self.register_token[0].expand(frames, -1, -1), patches], dim=1)
        pos = common.patch_positions(frames, grid_of(images), 5)
        for alone, joined in zip(self.decoder[::2], self.decoder[1::2], strict=True):
            x = alone(x, pos)
            x = joined(x.flatten(0, 1)[None], pos.flatten(0, 1)[None]).reshape(x.shape)
        return x


class SwiGlu(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = (8 * dim // 3 + 7) // 8 * 8
        self.w12, self.w3 = nn.Linear(dim, 2 * hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        a, b = self.w12(x).chunk(2, dim=-1)
        return self.w3(functional.silu(a) * b)


class DepthAnything3(nn.Module):
    class Backbone(nn.Module):
        def __init__(
            self, dim: int, depth: int, head_dim: int, start: int, grid: int, swiglu: bool = False
        ) -> None:
            super().__init__()
            rope = Rope()
            self.alt_start, self.grid = start, grid
            self.patch_embed = Patches(dim)
            self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
            self.camera_token = nn.Parameter(torch.empty(1, 2, dim))
            self.pos_embed = nn.Parameter(torch.empty(1, 1 + grid * grid, dim))
            self.blocks = nn.ModuleList(
                [
                    Block(dim, dim // head_dim, 1e-6, i >= start, rope if i >= start else None)
                    for i in range(depth)
                ]
            )
            if swiglu:
                for block in self.blocks:
                    block.mlp = SwiGlu(dim)
            self.norm = nn.LayerNorm(dim)

        def positions(self, rows: int, columns: int) -> torch.Tensor:
            """[1 + rows · columns, dim]."""
            if (rows, columns) == (self.grid, self.grid):
                return self.pos_embed[0]
            cells = self.pos_embed[:, 1:].unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
            ratios = ((rows + 0.1) / self.grid, (columns + 0.1) / self.grid)
            cells = functional.interpolate(cells, scale_factor=ratios, mode="bicubic")
            return torch.cat([self.pos_embed[0, :1], cells[0].flatten(1).T])

        def forward(self, images, reference: int):
            images = images[0]
            frames, grid = len(images), grid_of(images)
            mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
            images = (images - mean[:, None, None]) / deviation[:, None, None]
            patches = self.patch_embed(images)
            x = torch.cat([self.cls_token.expand(frames, -1, -1), patches], dim=1)
            x = (x + self.positions(*grid))[None]
            pos = common.patch_positions(frames, grid, 1)
            alike = pos.clamp(max=1).flatten(0, 1)[None]
            for i, block in enumerate(self.blocks):
                if i == self.alt_start - 1 and frames >= 3:
                    x = x[:, [reference, *(j for j in range(frames) if j != reference)]]
                if i == self.alt_start:
                    first, others = self.camera_token[:, :1], self.camera_token[:, 1:]
                    x[:, :, 0] = torch.cat([first, others.expand(-1, frames - 1, -1)], dim=1)
                if i >= self.alt_start and i % 2:
                    x = block(x.flatten(1, 2), alike).reshape(x.shape)
                else:
                    x = block(x.flatten(0, 1), pos)[None]
            return x

    def __init__(self, **extents: Any) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.backbone = nn.Module()
        self.model.backbone.pretrained = self.Backbone(**extents)

    def forward(self, images, reference: int = 0):
        return self.model.backbone.pretrained(images, reference)


class OmegaBlock(Block):
    """The rotation comes second, by place."""

    def __init__(self, dim: int, heads: int, qk_norm: bool = True) -> None:
        super().__init__(dim, heads, 1e-5)
        self.attn = omega.Attention(dim, heads, qk_norm)

    def forward(self, x, rope=None):
        x = x + self.ls1(self.attn(self.norm1(x), rope=rope))
        return x + self.ls2(self.mlp(self.norm2(x)))


class OmegaRope(nn.Module):
    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.register_buffer("periods", torch.empty(head_dim // 4))

    def forward(self, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        y, x = ((torch.arange(n) + 0.5) / max(rows, columns) for n in (rows, columns))
        places = 2 * torch.cartesian_prod(y, x) - 1
        angles = (2 * math.pi * places[:, :, None] / self.periods).flatten(1).repeat(1, 2)
        return angles.sin(), angles.cos()


class OmegaPatches(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 16, stride=16)

    def forward(self, images):
        return self.proj(images).flatten(2).transpose(1, 2)


class Omega(nn.Module):
    class Encoder(nn.Module):
        def __init__(self, dim: int, depth: int, head_dim: int) -> None:
            super().__init__()
            self.patch_embed, self.rope_embed = OmegaPatches(dim), OmegaRope(head_dim)
            self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
            self.storage_tokens = nn.Parameter(torch.empty(1, 4, dim))
            self.mask_token = nn.Parameter(torch.empty(1, dim))
            self.blocks = nn.ModuleList(
                [OmegaBlock(dim, dim // head_dim, False) for _ in range(depth)]
            )
            self.norm = nn.LayerNorm(dim)

        def forward(self, images):
            patches = self.patch_embed(images)
            first = torch.cat([self.cls_token, self.storage_tokens], dim=1)
            x = torch.cat([first.expand(len(patches), -1, -1), patches], dim=1)
            for block in self.blocks:
                x = block(x, self.rope_embed(*grid_of(images, 16)))
            return self.norm(x)[:, first.shape[1] :]

    class Aggregator(nn.Module):
        def __init__(
            self, dim: int, depth: int, head_dim: int, dino_depth: int, registers: int = 16
        ) -> None:
            super().__init__()
            self.patch_embed = Omega.Encoder(dim, dino_depth, head_dim)
            self.rope_embed = OmegaRope(head_dim)
            self.camera_token = nn.Parameter(torch.empty(1, 2, 1, dim))
            self.register_token = nn.Parameter(torch.empty(1, 2, registers, dim))
            for name in ("frame_blocks", "inter_frame_blocks"):
                blocks = [OmegaBlock(dim, dim // head_dim) for _ in range(depth)]
                setattr(self, name, nn.ModuleList(blocks))
            self.inter_frame_attention_types = [
                "register" if i in (2, 6, 9, 14, 20) else "global" for i in range(depth)
            ]

        def forward(self, images):
            images = images[0]
            mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
            images = (images - mean[:, None, None]) / deviation[:, None, None]
            which = torch.arange(len(images)).clamp(max=1)
            special = torch.cat([self.camera_token, self.register_token], dim=2)[0, which]
            x = torch.cat([special, self.patch_embed(images)], dim=1)
            rope = self.rope_embed(*grid_of(images, 16))
            for i, kind in enumerate(self.inter_frame_attention_types):
                x = self.frame_blocks[i](x, rope)
                seen = x if kind == "global" else x[:, : special.shape[1]]
                y = self.inter_frame_blocks[i](seen.flatten(0, 1)[None]).reshape(seen.shape)
                x = torch.cat([y, x[:, seen.shape[1] :]], dim=1)
            return x

    def __init__(self, masks: bool = True, **extents: Any) -> None:
        super().__init__()
        self.aggregator = self.Aggregator(**extents)
        if masks:
            return
        for module in self.modules():  # the mask is then no tensor of the file
            if isinstance(module, omega.MaskedBias):
                module.register_buffer("bias_mask", module.bias_mask, persistent=False)

    def forward(self, images):
        return self.aggregator(images)


def grid_of(images: torch.Tensor, patch: int = PATCH) -> tuple[int, int]:
    return images.shape[-2] // patch, images.shape[-1] // patch


FAMILIES = {"streamvggt": StreamVggt, "pi3": Pi3, "da3": DepthAnything3, "omega": Omega}
