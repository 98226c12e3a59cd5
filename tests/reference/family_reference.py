# SPDX-License-Identifier: Apache-2.0
"""What the specifications of VGGT's relatives have in common, in plain NumPy.

A specification NAME_reference.py has

    synthetic_shapes(…)            every tensor of a model that plays a part here: {name: shape}
    run(weights, frames, dtype, note)   a pass through `frames`, uint8 [S, H, W, 3]: the final tokens

`note(name, value)` is told, in the order in which they are known,

    KIND_i_q_unrotated, KIND_i_k_unrotated   [h, S*P, d], normalised, before RoPE
    KIND_i_q, KIND_i_k                       the same, after RoPE
    KIND_i_x                                 [S, P, C], the block's output

of every block: KIND is encoder, frame, global or register, and i its number from 0 as the model
counts: in models whose blocks are one list, its place there. P are the tokens of a frame in that
block. Frames always stand in the caller's order, whatever the model does with them.
"""

import numpy as np

import vggt_reference as ref


def silent(name, value):
    """Nobody wants to know."""


class Block(ref.Block):
    """A block of any family: `turn` is what RoPE does, `visible` [N, N] which keys a query sees.

    Where there is no mlp.fc1 but mlp.w12, its MLP is a SwiGLU.
    """

    def __init__(self, weights, prefix, head_dim, eps, turn=None, visible=None):
        super().__init__(weights, prefix, head_dim, eps)
        self.turn, self.visible = turn or (lambda t: t), visible

    def logits(self, q, k):
        logits = super().logits(q, k)
        return logits if self.visible is None else np.where(self.visible, logits, -np.inf)

    def mlp(self, y):
        w = self.w
        if "mlp.w12.weight" not in w:
            return super().mlp(y)
        a, b = np.split(y @ w["mlp.w12.weight"].T + w["mlp.w12.bias"], 2, -1)
        return (a / (1 + np.exp(-a)) * b) @ w["mlp.w3.weight"].T + w["mlp.w3.bias"]

    @classmethod
    def of(cls, block):
        """A block of vggt_reference.py's."""
        return cls(block.w, "", block.d, block.eps)

    def pass_through(self, x, name, note, joined=False):
        """x [S, P, C] -> the same after this block; `joined`: all frames are one sequence."""
        rows = x.reshape(1, -1, x.shape[-1]) if joined else x
        q, k, v = self.qkv(rows, None)
        note_qk(note, name, "_unrotated", q, k)
        q, k = self.turn(q), self.turn(k)
        note_qk(note, name, "", q, k)
        x = self.finish(rows, q, k, v).reshape(x.shape)
        note(name + "_x", x)
        return x


def note_qk(note, name, suffix, q, k):
    for letter, value in (("q", q), ("k", k)):
        note(f"{name}_{letter}{suffix}", np.concatenate(list(value), 1))


def pixels(frames, dtype):
    """frames uint8 [S, H, W, 3] -> [S, 3, H, W], ImageNet's mean and deviation removed."""
    return ((frames / 255.0 - ref.MEAN) / ref.STD).transpose(0, 3, 1, 2).astype(dtype)


def cast(weights, dtype, prefix=""):
    """The weights below a prefix, without it, as numbers of a type."""
    return {k[len(prefix):]: np.asarray(v, dtype) for k, v in weights.items() if k.startswith(prefix)}


def rope(places):
    """VGGT's rotation: `places` [N, 2] of the tokens of a sequence."""
    return lambda t: ref.rope_2d(t, places)


# --- checkpoints for tests ---------------------------------------------------

def synthetic_tensor(name, shape, seed=0):
    """As vggt_reference.py's, but for tensors that are no weights.

    periods: 100 ** (j/n), rounded to bfloat16 as files have them; bias_mask: 0 where the other
    generator's value is below 0, else 1; image_mean and image_std: ImageNet's.
    """
    if name.endswith("periods"):
        n = shape[0]
        bits = (100.0 ** (np.arange(n) / n)).astype(np.float32).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    value = ref.synthetic_tensor(name, shape, seed)
    if name.endswith("bias_mask"):
        return (value >= 0).astype(np.float32)
    for end, of_pixels in (("image_mean", ref.MEAN), ("image_std", ref.STD)):
        if name.endswith(end):
            return of_pixels.astype(np.float32).reshape(shape)
    return value


def synthetic_weights(shapes, seed=0):
    return {name: synthetic_tensor(name, shape, seed) for name, shape in shapes.items()}
