# SPDX-License-Identifier: Apache-2.0
"""vggt-mini in PyTorch: the aggregator of tests/reference/vggt_reference.py, made to be trained.

State-dict names and shapes are those of the specification's synthetic_shapes(**CONFIG).
"""

import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PATCH, GRID, REGISTERS, SPECIAL = 14, 37, 4, 5
CONFIG = dict(dim=128, depth=6, head_dim=32, dino_depth=2)
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

# Matrix products run in this type; the residual stream, its norms and the weights stay float32.
# bfloat16 in training, where processors that multiply it natively are several times faster.
compute = torch.float32


def low(x):
    return x.to(compute)


def linear(m, x):
    return F.linear(low(x), low(m.weight), low(m.bias))


def rope_tables(yx, head_dim, base=100.0):
    """cos, sin [..., N, head_dim] for positions yx [..., N, 2]; sin bears the sign of the swap."""
    quarter = head_dim // 4
    freq = base ** (-torch.arange(quarter, dtype=torch.float32) / quarter)
    angle = yx[..., None] * freq  # [..., N, 2, quarter]
    cos = torch.cat([angle.cos(), angle.cos()], -1).flatten(-2)
    sin = torch.cat([-angle.sin(), angle.sin()], -1).flatten(-2)
    return cos, sin


def rope(x, tables):
    cos, sin = tables
    a, b, c, d = x.split(x.shape[-1] // 4, -1)
    return x * cos + torch.cat([b, a, d, c], -1) * sin


class Attention(nn.Module):
    def __init__(self, dim, head_dim, qk_norm):
        super().__init__()
        self.d = head_dim
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        if qk_norm:
            self.q_norm = nn.LayerNorm(head_dim)
            self.k_norm = nn.LayerNorm(head_dim)
        self.qk_norm = qk_norm

    def heads(self, x, tables):
        """x [B, N, C] -> q, k, v [B, h, N, d]."""
        B, N, C = x.shape
        q, k, v = linear(self.qkv, x).view(B, N, 3, C // self.d, self.d).permute(2, 0, 3, 1, 4)
        if self.qk_norm:
            q, k = low(self.q_norm(q.float())), low(self.k_norm(k.float()))
        if tables is not None:
            q, k = rope(q, tables), rope(k, tables)
        return q, k, v


class LayerScale(nn.Module):
    def __init__(self, dim, init):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), init))


class Mlp(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return linear(self.fc2, F.gelu(linear(self.fc1, x)))


class Block(nn.Module):
    def __init__(self, dim, head_dim, qk_norm, eps, scale):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps)
        self.attn = Attention(dim, head_dim, qk_norm)
        self.ls1 = LayerScale(dim, scale)
        self.norm2 = nn.LayerNorm(dim, eps)
        self.mlp = Mlp(dim)
        self.ls2 = LayerScale(dim, scale)

    def forward(self, x, tables=None, want=None, finish=True):
        """want: None, or 'attention' (also the rows after softmax) or 'qk' (also queries and keys).

        Without `finish` x stays as it is: enough for the last layer's rows.
        """
        q, k, v = self.attn.heads(self.norm1(x), tables)
        extra = (q, k) if want == "qk" else None
        if finish or want == "attention":
            a = torch.softmax((q * self.attn.d**-0.5) @ k.transpose(-1, -2), -1)
            extra = a if want == "attention" else extra
        if finish:
            y = (a @ v).transpose(1, 2).reshape(x.shape)
            x = x + self.ls1.gamma * linear(self.attn.proj, y)
            x = x + self.ls2.gamma * self.mlp(self.norm2(x))
        return (x, extra) if want else x


def bicubic_weights(n_in, n_out):
    """[n_out, n_in] antialiased bicubic resampling (a = -0.5), as torch's interpolate does it."""
    eye = torch.eye(n_in)[None, None]
    return F.interpolate(eye, (n_out, n_in), mode="bicubic", antialias=True)[0, 0]


class Dino(nn.Module):
    def __init__(self, dim, depth, scale):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, GRID * GRID + 1, dim))
        self.register_tokens = nn.Parameter(torch.zeros(1, REGISTERS, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, dim))  # unused, but in every checkpoint
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, dim, PATCH, PATCH)
        self.blocks = nn.ModuleList(Block(dim, 64, False, 1e-6, scale) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, 1e-6)

    def positions(self, grid):
        """pos_embed of the patches, resampled to grid = (rows, columns): [rows, columns, dim]."""
        cell = self.pos_embed[0, 1:].view(GRID, GRID, -1)
        if tuple(grid) != (GRID, GRID):
            cell = torch.einsum("yi,ijc->yjc", bicubic_weights(GRID, grid[0]), cell)
            cell = torch.einsum("xj,yjc->yxc", bicubic_weights(GRID, grid[1]), cell)
        return cell

    def forward(self, x, grid, rc):
        """x [F, 3, H, W] -> [F, Np, dim].

        grid: size of the whole picture in patches; rc [F, Np, 2]: row and column of each patch.
        """
        n, _, H, W = x.shape
        hp, wp = H // PATCH, W // PATCH
        kernel = self.patch_embed.proj.weight
        columns = x.view(n, 3, hp, PATCH, wp, PATCH).permute(0, 2, 4, 1, 3, 5)
        columns = columns.reshape(n, hp * wp, -1)
        t = F.linear(low(columns), low(kernel.flatten(1)), low(self.patch_embed.proj.bias))
        t = t + self.positions(grid)[rc[..., 0], rc[..., 1]]
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(n, -1, -1)
        t = torch.cat([cls, self.register_tokens.expand(n, -1, -1), t], 1)
        for block in self.blocks:
            t = block(t)
        return self.norm(t)[:, 1 + REGISTERS :]


class Aggregator(nn.Module):
    def __init__(self, dim, depth, head_dim, dino_depth, scale=0.3):
        super().__init__()
        self.head_dim = head_dim
        self.camera_token = nn.Parameter(torch.randn(1, 2, 1, dim) * 0.5)
        self.register_token = nn.Parameter(torch.randn(1, 2, REGISTERS, dim) * 0.5)
        self.patch_embed = Dino(dim, dino_depth, scale)

        def blocks():
            return nn.ModuleList(Block(dim, head_dim, True, 1e-5, scale) for _ in range(depth))

        self.frame_blocks, self.global_blocks = blocks(), blocks()
        self.start()

    def start(self):
        """Initial values that make global attention compare contents from the first step."""
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)
        self.start_encoder(self.patch_embed)
        quarter = self.head_dim // 4
        freq = 100.0 ** (-torch.arange(quarter) / quarter)
        # The fast rotations forget contents within a few patches: they begin turned down.
        gain = 1.6 * torch.where(freq > 0.25, torch.tensor(0.35), torch.tensor(1.0)).repeat(4)
        for block in self.global_blocks:
            C = block.attn.proj.weight.shape[0]
            w = nn.init.orthogonal_(torch.empty(C, C))
            block.attn.qkv.weight.data[:C] = w
            block.attn.qkv.weight.data[C : 2 * C] = w
            block.attn.q_norm.weight.data = gain.clone()
            block.attn.k_norm.weight.data = gain.clone()

    @staticmethod
    def start_encoder(dino):
        for p in (dino.cls_token, dino.register_tokens):
            nn.init.normal_(p, std=0.5)
        quarter = dino.pos_embed.shape[-1] // 4
        y, x = torch.meshgrid(torch.arange(GRID) / 3.0, torch.arange(GRID) / 3.0, indexing="ij")
        freq = 10.0 ** (-torch.arange(quarter) / quarter)
        y, x = y[..., None] * freq, x[..., None] * freq
        waves = torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], -1)
        dino.pos_embed.data[0, 1:] = 0.3 * waves.view(GRID * GRID, -1)

    def forward(self, x, grid=None, rc=None, want=None, layers=(), finish_last=True):
        """x [B, S, 3, H, W], normalised. grid, rc: the frames may be windows of larger pictures.

        Returns (tokens [B, S, P, C], {layer: attention rows or (q, k)}); see Block.forward.
        """
        B, S, _, H, W = x.shape
        hp, wp = H // PATCH, W // PATCH
        if rc is None:
            r = torch.meshgrid(torch.arange(hp), torch.arange(wp), indexing="ij")
            rc = torch.stack(r, -1).view(1, 1, -1, 2).expand(B, S, -1, -1)
            grid = (hp, wp)
        t = self.patch_embed(x.flatten(0, 1), grid, rc.flatten(0, 1))
        C, P = t.shape[-1], SPECIAL + hp * wp
        slot = torch.tensor([0] + [1] * (S - 1))
        special = torch.cat([self.camera_token[0], self.register_token[0]], 1)[slot]
        t = torch.cat([special.expand(B, -1, -1, -1), t.view(B, S, -1, C)], 2)
        yx = torch.cat([torch.zeros(B, S, SPECIAL, 2), rc.float() + 1], 2)
        frame_tables = [low(v).view(B * S, 1, P, -1) for v in rope_tables(yx, self.head_dim)]
        global_tables = [v.view(B, 1, S * P, -1) for v in frame_tables]
        out = {}
        last = len(self.global_blocks) - 1
        for i, (frame, whole) in enumerate(zip(self.frame_blocks, self.global_blocks)):
            t = frame(t.view(B * S, P, C), frame_tables).view(B, S * P, C)
            finish = i < last or finish_last
            if i in layers:
                t, out[i] = whole(t, global_tables, want, finish)
            elif finish:
                t = whole(t, global_tables)
        return t.view(B, S, P, C), out


class Mini(nn.Module):
    """The checkpoint's outer level ('aggregator.') and a head that only training has."""

    def __init__(self, **config):
        super().__init__()
        self.aggregator = Aggregator(**config)
        self.head = nn.Linear(config["dim"], 3)  # place in the other frame; whether it is seen


def write_safetensors(path, tensors, metadata):
    """Writes the tensors as F16."""
    header, offset = {"__metadata__": metadata}, 0
    arrays = {k: np.ascontiguousarray(v.detach().numpy().astype("<f2")) for k, v in tensors.items()}
    for k, v in arrays.items():
        span = [offset, offset + v.nbytes]
        header[k] = {"dtype": "F16", "shape": list(v.shape), "data_offsets": span}
        offset += v.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for v in arrays.values():
            f.write(v.tobytes())


def read_safetensors(path):
    """F16 or F32 tensors as float32 arrays."""
    blob = path.read_bytes()
    n = int.from_bytes(blob[:8], "little")
    out = {}
    for k, t in json.loads(blob[8 : 8 + n]).items():
        if k != "__metadata__":
            a, b = (8 + n + offset for offset in t["data_offsets"])
            values = np.frombuffer(blob[a:b], {"F16": "<f2", "F32": "<f4"}[t["dtype"]])
            out[k] = values.reshape(t["shape"]).astype(np.float32)
    return out


def config_of(weights):
    """CONFIG of a checkpoint, read off its names and shapes."""
    def count(prefix):
        return len({k[len(prefix):].split(".")[0] for k in weights if k.startswith(prefix)})

    return dict(dim=weights["aggregator.camera_token"].shape[-1],
                depth=count("aggregator.global_blocks."),
                head_dim=len(weights["aggregator.global_blocks.0.attn.q_norm.weight"]),
                dino_depth=count("aggregator.patch_embed.blocks."))
