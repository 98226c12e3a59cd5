# SPDX-License-Identifier: Apache-2.0
"""What all twins are made of: layers for PyTorch, and the same layers for NumPy in float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

FUSED = getattr(torch.nn.functional, "scaled_dot_product_attention", None)  # torch 2.0 and newer


@dataclasses.dataclass
class Twin:
    """A model, a pass through it, and the attention of that pass."""

    model: nn.Module
    run: Callable[[], Any]  # the forward pass, or all steps of it
    frames: int
    grid: tuple[int, int]  # rows, columns of patches
    special: dict[str, list[str]]  # kind -> the names that a frame's special tokens are given
    # kind -> block's number from 0 -> float64 [sequences, heads, tokens, tokens]: one sequence of
    # all tokens for global blocks, one a frame for the others. Frames stand in the caller's order;
    # in a frame special tokens come before the patches, and tokens of no frame come last.
    exact: dict[str, dict[int, np.ndarray]]
    order: list[int] | None = None  # where the model puts the frames: place -> caller's number
    scene: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # tokens of no frame


# --- PyTorch ------------------------------------------------------------------


class Rope2d(nn.Module):
    """Turns the first half of the channels with rows, the second with columns."""

    def __init__(self, base: float = 100.0) -> None:
        super().__init__()
        self.base_frequency = base

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        quarter = tokens.shape[-1] // 4
        steps = torch.arange(quarter, dtype=torch.float32) / quarter
        frequencies = self.base_frequency**-steps
        halves = []
        for axis, half in enumerate(tokens.chunk(2, dim=-1)):
            angles = (positions[..., axis, None] * frequencies)[:, None].to(tokens.dtype)
            a, b = half.chunk(2, dim=-1)
            cos, sin = angles.cos(), angles.sin()
            halves += [a * cos - b * sin, b * cos + a * sin]
        return torch.cat(halves, dim=-1)


class Attention(nn.Module):
    """VGGT's: qkv, norms of q and k, RoPE, fused attention, proj. Twins override `attend`."""

    def __init__(
        self,
        dim: int,
        heads: int,
        qk_norm: bool = True,
        rope: nn.Module | None = None,
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.num_heads = heads
        self.head_dim = dim // heads
        self.scale = self.head_dim**-0.5
        self.fused_attn = fused and FUSED is not None
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm = nn.LayerNorm(self.head_dim) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(self.head_dim) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)
        self.rope = rope

    def split(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, self.head_dim)
        return qkv.permute(2, 0, 3, 1, 4).unbind(0)

    def forward(
        self, x: torch.Tensor, pos: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        q, k, v = self.split(x)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.rope is not None and pos is not None:
            q, k = self.rope(q, pos), self.rope(k, pos)
        return self.join(self.attend(q, k, v, mask))

    def attend(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        if self.fused_attn:
            return FUSED(q, k, v, attn_mask=mask)
        logits = (q * self.scale) @ k.transpose(-2, -1)
        if mask is not None:
            logits = logits + mask
        return logits.softmax(dim=-1) @ v

    def join(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A block around an attention module; whatever it is given beside x goes there."""

    def __init__(self, dim: int, attention: nn.Module, eps: float = 1e-5) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = attention
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.Tanh(), nn.Linear(2 * dim, dim))

    def forward(self, x: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        x = x + self.attn(self.norm1(x), **kwargs)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, size, stride=size)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:  # [n, 3, H, W]
        return self.proj(pictures).flatten(2).transpose(1, 2)


class Encoder(nn.Module):
    """DINOv2's: a class token and registers before the patches, no RoPE, no norms of q and k."""

    def __init__(
        self, dim: int, heads: int, depth: int, registers: int, size: int, *, fused: bool = True
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(dim, size)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.register_tokens = nn.Parameter(torch.empty(1, registers, dim))
        self.blocks = nn.ModuleList(
            [
                Block(dim, Attention(dim, heads, qk_norm=False, fused=fused), eps=1e-6)
                for _ in range(depth)
            ]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """All tokens of each picture, normalised: [n, 1 + registers + patches, dim]."""
        x = self.patch_embed(pictures)
        n = len(x)
        x = torch.cat(
            [self.cls_token.expand(n, -1, -1), self.register_tokens.expand(n, -1, -1), x], dim=1
        )
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def patch_positions(sequences: int, grid: tuple[int, int], special: int) -> torch.Tensor:
    """[sequences, special + patches, 2]: special tokens at (0, 0), patches from (1, 1) on."""
    rows, columns = grid
    patches = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 1
    one = torch.cat([torch.zeros(special, 2, dtype=patches.dtype), patches])
    return one.repeat(sequences, 1, 1)


def seed(model: nn.Module, number: int) -> nn.Module:
    """Weights that make rows of attention differ much; the same for the same number."""
    random = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if name.endswith("qkv.weight"):
                noise *= 2
            if "norm" in name and name.endswith("weight"):
                parameter.copy_(1.4 + 0.3 * noise)
            elif parameter.dim() > 1 and name.endswith("weight"):
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(0.3 * noise)
    return model.eval()


def random_pictures(frames: int, grid: tuple[int, int], size: int, number: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(number)
    return torch.rand(1, frames, 3, grid[0] * size, grid[1] * size, generator=random)


# --- NumPy --------------------------------------------------------------------


class Exact:
    """The layers once more, in float64, with the weights of a model."""

    def __init__(self, model: nn.Module) -> None:
        self.weights = {
            name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()
        }

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, name: str, x: np.ndarray, eps: float) -> np.ndarray:
        if f"{name}.weight" not in self.weights:
            return x
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def patches(self, name: str, pictures: np.ndarray) -> np.ndarray:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        size = weight.shape[2]
        n, channels, height, width = pictures.shape
        cut = pictures.reshape(n, channels, height // size, size, width // size, size)
        cut = cut.transpose(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * size * size)
        return cut @ weight.reshape(len(weight), -1).T + bias

    def heads(self, name: str, x: np.ndarray, heads: int) -> list[np.ndarray]:
        """q, k (after their norms) and v: [sequences, heads, tokens, channels]."""
        qkv = self.linear(f"{name}.qkv", x).reshape(*x.shape[:2], 3, heads, -1)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)
        return [self.norm(f"{name}.q_norm", q, 1e-5), self.norm(f"{name}.k_norm", k, 1e-5), v]

    def block(
        self,
        name: str,
        x: np.ndarray,
        heads: int,
        *,
        eps: float = 1e-5,
        turn: Callable[[np.ndarray], np.ndarray] = lambda x: x,
        mask: np.ndarray | None = None,
        scale: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What a block returns, and its probabilities [sequences, heads, tokens, tokens].

        `turn` is what RoPE does to q and to k; `mask` [tokens, tokens] is true where a token
        attends; `scale` is that of the logits, 1/√channels if None.
        """
        q, k, v = self.heads(f"{name}.attn", self.norm(f"{name}.norm1", x, eps), heads)
        q, k = turn(q), turn(k)
        logits = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
        if mask is not None:
            logits = np.where(mask, logits, -np.inf)
        p = np.exp(logits - logits.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        mixed = (p @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + self.linear(f"{name}.attn.proj", mixed)
        hidden = np.tanh(self.linear(f"{name}.mlp.0", self.norm(f"{name}.norm2", x, eps)))
        return x + self.linear(f"{name}.mlp.2", hidden), p

    def encoder(
        self,
        name: str,
        pictures: np.ndarray,
        heads: int,
        depth: int,
    ) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """As Encoder: its normalised tokens, and each block's probabilities."""
        x = self.patches(f"{name}.patch_embed.proj", pictures)
        tokens = [self.weights[f"{name}.{which}"] for which in ("cls_token", "register_tokens")]
        x = np.concatenate([*(t.repeat(len(x), axis=0) for t in tokens), x], axis=1)
        rows = {}
        for i in range(depth):
            x, rows[i] = self.block(f"{name}.blocks.{i}", x, heads, eps=1e-6)
        return self.norm(f"{name}.norm", x, 1e-6), rows


def turn_2d(x: np.ndarray, positions: np.ndarray, base: float = 100.0) -> np.ndarray:
    """RoPE of [..., tokens, channels] at positions [tokens, 2], written with complex numbers."""
    n = x.shape[-1] // 4
    out = np.empty_like(x)
    for axis in range(2):
        half = x[..., 2 * n * axis : 2 * n * (axis + 1)]
        angles = positions[:, axis, None] * base ** (-np.arange(n) / n)
        turned = (half[..., :n] + 1j * half[..., n:]) * np.exp(1j * angles)
        out[..., 2 * n * axis : 2 * n * (axis + 1)] = np.concatenate([turned.real, turned.imag], -1)
    return out


def positions_2d(grid: tuple[int, int], special: int, copies: int = 1) -> np.ndarray:
    """The positions of `copies` frames' tokens, [copies · (special + patches), 2]."""
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    frame = np.vstack([np.zeros((special, 2)), np.stack([rows, columns], -1) + 1.0])
    return np.tile(frame, (copies, 1))


def rearrange(rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Probabilities with queries and keys in the order `tokens` (numbers of the model's tokens)."""
    return rows[:, :, tokens[:, None], tokens[None, :]]
