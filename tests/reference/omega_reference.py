# SPDX-License-Identifier: Apache-2.0
"""Executable specification of VGGT-Omega's attention.

    pictures -> DINOv3 -> [camera, registers | patches] -> [frame block, global or register block] x depth

Frame blocks and the encoder's turn patches by DINOv3's rule; global and register blocks turn nothing.
A register block sees the camera and register tokens of all frames; patches pass by it. The bias of
each qkv is multiplied by a mask from the file.
family_reference.py says what run() notes.
"""

import math

import numpy as np

import family_reference as family
import vggt_reference as ref

PATCH = 16
EPS = 1e-5
REGISTER_BLOCKS = (2, 6, 9, 14, 20)


def synthetic_shapes(dim, depth, head_dim, dino_depth, registers=16, storage=4, masks=True):
    """VGGT-Omega is (1024, 24, 64, 24). `masks`: whether the file has them."""
    shapes = {"camera_token": (1, 2, 1, dim), "register_token": (1, 2, registers, dim),
              "rope_embed.periods": (head_dim // 4,)}
    p = "patch_embed."
    shapes |= {p + "cls_token": (1, 1, dim), p + "storage_tokens": (1, storage, dim), p + "mask_token": (1, dim),
               p + "rope_embed.periods": (head_dim // 4,),
               p + "patch_embed.proj.weight": (dim, 3, PATCH, PATCH), p + "patch_embed.proj.bias": (dim,),
               p + "norm.weight": (dim,), p + "norm.bias": (dim,)}
    blocks = {f"{p}blocks.{i}.": None for i in range(dino_depth)}
    for i in range(depth):
        blocks |= {f"frame_blocks.{i}.": head_dim, f"inter_frame_blocks.{i}.": head_dim}
    for prefix, normed in blocks.items():
        shapes |= ref.block_shapes(prefix, dim, normed)
        if masks:
            shapes[prefix + "attn.qkv.bias_mask"] = (3 * dim,)
    return {"aggregator." + k: v for k, v in shapes.items()}


def rope(periods, hp, wp):
    """DINOv3's rotation of a sequence's last hp*wp tokens, the patches.

    Centres of patches lie in -1 to 1 along the longer side, and from -1 on along the shorter. Of the
    first half of the channels the first half turns with y, the second with x; channel i pairs with
    channel i + d/2.
    """
    rows, cols = np.divmod(np.arange(hp * wp), wp)
    places = 2 * (np.stack([rows, cols], 1) + 0.5) / max(hp, wp) - 1
    angles = (2 * math.pi * places[:, :, None] / periods.astype(np.float64)).reshape(hp * wp, -1)

    def turn(t):
        special = t.shape[-2] - hp * wp
        a, b = np.split(t[..., special:, :], 2, -1)
        cos, sin = np.cos(angles).astype(t.dtype), np.sin(angles).astype(t.dtype)
        return np.concatenate([t[..., :special, :], np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)], -2)

    return turn


def masked(w):
    """The weights with masks multiplied in; where a file has none, keys have no bias."""
    out = dict(w)
    for name in w:
        if name.endswith("attn.qkv.bias"):
            no_keys = np.repeat([1, 0, 1], len(w[name]) // 3).astype(w[name].dtype)
            out[name] = w[name] * w.get(name + "_mask", no_keys)
    return out


def run(weights, frames, dtype=np.float32, note=family.silent):
    """The final tokens, [S, P, 2C]: what the last frame block returned beside what came after it."""
    S, H, W, _ = frames.shape
    hp, wp = H // PATCH, W // PATCH
    w = masked(family.cast(weights, dtype, "aggregator."))
    e = {k[len("patch_embed."):]: v for k, v in w.items() if k.startswith("patch_embed.")}

    t = ref.patch_rows(family.pixels(frames, dtype), e["patch_embed.proj.weight"], e["patch_embed.proj.bias"])
    first = np.concatenate([e["cls_token"], e["storage_tokens"]], 1)
    t = np.concatenate([np.repeat(first, S, 0), t], 1)
    turn, head_dim = rope(e["rope_embed.periods"], hp, wp), 4 * len(e["rope_embed.periods"])
    for i in range(ref.count_blocks(e, "blocks.")):
        t = family.Block(e, f"blocks.{i}.", head_dim, EPS, turn).pass_through(t, f"encoder_{i}", note)
    patches = ref.layer_norm(t, e["norm.weight"], e["norm.bias"], EPS)[:, first.shape[1]:]

    slot = np.minimum(np.arange(S), 1)  # the first frame's tokens or every other's
    t = np.concatenate([w["camera_token"][0, slot], w["register_token"][0, slot], patches], 1)
    special = t.shape[1] - hp * wp
    turn = rope(w["rope_embed.periods"], hp, wp)
    head_dim = len(w["frame_blocks.0.attn.q_norm.weight"])
    for i in range(ref.count_blocks(w, "frame_blocks.")):
        f = family.Block(w, f"frame_blocks.{i}.", head_dim, EPS, turn).pass_through(t, f"frame_{i}", note)
        block = family.Block(w, f"inter_frame_blocks.{i}.", head_dim, EPS)
        if i in REGISTER_BLOCKS:
            seen = block.pass_through(f[:, :special], f"register_{i}", note, joined=True)
            t = np.concatenate([seen, f[:, special:]], 1)
        else:
            t = block.pass_through(f, f"global_{i}", note, joined=True)
    return np.concatenate([f, t], -1)
