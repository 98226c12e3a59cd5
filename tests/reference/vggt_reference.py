# SPDX-License-Identifier: Apache-2.0
"""Executable specification of the VGGT attention export, in plain NumPy.

Slow on purpose: every formula stands once, in the order in which data flows
through it.  The C++ project must give the same numbers; this file is where to
look when a number differs.  Needs numpy and Pillow only.

    images -> preprocess -> patch tokens -> [frame block, global block] x depth
                                                      |
                                            q, k of each global block
                                                      |
                          softmax rows -> 99th percentile -> uint8 -> NPZ + JSON

Shapes: S frames, 3 x H x W pixels, Hp x Wp patches of 14 px, P = 5 + Hp*Wp
tokens a frame (1 camera, 4 registers, then the patches row by row), C channels,
h heads of d = C/h channels.
"""

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

PATCH = 14
MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])


# --- images ------------------------------------------------------------------

def preprocess(paths, target=518):
    """RGB frames as uint8 [S, H, W, 3]; the model sees them divided by 255.

    Width becomes `target`; height keeps the aspect ratio, rounded to whole
    patches; taller than `target` is cropped about the centre.  Frames of unlike
    size are padded with white, about the centre, to the largest.
    """
    frames = []
    for path in paths:
        img = Image.open(path)
        if img.mode == "RGBA":  # transparent pixels turn white
            img = Image.alpha_composite(Image.new("RGBA", img.size, (255,) * 4), img)
        img = img.convert("RGB")
        w, h = img.size
        new_h = round(h * (target / w) / PATCH) * PATCH  # Python rounds half to even
        pixels = np.asarray(img.resize((target, new_h), Image.BICUBIC))
        if new_h > target:
            top = (new_h - target) // 2
            pixels = pixels[top:top + target]
        frames.append(pixels)
    height = max(f.shape[0] for f in frames)
    padded = []
    for f in frames:
        missing = height - f.shape[0]
        above = missing // 2
        padded.append(np.pad(f, ((above, missing - above), (0, 0), (0, 0)), constant_values=255))
    return np.stack(padded)


# --- building blocks ---------------------------------------------------------

def layer_norm(x, w, b, eps):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + eps) * w + b


def gelu(x):
    from math import erf  # the exact GELU, not the tanh approximation
    return 0.5 * x * (1.0 + np.vectorize(erf, otypes=[x.dtype])(x / math.sqrt(2.0)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rope_2d(x, yx, base=100.0):
    """Rotates x [..., N, d] by the tokens' positions yx [N, 2].

    The first half of the channels turns with y, the second half with x; inside a
    half, channel i pairs with channel i + d/4.  Special tokens stand at (0, 0),
    the patch at row r, column c at (r + 1, c + 1).
    """
    quarter = x.shape[-1] // 4
    freq = base ** (-np.arange(quarter) / quarter)
    out = []
    for axis, half in enumerate(np.split(x, 2, axis=-1)):
        angle = (yx[:, axis:axis + 1] * freq).astype(x.dtype)
        cos, sin = np.cos(angle), np.sin(angle)
        a, b = half[..., :quarter], half[..., quarter:]
        out += [a * cos - b * sin, b * cos + a * sin]
    return np.concatenate(out, -1)


def bicubic_antialias_weights(n_in, n_out):
    """[n_out, n_in] resampling matrix: cubic kernel, a = -0.5, widened when shrinking."""
    scale = n_in / n_out
    widen = max(scale, 1.0)
    m = np.zeros((n_out, n_in))
    for i in range(n_out):
        centre = scale * (i + 0.5)
        lo = max(int(centre - 2.0 * widen + 0.5), 0)
        hi = min(int(centre + 2.0 * widen + 0.5), n_in)
        t = np.abs((np.arange(lo, hi) - centre + 0.5) / widen)
        a = -0.5
        w = np.where(t < 1, ((a + 2) * t - (a + 3)) * t * t + 1,
                     np.where(t < 2, (((t - 5) * t + 8) * t - 4) * a, 0.0))
        m[i, lo:hi] = w / w.sum()
    return m


class Block:
    """Pre-norm transformer block: x += ls1 * attn(norm1 x); x += ls2 * mlp(norm2 x)."""

    def __init__(self, weights, prefix, head_dim, eps):
        self.w = {k[len(prefix):]: v for k, v in weights.items() if k.startswith(prefix)}
        self.d, self.eps = head_dim, eps

    def qkv(self, x, yx):
        """x [B, N, C] -> q, k, v [B, h, N, d]; q and k normalised per head, then rotated."""
        w, (B, N, C) = self.w, x.shape
        y = layer_norm(x, w["norm1.weight"], w["norm1.bias"], self.eps)
        y = y @ w["attn.qkv.weight"].T + w["attn.qkv.bias"]
        q, k, v = y.reshape(B, N, 3, C // self.d, self.d).transpose(2, 0, 3, 1, 4)
        if "attn.q_norm.weight" in w:
            q = layer_norm(q, w["attn.q_norm.weight"], w["attn.q_norm.bias"], 1e-5)
            k = layer_norm(k, w["attn.k_norm.weight"], w["attn.k_norm.bias"], 1e-5)
        if yx is not None:
            q, k = rope_2d(q, yx), rope_2d(k, yx)
        return q, k, v

    def finish(self, x, q, k, v):
        w, (B, N, C) = self.w, x.shape
        a = softmax(self.logits(q, k)) @ v
        a = a.transpose(0, 2, 1, 3).reshape(B, N, C)
        x = x + w["ls1.gamma"] * (a @ w["attn.proj.weight"].T + w["attn.proj.bias"])
        y = layer_norm(x, w["norm2.weight"], w["norm2.bias"], self.eps)
        return x + w["ls2.gamma"] * self.mlp(y)

    def logits(self, q, k):
        return q @ k.swapaxes(-1, -2) / math.sqrt(self.d)

    def mlp(self, y):
        w = self.w
        y = gelu(y @ w["mlp.fc1.weight"].T + w["mlp.fc1.bias"])
        return y @ w["mlp.fc2.weight"].T + w["mlp.fc2.bias"]

    def extras(self, v, out, frames, special):
        """What a store holds beside q and k: v as above, out [B, N, C] what finish() returned.

        The norms of x = out and the sum of x / |x| over each frame's patches; for each head the
        norms of v, and of its columns of proj.weight times v, without bias and LayerScale.
        """
        x = out.reshape(-1, out.shape[-1])
        length = np.linalg.norm(x, axis=-1)
        unit = (x / length[:, None]).reshape(frames, -1, x.shape[-1])
        v = np.concatenate(list(v), 1)  # [h, all tokens, d]
        columns = self.w["attn.proj.weight"].reshape(x.shape[-1], *v.shape[::2])
        return {"x_norm": length, "x_unit_sum": unit[:, special:].sum(1),
                "v_norm": np.linalg.norm(v, axis=-1),
                "wov_norm": np.linalg.norm(np.einsum("chd,hnd->hnc", columns, v), axis=-1)}

    def __call__(self, x, yx=None):
        return self.finish(x, *self.qkv(x, yx))


def count_blocks(weights, prefix):
    ids = {int(k[len(prefix):].split(".")[0]) for k in weights if k.startswith(prefix)}
    return len(ids)


# --- the model ---------------------------------------------------------------

def patch_rows(pixels, kernel, bias):
    """The patch convolution: pixels [S, 3, H, W], mean and deviation removed -> [S, Hp*Wp, C]."""
    S, _, H, W = pixels.shape
    n = kernel.shape[2]
    cols = pixels.reshape(S, 3, H // n, n, W // n, n).transpose(0, 2, 4, 1, 3, 5)
    return cols.reshape(S, (H // n) * (W // n), -1) @ kernel.reshape(kernel.shape[0], -1).T + bias


def dinov2(w, pixels, run=lambda i, block, t: block(t)):
    """The encoder's patch tokens of pixels [S, 3, H, W]: [S, Hp*Wp, C].

    `w`: its weights without a prefix; `run` runs its i-th block.
    """
    S, _, H, W = pixels.shape
    hp, wp = H // PATCH, W // PATCH
    t = patch_rows(pixels, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"])
    pos = w["pos_embed"][0]
    grid = int(math.isqrt(pos.shape[0] - 1))
    if hp * wp != grid * grid or H != W:
        cell = pos[1:].reshape(grid, grid, -1).astype(np.float64)
        cell = np.einsum("yi,ijc->yjc", bicubic_antialias_weights(grid, hp), cell)
        cell = np.einsum("xj,yjc->yxc", bicubic_antialias_weights(grid, wp), cell)
        pos = np.concatenate([pos[:1], cell.reshape(hp * wp, -1).astype(pixels.dtype)])
    cls = np.broadcast_to(w["cls_token"][0] + pos[:1], (S, 1, t.shape[-1]))
    reg = np.broadcast_to(w["register_tokens"][0], (S,) + w["register_tokens"].shape[1:])
    t = np.concatenate([cls, reg, t + pos[1:]], 1)
    for i in range(count_blocks(w, "blocks.")):
        t = run(i, Block(w, f"blocks.{i}.", 64, 1e-6), t)  # heads of 64, no RoPE, no q/k norm
    t = layer_norm(t, w["norm.weight"], w["norm.bias"], 1e-6)
    return t[:, 1 + reg.shape[1]:]


def patch_places(special, hp, wp):
    """Positions [special + hp*wp, 2] of a frame's tokens, for rope_2d."""
    rows, cols = np.divmod(np.arange(hp * wp), wp)
    return np.concatenate([np.zeros((special, 2)), np.stack([rows + 1, cols + 1], 1)])


class Aggregator:
    """`weights`: {state-dict name: array}, names as in the checkpoint, 'aggregator.' included.

    Depth, width and head size are read off the shapes: nothing else is configured.
    """

    def __init__(self, weights, dtype=np.float32):
        self.dtype = dtype
        self.w = {k[len("aggregator."):]: np.asarray(v, dtype)
                  for k, v in weights.items() if k.startswith("aggregator.")}
        self.depth = count_blocks(self.w, "global_blocks.")
        self.head_dim = self.w["global_blocks.0.attn.q_norm.weight"].shape[0]
        self.special = 1 + self.w["register_token"].shape[2]

    def patch_tokens(self, x, run=lambda i, block, t: block(t)):
        """x [S, 3, H, W], mean and deviation removed -> [S, Hp*Wp, C]; `run` as dinov2()'s."""
        if "patch_embed.proj.weight" in self.w:  # a bare convolution
            return patch_rows(x, self.w["patch_embed.proj.weight"], self.w["patch_embed.proj.bias"])
        w = {k[len("patch_embed."):]: v for k, v in self.w.items() if k.startswith("patch_embed.")}
        return dinov2(w, x, run)

    def first_tokens(self, frames, run=lambda i, block, t: block(t)):
        """frames uint8 [S, H, W, 3] -> tokens [S, P, C] as the first frame block gets them."""
        x = (frames / 255.0 - MEAN) / STD
        patches = self.patch_tokens(x.transpose(0, 3, 1, 2).astype(self.dtype), run)
        # slot 0 of the camera and register tokens is the first frame's, slot 1 every other's
        slot = np.minimum(np.arange(len(frames)), 1)
        special = np.concatenate([self.w["camera_token"][0], self.w["register_token"][0]], 1)[slot]
        return np.concatenate([special, patches], 1)

    def global_qk(self, frames, taps=()):
        """frames uint8 [S, H, W, 3] -> yields (q, k), each [h, S*P, d], a global block at a time.

        `taps`: a dict whose keys are layers, filled for the prediction heads with [S, P, 2C]: the frame
        block's output beside the global block's, both after the whole block.
        """
        S, H, W, _ = frames.shape
        t = self.first_tokens(frames)
        yx = patch_places(self.special, H // PATCH, W // PATCH)
        P, C = t.shape[1:]
        for i in range(self.depth):
            t = Block(self.w, f"frame_blocks.{i}.", self.head_dim, 1e-5)(t, yx)
            g = Block(self.w, f"global_blocks.{i}.", self.head_dim, 1e-5)
            flat = t.reshape(1, S * P, C)
            q, k, v = g.qkv(flat, np.tile(yx, (S, 1)))
            yield q[0], k[0]
            f, t = t, g.finish(flat, q, k, v).reshape(S, P, C)
            if i in taps:
                taps[i] = np.concatenate([f, t], -1)


# --- the export --------------------------------------------------------------

def first_to_all(q, k, S, hp, wp, special, stride_h=1, stride_w=1):
    """Attention of frame 0's patches over all frames' patches: [Q, h, S, H_ds, W_ds].

    Queries and keys are the patches at every stride-th row and column.  The
    softmax runs over those keys alone: special tokens and skipped patches have
    no share in it.
    """
    P = special + hp * wp
    rows, cols = np.arange(0, hp, stride_h), np.arange(0, wp, stride_w)
    grid = (rows[:, None] * wp + cols).reshape(-1)
    keys = np.concatenate([s * P + special + grid for s in range(S)])
    logits = q[:, special + grid] @ k[:, keys].swapaxes(-1, -2) / math.sqrt(q.shape[-1])
    return softmax(logits).transpose(1, 0, 2).reshape(len(grid), q.shape[0], S, len(rows), len(cols))


def quantize(probs, vmax):
    return (np.clip(probs / (vmax + 1e-8), 0, 1) * 255 + 0.5).astype(np.uint8)


def export_layer(probs, per_head):
    """probs [Q, h, S, H, W] -> (uint8 heatmaps, layer_vmax99, per_head_vmax99 or None)."""
    if not per_head:
        probs = probs.mean(1)
        vmax = float(np.quantile(probs, 0.99))  # linear between order statistics
        return quantize(probs, vmax), vmax, None
    heads = [float(np.quantile(probs[:, i], 0.99)) for i in range(probs.shape[1])]
    maps = np.stack([quantize(probs[:, i], v) for i, v in enumerate(heads)], 1)
    return maps, float(np.quantile(probs, 0.99)), heads


# --- checkpoints for tests ---------------------------------------------------

def synthetic_tensor(name, shape, seed=0):
    """A tensor anyone can make again: splitmix64 over (seed, FNV-1a of the name, index)."""
    mask = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & mask
    start = (h + seed * 0x9E3779B97F4A7C15) & mask
    with np.errstate(over="ignore"):
        z = np.uint64(start) + np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = ((z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0).reshape(shape)  # [-1, 1)
    mean, spread = synthetic_scale(name, shape)
    return (mean + spread * u).astype(np.float32)


def synthetic_scale(name, shape):
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return 1.5, 0.5
    if name.endswith("gamma"):
        return 0.3, 0.2
    if ".pose_branch.fc2." in name:  # four small steps towards a camera that sees something
        return (0.25, 0.1) if name.endswith("bias") else (0.0, 0.1 * math.sqrt(3.0 / shape[1]))
    if "norm" in name and name.endswith("weight"):
        return 1.0, 0.3
    if name.endswith("bias"):
        return 0.0, 0.1
    if name.endswith("weight"):
        return 0.0, math.sqrt(3.0 / math.prod(shape[1:]))
    return 0.0, 0.5  # tokens and position embeddings


def block_shapes(prefix, dim, head_dim=None):
    """Those of a Block; with norms of q and k if `head_dim` is given."""
    shapes = {
        "norm1.weight": (dim,), "norm1.bias": (dim,),
        "attn.qkv.weight": (3 * dim, dim), "attn.qkv.bias": (3 * dim,),
        "attn.proj.weight": (dim, dim), "attn.proj.bias": (dim,),
        "ls1.gamma": (dim,),
        "norm2.weight": (dim,), "norm2.bias": (dim,),
        "mlp.fc1.weight": (4 * dim, dim), "mlp.fc1.bias": (4 * dim,),
        "mlp.fc2.weight": (dim, 4 * dim), "mlp.fc2.bias": (dim,),
        "ls2.gamma": (dim,)}
    if head_dim:
        for t in ("q_norm", "k_norm"):
            shapes |= {f"attn.{t}.weight": (head_dim,), f"attn.{t}.bias": (head_dim,)}
    return {prefix + k: v for k, v in shapes.items()}


def dinov2_shapes(prefix, dim, depth, registers, grid):
    shapes = {"cls_token": (1, 1, dim), "pos_embed": (1, grid * grid + 1, dim),
              "register_tokens": (1, registers, dim), "mask_token": (1, dim),
              "norm.weight": (dim,), "norm.bias": (dim,)}
    for i in range(depth):
        shapes |= block_shapes(f"blocks.{i}.", dim)
    shapes |= {"patch_embed.proj.weight": (dim, 3, PATCH, PATCH), "patch_embed.proj.bias": (dim,)}
    return {prefix + k: v for k, v in shapes.items()}


def synthetic_shapes(dim, depth, head_dim, dino_depth=0, registers=4, grid=37):
    """State-dict shapes of an aggregator; dino_depth 0 means a bare convolution for patches.

    VGGT-1B is synthetic_shapes(1024, 24, 64, dino_depth=24).
    """
    shapes = {"camera_token": (1, 2, 1, dim), "register_token": (1, 2, registers, dim)}
    if dino_depth:
        shapes |= dinov2_shapes("patch_embed.", dim, dino_depth, registers, grid)
    else:
        shapes |= {"patch_embed.proj.weight": (dim, 3, PATCH, PATCH), "patch_embed.proj.bias": (dim,)}
    for i in range(depth):
        shapes |= block_shapes(f"frame_blocks.{i}.", dim, head_dim)
        shapes |= block_shapes(f"global_blocks.{i}.", dim, head_dim)
    return {"aggregator." + k: v for k, v in shapes.items()}


def synthetic_weights(seed=0, **shape_args):
    return {k: synthetic_tensor(k, s, seed) for k, s in synthetic_shapes(**shape_args).items()}


def write_safetensors(path, weights):
    header, offset = {}, 0
    for k, v in weights.items():
        header[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [offset, offset + v.nbytes]}
        offset += v.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for v in weights.values():
            f.write(v.astype("<f4").tobytes())


def read_safetensors(path):
    blob = Path(path).read_bytes()
    n = int.from_bytes(blob[:8], "little")
    out = {}
    for k, t in json.loads(blob[8:8 + n]).items():
        if k != "__metadata__":
            a, b = t["data_offsets"]
            out[k] = np.frombuffer(blob[8 + n + a:8 + n + b], "<f4").reshape(t["shape"])
    return out
