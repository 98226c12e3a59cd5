# SPDX-License-Identifier: Apache-2.0
"""Where the tokens of a call of attention stand, and what they are."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vggt_attn.errors import Error
from vggt_attn.torch import rope
from vggt_attn.torch.families import Blocks, Family, Kind
from vggt_attn.torch.watch import Attended, Call

LEAVE_OUT = "Leave this layer out (layers=… or patterns=…)."


@dataclass
class Wishes:
    """What is to be recorded; `record` says what each is."""

    frames: int
    grid: tuple[int, int] | None
    blocks: dict[Kind, Blocks]
    numbers: dict[Kind, list[int]]  # of the blocks that are recorded, from 0
    rope: dict[str, Any]
    attends: dict[str, str]
    place: dict[str, str]
    batch: int | None
    forward_pass: int | None
    names: dict[str, Sequence[str]]


class Reads:
    """What was read of tensors that layer after layer is given, such as positions and masks.

    Reading a tensor of a GPU waits for all that it has to do.
    """

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._known: dict[Any, tuple[Callable[[], Tensor | None], Any, Any]] = {}

    def of(self, what: Any, x: Tensor, read: Callable[[], Any]) -> Any:
        """The answer of ``read`` about x, or what it was of the same x when last asked ``what``."""
        version = None if x.is_inference() else x._version
        now = (x.data_ptr(), x.shape, x.stride(), x.dtype, version)
        held, seen, answer = self._known.get(what, (lambda: None, None, None))
        if held() is None or seen != now:
            answer = read()
            # It must live, lest another take its place; but large masks are not kept for that.
            held = weakref.ref(x) if x.numel() > 2**20 else lambda: x
            self._known[what] = (held, now, answer)
        return answer


@dataclass
class Scene:
    """What is known of the pictures of a pass, some of it only when it runs."""

    wishes: Wishes
    family: Family | None
    grid: tuple[int, int] | None = None  # rows and columns of a picture's patches
    pictures: int | None = None  # that the patch embedding has seen of this step
    order: list[int] | None = None  # place in the model → the caller's picture
    reads: Reads = field(default_factory=Reads)

    def take_grid(self, seen: tuple[int, int], who: str) -> None:
        """Holds what is seen of the grid against what was told or seen before."""
        if self.grid is None:
            self.grid = seen
        elif self.grid != seen:
            told = "grid" if self.wishes.grid else "so far"
            raise Error(
                f"{who} {seen[0]}×{seen[1]} patches (rows × columns) of each picture, but {told} "
                f"is {self.grid[0]}×{self.grid[1]}",
                hint="Leave grid out: it is found out by itself." if self.wishes.grid else "",
            )

    def undone(self, frames: Tensor) -> Tensor:
        """[frames, …] in the order of the pictures, not of the model."""
        if self.order is None or len(frames) != len(self.order):
            return frames
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return frames[torch.tensor(back).to(frames.device, non_blocking=True)]


class Place:
    """Where the tokens of one call of attention stand: frames, special tokens, patches."""

    def __init__(self, scene: Scene, kind: Kind, path: str, call: Call, seen: Attended) -> None:
        """Raises Error where tokens, pictures and grid do not fit together."""
        wishes, blocks = scene.wishes, scene.wishes.blocks[kind]
        self._of, self.kind, self.path = scene, kind, path
        sequences, _, tokens, _ = seen.q.shape
        pictures = scene.pictures
        self.batches = 1
        if pictures is not None and pictures > wishes.frames:
            if pictures % wishes.frames or wishes.batch is None:
                raise Error(
                    f"the model sees {pictures} pictures, images= names {wishes.frames}",
                    path,
                    "Name all of them, one a frame; of several scenes in one batch choose one by "
                    "batch=0.",
                )
            self.batches = pictures // wishes.frames
        elif pictures is None and kind == "global":
            self.batches = sequences
        elif pictures is None and sequences % wishes.frames == 0 and sequences > wishes.frames:
            self.batches = sequences // wishes.frames
        if self.batches > 1 and wishes.batch is None:
            raise Error(
                f"the model sees a batch of {self.batches} scenes", path, "Choose one: batch=0."
            )
        if (wishes.batch or 0) >= self.batches:
            raise Error(f"batch={wishes.batch}, but the model sees a batch of {self.batches}", path)
        self.positions_given = False
        self.layout: rope.Layout | None = None
        self._look_at_positions(call)
        if scene.grid is None:
            raise Error(
                "the grid of patches cannot be seen",
                path,
                "Give grid=(rows, columns) of a picture's patches.",
            )
        patches = self.patches = scene.grid[0] * scene.grid[1]
        self.scene = 0
        if kind == "global":
            self.frames = wishes.frames if pictures is None else pictures // self.batches
            per_frame, left = divmod(tokens, self.frames)
            if blocks.scene and tokens % self.frames == len(blocks.scene) % self.frames:
                self.scene = len(blocks.scene)
                per_frame, left = divmod(tokens - self.scene, self.frames)
            whole = sequences == self.batches and not left
        else:
            self.frames, per_frame = sequences // self.batches, tokens
            whole = sequences % self.batches == 0 and self.frames <= wishes.frames
        if not whole or per_frame < patches:
            expected = (
                f"1 sequence of {wishes.frames} × ({patches} or more)"
                if kind == "global"
                else f"{wishes.frames} sequences of {patches} or more"
            )
            raise Error(
                f"saw {sequences} sequence{'s' * (sequences > 1)} of {tokens} tokens, expected "
                f"{expected}: {wishes.frames} pictures of {scene.grid[0]}×{scene.grid[1]} "
                "patches",
                path,
                "Check images and grid. Where tokens are merged, switch merging off.",
            )
        self.specials = per_frame - patches
        told = wishes.names.get(kind)
        if told is not None and len(told) != self.specials:
            raise Error(
                f"special_tokens[{kind!r}] names {len(told)}, but a frame has {self.specials}", path
            )
        self.place = wishes.place.get(kind, blocks.place)
        self._check_place(blocks)
        self._tokens, self._keys = tokens, seen.k.shape[2]
        if seen.k.shape[2] != tokens and (
            kind != "global"
            or self.scene
            or seen.k.shape[2] % per_frame
            or seen.k.shape[2] < tokens
        ):
            raise Error(
                f"attends from {tokens} tokens to {seen.k.shape[2]}",
                path,
                "Only a cache of earlier frames can be recorded. " + LEAVE_OUT,
            )

    def _look_at_positions(self, call: Call) -> None:
        given = [where for _, where, _ in call.rotations if where is not None]
        self.positions_given = bool(given)
        if not given:
            return
        frames = 1
        if self.kind == "global":  # the first frame's are enough
            pictures = self._of.pictures
            frames = self._of.wishes.frames if pictures is None else pictures // self.batches

        def read() -> rope.Layout | None:
            one = given[0].reshape(-1, given[0].shape[-2], 2)[0]
            return rope.layout(one[: max(len(one) // frames, 1)])

        self.layout = self._of.reads.of(("positions", self.kind), given[0], read)
        if self.layout is not None:
            self._of.take_grid(
                (self.layout.rows, self.layout.columns), "the positions given to RoPE are those of"
            )

    def _check_place(self, blocks: Blocks) -> None:
        if not self.specials:
            return
        if self.layout is not None:
            seen = "last" if self.layout.after and not self.layout.before else "first"
            if self.layout.before and self.layout.after:
                raise Error(
                    "special tokens stand before and behind the patches", self.path, LEAVE_OUT
                )
            if seen != self.place:
                if self.kind in self._of.wishes.place:
                    raise Error(
                        f"special_tokens_place is told to be {self.place!r}, but the "
                        f"positions say {seen!r}",
                        self.path,
                    )
                self.place = seen
        elif self._of.family is None and self.kind not in self._of.wishes.place:
            raise Error(
                f"{self.specials} special token{'s' * (self.specials > 1)} a frame, and it cannot "
                "be seen whether they stand before or behind the patches",
                self.path,
                f"Say it: special_tokens_place={{{self.kind!r}: 'first'}} (or 'last').",
            )

    def frames_first(self, x: Tensor) -> Tensor:
        """[heads, tokens, d] of the chosen scene, as the store has them.

        Frames in the order of the pictures, special tokens before patches, tokens of no frame last.
        """
        batch = self._of.wishes.batch or 0
        if self.kind == "global":
            one = x[batch]
        else:
            frames = x.shape[0] // self.batches
            one = x[batch * frames : (batch + 1) * frames].transpose(0, 1).flatten(1, 2)
        per_frame = self.specials + self.patches
        count = (one.shape[1] - self.scene) // per_frame
        tokens = count * per_frame
        frames = one[:, :tokens].unflatten(1, (count, per_frame))
        if self.place == "last":
            frames = frames.roll(self.specials, 2)
        frames = self._of.undone(frames.transpose(0, 1)).transpose(0, 1)
        whole = frames.flatten(1, 2)  # without a copy, where the model's order is kept
        return torch.cat([whole, one[:, tokens:]], 1) if self.scene else whole

    def sampled_rows(self, most: int, device: Any) -> list[tuple[Tensor, int, int]]:
        """Some rows, evenly spaced: those that share keys, and where these begin and end."""
        per_frame = self.specials + self.patches
        tokens = self.frames * per_frame + self.scene
        count = min(most, tokens)
        groups: dict[int, list[int]] = {}
        for i in range(count):
            row = round(i * (tokens - 1) / max(count - 1, 1))
            groups.setdefault(0 if self.kind == "global" else row // per_frame, []).append(row)
        keys = self._keys if self.kind == "global" else per_frame
        return [
            (torch.tensor(rows).to(device, non_blocking=True), group * keys, (group + 1) * keys)
            for group, rows in groups.items()
        ]

    def attends(self, seen: Attended) -> str:
        """Which keys a token attends to: what was told, held against what is seen."""
        told = self._of.wishes.attends.get(self.kind)
        natural = "all" if self.kind == "global" else "frame"
        step = self.kind == "global" and self.frames < self._of.wishes.frames
        if step or self._keys > self._tokens:
            natural = "causal"  # each frame asks before later ones come
        found, mask = natural, seen.mask
        if mask is not None:
            what = ("mask", self.kind, natural)
            found = self._of.reads.of(what, mask, lambda: self._mask_kind(mask, natural))
        elif seen.allowed is not None:
            rows, allowed = seen.allowed
            if self.kind != "global" or not allowed.equal(self._causal(rows)):
                raise self._other_mask()
            found = "causal"
        if told is not None and told != found:
            raise Error(
                f"attends={{{self.kind!r}: {told!r}}} was told, but it attends {found!r}", self.path
            )
        return found

    def _other_mask(self) -> Error:
        return Error(
            "masks some keys, and not those of later pictures",
            self.path,
            "An export can say 'all', 'frame' and 'causal'. " + LEAVE_OUT,
        )

    def _causal(self, rows: Tensor) -> Tensor:
        """[rows, keys]: whether a key belongs to no later picture than the row's."""
        per_frame = self.specials + self.patches
        earlier = self._keys // per_frame - self.frames
        keys = torch.arange(self._keys, device=rows.device) // per_frame
        return (rows // per_frame + earlier)[:, None] >= keys

    def _mask_kind(self, mask: Tensor, natural: str) -> str:
        """What a mask given to the fused function leaves."""
        allowed = mask if mask.dtype == torch.bool else mask > -1e4
        if mask.dtype != torch.bool and bool((mask[allowed] != 0).any()):
            raise Error(
                "adds a mask of numbers to the logits",
                self.path,
                "An export cannot say that. " + LEAVE_OUT,
            )
        if bool(allowed.all()):
            return natural
        allowed = allowed.expand(torch.broadcast_shapes(allowed.shape, (self._tokens, self._keys)))
        rows = torch.arange(self._tokens, device=mask.device)
        if (
            self.kind != "global"
            or allowed.shape[-1] != self._keys
            or not bool((allowed == self._causal(rows)).all())
        ):
            raise self._other_mask()
        return "causal"

    def before_rope(
        self, call: Call, seen: Attended, module: Any, sure: bool
    ) -> tuple[Tensor, Tensor, rope.Layout, float] | None:
        """Queries and keys as they enter VGGT's RoPE; None if it is none of it.

        ``sure``: as for `rope.times`.
        """
        if self.layout is None or seen.q.shape[-1] % 4:
            return None
        out = []
        for attended in seen.given:
            # The same tensor needs no look at its values.
            same = [r for r in call.rotations if r[2] is attended] or call.rotations
            found = None
            for before, _, after in same:
                factor = rope.times(call_shape(after, attended), attended, sure)
                if factor is not None:
                    found = call_shape(before, attended)
                    found = found if factor == 1.0 else found * factor
                    break
            if found is None:
                return None
            out.append(found)
        turns = module.rope
        base = getattr(turns, "base_frequency", getattr(turns, "base", 100.0))
        if not isinstance(base, int | float):
            return None
        return out[0], out[1], self.layout, float(base)


def call_shape(x: Tensor, like: Tensor) -> Tensor:
    """Heads and tokens of x in the order of ``like``, if it has them the other way round."""
    if x.shape != like.shape and x.dim() == 4 and x.transpose(1, 2).shape == like.shape:
        return x.transpose(1, 2)
    return x
