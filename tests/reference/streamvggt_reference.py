# SPDX-License-Identifier: Apache-2.0
"""Executable specification of StreamVGGT's attention: VGGT whose global blocks see no later frame.

The weights have VGGT's names and shapes (vggt_reference.synthetic_shapes). In a global block a
token sees all tokens of its own frame and of every earlier one. So the first frames' q and k do
not change when frames are added: a model that is given them one by one, with a cache, says the same.
family_reference.py says what run() notes.
"""

import numpy as np

import family_reference as family
import vggt_reference as ref

synthetic_shapes = ref.synthetic_shapes


def run(weights, frames, dtype=np.float32, note=family.silent):
    """The final tokens, [S, P, 2C]: the last frame block's output beside the last global block's."""
    S, H, W, _ = frames.shape
    model = ref.Aggregator(weights, dtype)
    places = ref.patch_places(model.special, H // ref.PATCH, W // ref.PATCH)
    frame_of = np.repeat(np.arange(S), len(places))
    earlier = frame_of[None, :] <= frame_of[:, None]  # [query, key]

    def encoder(i, block, t):
        return family.Block.of(block).pass_through(t, f"encoder_{i}", note)

    def block(kind, i, **how):
        return family.Block(model.w, f"{kind}_blocks.{i}.", model.head_dim, 1e-5, **how)

    t = model.first_tokens(frames, encoder)
    for i in range(model.depth):
        f = block("frame", i, turn=family.rope(places)).pass_through(t, f"frame_{i}", note)
        joined = block("global", i, turn=family.rope(np.tile(places, (S, 1))), visible=earlier)
        t = joined.pass_through(f, f"global_{i}", note, joined=True)
    return np.concatenate([f, t], -1)
