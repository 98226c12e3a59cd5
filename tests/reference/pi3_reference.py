# SPDX-License-Identifier: Apache-2.0
"""Executable specification of Pi3's attention, and of Pi3X's when it is given pictures alone.

    pictures -> DINOv2, as VGGT's -> [5 registers | patches] -> decoder: frame, global, frame, …

No frame is marked as the first: frames in another order give the same rows in another order.
family_reference.py says what run() notes.
"""

import numpy as np

import family_reference as family
import vggt_reference as ref

EPS = 1e-6


def synthetic_shapes(dim, depth, head_dim, dino_depth, registers=5, grid=37):
    """`depth`: blocks of the decoder, half of them global. Pi3 is (1024, 36, 64, 24)."""
    shapes = ref.dinov2_shapes("encoder.", dim, dino_depth, 4, grid)
    del shapes["encoder.mask_token"]
    for i in range(depth):
        shapes |= ref.block_shapes(f"decoder.{i}.", dim, head_dim)
    pixel = (1, 3, 1, 1)
    return shapes | {"register_token": (1, 1, registers, dim), "image_mean": pixel, "image_std": pixel}


def run(weights, frames, dtype=np.float32, note=family.silent):
    """The final tokens, [S, P, 2C]: what the last two blocks return, side by side."""
    S, H, W, _ = frames.shape
    w = family.cast(weights, dtype)
    head_dim = len(w["decoder.0.attn.q_norm.weight"])

    def encoder(i, block, t):
        return family.Block.of(block).pass_through(t, f"encoder_{i}", note)

    patches = ref.dinov2(family.cast(weights, dtype, "encoder."), family.pixels(frames, dtype), encoder)
    registers = w["register_token"][0]
    t = np.concatenate([np.repeat(registers, S, 0), patches], 1)
    places = ref.patch_places(registers.shape[1], H // ref.PATCH, W // ref.PATCH)
    for i in range(ref.count_blocks(w, "decoder.")):
        joined = i % 2 == 1
        turn = family.rope(np.tile(places, (S, 1)) if joined else places)
        block, before = family.Block(w, f"decoder.{i}.", head_dim, EPS, turn), t
        t = block.pass_through(t, f"{'global' if joined else 'frame'}_{i}", note, joined)
    return np.concatenate([before, t], -1)
