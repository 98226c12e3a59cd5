# SPDX-License-Identifier: Apache-2.0
"""Executable specification of the attention of Depth Anything 3.

One DINOv2 without registers, [class token | patches] of each frame. Its first blocks are an encoder;
from the first that has norms of q and k on, those of odd number see all frames together, those of
even number one each:

    patches -> encoder blocks -> camera tokens in place of class tokens -> frame, global, frame, …

If there are three frames or more, the last encoder block and all that follow have them in another
order: a frame chosen by their class tokens comes first and gets the camera token of the reference.
The model ends where its last block does; where no block has norms of q and k (the models for one
picture), all are the encoder's.

family_reference.py says what run() notes; besides, "order": the frames' numbers in the model's order.
"""

import math

import numpy as np

import family_reference as family
import vggt_reference as ref

PREFIX = "model.backbone.pretrained."
EPS = 1e-6
FINAL_EPS = 1e-5
REORDERED_FROM = 3  # frames


def synthetic_shapes(dim, depth, head_dim=64, start=None, swiglu=False, grid=37):
    """`start`: the first block that is not the encoder's, None in models for one picture.

    Small is (384, 12, 64, 4), base (768, 12, 64, 4), large (1024, 24, 64, 8), giant
    (1536, 40, 64, 13, swiglu=True), mono and metric (1024, 24).
    """
    shapes = ref.dinov2_shapes("", dim, 0, 0, grid)
    del shapes["mask_token"], shapes["register_tokens"]
    if start is not None:
        shapes["camera_token"] = (1, 2, dim)
    for i in range(depth):
        block = ref.block_shapes("", dim, head_dim if start is not None and i >= start else None)
        if swiglu:
            block = {k: v for k, v in block.items() if not k.startswith("mlp.")}
            hidden = (8 * dim // 3 + 7) // 8 * 8
            block |= {"mlp.w12.weight": (2 * hidden, dim), "mlp.w12.bias": (2 * hidden,),
                      "mlp.w3.weight": (dim, hidden), "mlp.w3.bias": (dim,)}
        shapes |= {f"blocks.{i}.{k}": v for k, v in block.items()}
    return {PREFIX + k: v for k, v in shapes.items()}


def bicubic_weights(n_in, n_out):
    """[n_out, n_in] resampling matrix: cubic kernel, a = -0.75, never widened, edges repeated.

    Samples lie n_in / (n_out + 0.1) apart, which is not quite the ratio of the sizes.
    """
    m, a = np.zeros((n_out, n_in)), -0.75
    for i in range(n_out):
        at = (i + 0.5) * n_in / (n_out + 0.1) - 0.5
        for j in range(math.floor(at) - 1, math.floor(at) + 3):
            t = abs(at - j)
            weight = ((a + 2) * t - (a + 3)) * t * t + 1 if t <= 1 else (((t - 5) * t + 8) * t - 4) * a
            m[i, min(max(j, 0), n_in - 1)] += weight
    return m


def first_tokens(w, pixels):
    """pixels [S, 3, H, W] -> [S, 1 + Hp*Wp, C], positions added."""
    S, _, H, W = pixels.shape
    hp, wp = H // ref.PATCH, W // ref.PATCH
    t = ref.patch_rows(pixels, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"])
    t = np.concatenate([np.repeat(w["cls_token"], S, 0), t], 1)
    pos = w["pos_embed"][0]
    grid = math.isqrt(len(pos) - 1)
    if hp * wp != grid * grid or H != W:
        cell = pos[1:].reshape(grid, grid, -1).astype(np.float64)
        cell = np.einsum("yi,xj,ijc->yxc", bicubic_weights(grid, hp), bicubic_weights(grid, wp), cell)
        pos = np.concatenate([pos[:1], cell.reshape(hp * wp, -1).astype(t.dtype)])
    return t + pos


def balance_scores(cls):
    """cls [S, C]: how far each frame is from the middle in three respects. The least is chosen."""
    length = np.linalg.norm(cls, axis=-1)
    unit = cls / length[:, None]
    similarity = ((unit @ unit.T).sum(-1) - 1) / (len(cls) - 1)  # on the average to the others
    score = 0
    for m in (similarity, length, unit.var(-1, ddof=1)):
        score = score + np.abs((m - m.min()) / (m.max() - m.min() + 1e-8) - 0.5)
    return score


def run(weights, frames, dtype=np.float32, note=family.silent, reference=None):
    """The final tokens of the patches, without the frames' first ones.

    [S, Hp*Wp, 2C]: what the last frame block returned beside what the last block did, normalised;
    [S, Hp*Wp, C], the latter alone, where all blocks are the encoder's. `reference`: the number of
    the frame that comes first; None: the model chooses.
    """
    S, H, W, _ = frames.shape
    w = family.cast(weights, dtype, PREFIX)
    depth = ref.count_blocks(w, "blocks.")
    normed = [i for i in range(depth) if f"blocks.{i}.attn.q_norm.weight" in w]
    start = min(normed, default=depth)
    head_dim = len(w[f"blocks.{start}.attn.q_norm.weight"]) if normed else 64
    t = first_tokens(w, family.pixels(frames, dtype))
    places = ref.patch_places(1, H // ref.PATCH, W // ref.PATCH)
    alike = np.tile(np.minimum(places, 1), (S, 1))  # in global blocks all patches stand at (1, 1)
    order = np.arange(S)

    def note_ordered(name, value):
        """`value` in the caller's order of frames."""
        axis = 0 if name.endswith("_x") else 1
        rows = value.reshape(value.shape[:axis] + (S, -1) + value.shape[-1:])
        note(name, np.take(rows, np.argsort(order), axis).reshape(value.shape))

    for i in range(depth):
        if i == start - 1 and normed and S >= REORDERED_FROM:
            chosen = np.argmin(balance_scores(t[:, 0])) if reference is None else reference
            order = np.array([chosen, *np.delete(order, chosen)])
            t = t[order]
        if i == start:
            t = np.concatenate([w["camera_token"][0, np.minimum(np.arange(S), 1), None], t[:, 1:]], 1)
        joined = i >= start and i % 2 == 1
        turn = family.rope(alike if joined else places) if i >= start else None
        block = family.Block(w, f"blocks.{i}.", head_dim, EPS, turn)
        kind = "encoder" if i < start else "global" if joined else "frame"
        t = block.pass_through(t, f"{kind}_{i}", note_ordered, joined)
        if not joined:
            alone = t
    if normed:
        note("order", order.astype(np.int32))
    last = ref.layer_norm(t, w["norm.weight"], w["norm.bias"], FINAL_EPS)
    tokens = np.concatenate([alone, last], -1) if normed else last
    return tokens[np.argsort(order), 1:]
