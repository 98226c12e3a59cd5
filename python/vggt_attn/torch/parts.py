# SPDX-License-Identifier: Apache-2.0
"""What one call of an attention module adds to a recording: queries, keys, norms, facts.

From the second layer on nothing here waits for a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vggt_attn.errors import Error
from vggt_attn.torch import rope
from vggt_attn.torch.families import Kind
from vggt_attn.torch.layer_values import Copies, half, value_norms
from vggt_attn.torch.place import LEAVE_OUT, Place, Scene, call_shape
from vggt_attn.torch.watch import Attended, Call, exactly, is_closed

_PRECISIONS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
_SAMPLED = 8  # rows by which it is said how exact a recording is
ROW_ERROR = "row error"  # among a part's checks


@dataclass
class Part:
    """What one call of a block adds: all frames, or one or more of them.

    Attributes:
        frames, specials, scene: how many frames, special tokens of each, and tokens of no frame.
        tensors: name → waits for its copy on the CPU.
        checks: each waits for some numbers: the largest value of a tensor, or `ROW_ERROR`.
        facts: what all layers of a kind have in common.
        path: of the module.
    """

    frames: int
    specials: int
    scene: int
    tensors: dict[str, Callable[[], Tensor]]
    checks: list[Callable[[], dict[str, float]]]
    facts: dict[str, Any]
    path: str


class Parts:
    """Makes the parts of a pass. A kind's first says what is common to all of them."""

    def __init__(self, scene: Scene) -> None:
        """Of the pictures of ``scene``."""
        self.scene, self.wishes = scene, scene.wishes
        self.facts: dict[Kind, dict[str, Any]] = {}
        self.precision = ""
        self._copies = Copies()
        self._turns: dict[Kind, tuple[Any, rope.Turn]] = {}  # of each kind's last step

    def attention(self, kind: Kind, path: str, module: Any, call: Call) -> Part:
        """Of a call of attention that has ended.

        Raises:
            Error: it cannot be stored, or contradicts what was told or seen before.
        """
        if not call.attended and any(map(is_closed, module.modules())):
            raise Error(
                "attends in nn.MultiheadAttention, inside which nothing can be seen",
                path,
                "Let it call scaled_dot_product_attention itself. " + LEAVE_OUT,
            )
        if len(call.attended) != 1:
            raise Error(
                f"attends {len(call.attended)} times in one call"
                if call.attended
                else "attends where it cannot be seen: neither scaled_dot_product_attention nor a "
                "product, a softmax and a product were called",
                path,
                "Switch off kernels of its own (fused_attn, xformers, flash_attn). " + LEAVE_OUT
                if not call.attended
                else LEAVE_OUT,
            )
        with exactly(call.attended[0].q.device):
            return self._attention(kind, path, module, call, call.attended[0])

    def _attention(self, kind: Kind, path: str, module: Any, call: Call, seen: Attended) -> Part:
        at = Place(self.scene, kind, path, call, seen)
        q, k, v = (at.frames_first(x) for x in (seen.q, seen.k, seen.v))
        attends = at.attends(seen)
        spec, stored_q, stored_k, error = self._stored(module, at, call, seen, q, k)
        self.precision = _PRECISIONS.get(seen.q.dtype, str(seen.q.dtype).removeprefix("torch."))
        scale, known = seen.scale, self.facts.get(kind)
        if known and abs(scale - known["scale"]) > 1e-6 * abs(scale):
            # What another layer multiplies its logits by goes into its queries.
            stored_q = stored_q * (scale / known["scale"])
        facts = {
            "heads": q.shape[0],
            "head_dim": q.shape[2],
            "scale": known["scale"] if known else scale,
            "rope": spec,
            "attends": attends,
            "specials": at.specials,
            "scene": at.scene,
            "place": at.place,
        }
        if known is None:
            self.facts[kind] = facts
        for name, value in facts.items():
            if known and known[name] != value:
                raise Error(
                    f"{name} is {value}, in the layers before {known[name]}", path, LEAVE_OUT
                )
        tensors = {"q": half(stored_q), "k": half(stored_k)} | value_norms(module, v)
        checks = {name: _largest(x) for name, x in tensors.items()}
        checks[ROW_ERROR] = error
        return Part(
            at.frames,
            at.specials,
            at.scene,
            self._copies.start(tensors),
            [self._copies.start_small(checks)],
            facts,
            path,
        )

    def add_block(self, kind: Kind, part: Part, output: Tensor) -> None:
        """Adds norms of what the block around the attention hands on, if that is its tokens."""
        with exactly(output.device):
            self._add_block(kind, part, output)

    def _add_block(self, kind: Kind, part: Part, output: Tensor) -> None:
        patches = self.scene.grid[0] * self.scene.grid[1] if self.scene.grid else 0
        per_frame = part.specials + patches
        tokens = part.frames * per_frame + part.scene
        if output.dim() < 2 or output.shape[-1] * tokens == 0:
            return
        flat = output.reshape(-1, output.shape[-1])
        batches = len(flat) // tokens
        if batches < 1 or len(flat) % tokens:
            return
        flat = flat.reshape(batches, tokens, -1)[self.wishes.batch or 0].float()
        frames = flat[: part.frames * per_frame].reshape(part.frames, per_frame, -1)
        if part.facts["place"] == "last":
            frames = frames.roll(part.specials, 1)
        frames = self.scene.undone(frames)
        each = frames.norm(dim=-1)
        norms = torch.cat([each.flatten(), flat[part.frames * per_frame :].norm(dim=-1)])
        sums = torch.stack(
            [
                (x / n.where(n > 0, n.new_ones(()))[:, None])[part.specials :].sum(0)
                for x, n in zip(frames, each, strict=True)
            ]
        )
        part.tensors |= self._copies.start({"x_norm": norms, "x_unit_sum": sums})
        part.checks.append(self._copies.start_small({"x_norm": norms.amax()}))
        facts = self.facts[kind]
        if facts.setdefault("channels", sums.shape[1]) != sums.shape[1]:
            raise Error(
                f"its block has {sums.shape[1]} channels, those before {facts['channels']}",
                part.path,
                LEAVE_OUT,
            )

    def _stored(
        self, module: Any, at: Place, call: Call, seen: Attended, q: Tensor, k: Tensor
    ) -> tuple[dict[str, Any], Tensor, Tensor, Tensor]:
        """What is stored of q and k [heads, tokens, d], how they are turned, and the row error."""
        known, told = self.facts.get(at.kind), self.wishes.rope.get(at.kind)
        sampled = at.sampled_rows(_SAMPLED, q.device)

        def error(own_q: Tensor, own_k: Tensor, turn: Any = lambda x, rows: x) -> Tensor:
            """Of rows from what would be stored, which ``turn`` turns."""
            own_k = turn(own_k.half().float(), slice(None))
            errors = []
            for rows, begin, end in sampled:
                own_rows = turn(own_q[:, rows].half().float(), rows)
                found = rope.attention(own_rows, own_k[:, begin:end], seen.scale)
                exact = rope.attention(q[:, rows], k[:, begin:end], seen.scale)
                errors.append(rope.row_error(found, exact))
            return torch.stack(errors).max()

        if told == "applied" or (known and known["rope"]["type"] == "applied"):
            return {"type": "applied"}, q, k, error(q, k)
        before = at.before_rope(call, seen, module, sure=known is not None)
        if before is None:
            if isinstance(told, Mapping):
                raise Error(
                    f"rope={{{at.kind!r}: …}} was told, but queries and keys before it are not "
                    "seen",
                    at.path,
                    f"Use rope={{{at.kind!r}: 'applied'}}, or leave it out.",
                )
            turned = bool(call.rotations) or at.positions_given
            plain = told == "none" or (
                not turned and _untouched(call, seen, sure=known is not None)
            )
            return {"type": "none" if plain else "applied"}, q, k, error(q, k)
        own_q, own_k, layout, base = before
        spec = {"type": "2d", "base": base, "first_patch": layout.first}
        if isinstance(told, Mapping) and spec != {**spec, **told}:
            raise Error(f"rope was told to be {told}, but it is {spec}", at.path)
        own_q, own_k = at.frames_first(own_q), at.frames_first(own_k)
        own_error = error(own_q, own_k, self._turn(at, layout, base, own_k))
        if known or isinstance(told, Mapping):
            return spec, own_q, own_k, own_error
        applied = error(q, k)
        if bool(own_error <= max(rope.ROW_TOLERANCE, 1.5 * float(applied))):
            return spec, own_q, own_k, own_error
        return {"type": "applied"}, q, k, applied

    def _turn(self, at: Place, layout: rope.Layout, base: float, k: Tensor) -> rope.Turn:
        """RoPE of all frames' tokens, as the store has them."""
        tokens, channels = k.shape[1:]
        key = (layout, base, at.specials, tokens, channels, k.device)
        if at.kind not in self._turns or self._turns[at.kind][0] != key:
            frame = rope.grid_positions(
                rope.Layout(layout.rows, layout.columns, layout.first, at.specials, 0)
            )
            frames, scene = divmod(tokens, len(frame))
            where = torch.cat([frame.repeat(frames, 1), frame.new_zeros(scene, 2)])
            self._turns[at.kind] = key, rope.Turn(where, base, channels, k.device)
        return self._turns[at.kind][1]


def _largest(x: Tensor) -> Tensor:
    """The largest absolute value; NaN if there is one."""
    least, most = x.float().aminmax()
    return torch.maximum(-least, most)


def _untouched(call: Call, seen: Attended, sure: bool) -> bool:
    """Whether queries and keys are attended with as their layers made them, unturned."""
    made = [call.made[which] for which in ("q", "k") if which in call.made]
    if "qkv" in call.made and not made:
        heads, tokens = seen.q.shape[1:3]
        width = heads * seen.q.shape[3]
        qkv = call.made["qkv"]
        if qkv.shape[-1] != 3 * width or qkv.shape[-2] != tokens:
            return False
        made = [x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in qkv.split(width, dim=-1)[:2]]
    return len(made) == 2 and all(
        rope.times(call_shape(x, attended), attended, sure) is not None
        for x, attended in zip(made, seen.given, strict=True)
    )
