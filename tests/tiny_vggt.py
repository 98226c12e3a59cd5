# SPDX-License-Identifier: Apache-2.0
"""A VGGT in PyTorch, for tests: modules are named as in checkpoints."""

import math

import torch
import torch.nn.functional as F
from torch import nn

PATCH = 14


class Rope(nn.Module):
    """The first half of the channels turns with y, the second with x."""

    def __init__(self, base=100.0):
        super().__init__()
        self.base_frequency = base

    def forward(self, tokens, positions):
        quarter = tokens.shape[-1] // 4
        frequencies = self.base_frequency ** (-torch.arange(quarter) / quarter)
        angles = positions[:, None, :, :, None] * frequencies  # [batch, 1, tokens, 2, quarter]
        angles = torch.cat([angles, angles], -1).flatten(-2)
        halves = tokens.unflatten(-1, (2, 2, quarter))
        turned = torch.stack([-halves[..., 1, :], halves[..., 0, :]], -2).flatten(-3)
        return tokens * angles.cos() + turned * angles.sin()


class Attention(nn.Module):
    def __init__(self, dim, heads, qk_norm, rope):
        super().__init__()
        self.num_heads, self.scale, self.rope = heads, (dim // heads) ** -0.5, rope
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.q_norm = nn.LayerNorm(dim // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads) if qk_norm else nn.Identity()

    def forward(self, x, pos=None):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.rope is not None:
            q, k = self.rope(q, pos), self.rope(k, pos)
        return self.proj(self.attend(q, k, v).transpose(1, 2).reshape(batch, tokens, dim))

    def attend(self, q, k, v):
        return torch.softmax(q * self.scale @ k.transpose(-2, -1), -1) @ v


class Scale(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * self.gamma


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, eps, qk_norm=True, rope=None, attention=Attention):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=eps), nn.LayerNorm(dim, eps=eps)
        self.attn = attention(dim, heads, qk_norm, rope)
        self.ls1, self.ls2, self.mlp = Scale(dim), Scale(dim), Mlp(dim)

    def forward(self, x, pos=None):
        x = x + self.ls1(self.attn(self.norm1(x), pos=pos))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Patches(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, PATCH, PATCH)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    """DINOv2 with registers."""

    def __init__(self, dim, depth, registers=4, grid=37):
        super().__init__()
        self.patch_embed, self.grid = Patches(dim), grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, registers, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, dim))
        self.blocks = nn.ModuleList(Block(dim, dim // 64, 1e-6, qk_norm=False)
                                    for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        size = x.shape[-2] // PATCH, x.shape[-1] // PATCH
        cells = self.pos_embed[:, 1:].unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        cells = F.interpolate(cells, size=size, mode="bicubic", antialias=True)
        x = self.patch_embed(x) + cells.flatten(2).transpose(1, 2)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(x), -1, -1)
        x = torch.cat([first, self.register_tokens.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 1 + self.register_tokens.shape[1]:]


class Aggregator(nn.Module):
    def __init__(self, dim=128, depth=2, heads=2, encoder_depth=2, registers=4,
                 attention=Attention):
        super().__init__()
        rope = Rope()
        self.patch_embed = Encoder(dim, encoder_depth, registers)
        self.camera_token = nn.Parameter(torch.zeros(1, 2, 1, dim))
        self.register_token = nn.Parameter(torch.zeros(1, 2, registers, dim))
        for name in ("frame_blocks", "global_blocks"):
            setattr(self, name, nn.ModuleList(
                Block(dim, heads, 1e-5, rope=rope, attention=attention) for _ in range(depth)))

    def forward(self, images):
        """images [batch, frames, 3, height, width] from 0 to 1 -> [batch, frames * tokens, dim]."""
        batch, frames, _, height, width = images.shape
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[
            ..., None, None]
        images = ((images - mean) / deviation).to(images.dtype)
        patches = self.patch_embed(images.flatten(0, 1))
        special = torch.cat([self.camera_token, self.register_token], 2)[0]
        slots = [min(i, 1) for i in range(frames)] * batch
        x = torch.cat([special[slots], patches], 1)
        rows, columns = height // PATCH, width // PATCH
        cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 1
        pos = torch.cat([cells.new_zeros(special.shape[1], 2), cells]).expand(len(x), -1, -1)
        for frame_block, global_block in zip(self.frame_blocks, self.global_blocks):
            x = frame_block(x, pos).reshape(batch, -1, x.shape[-1])
            x = global_block(x, pos.reshape(batch, -1, 2))
            x = x.reshape(batch * frames, -1, x.shape[-1])
        return x.reshape(batch, -1, x.shape[-1])


class VGGT(nn.Module):
    def __init__(self, **extents):
        super().__init__()
        self.aggregator = Aggregator(**extents)

    def forward(self, images):
        return self.aggregator(images)
