# SPDX-License-Identifier: Apache-2.0
"""Watches a forward pass and writes queries and keys of its attention, layer by layer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vggt_attn.errors import Error
from vggt_attn.torch import rope, store
from vggt_attn.torch.families import Blocks, Family, Kind, frame_order
from vggt_attn.torch.watch import Attended, Call, Watcher

Tensor = torch.Tensor

PRECISIONS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
_SAMPLED = 8  # rows by which it is said how exact a recording is
_LEAVE_OUT = "Leave this layer out (layers=… or patterns=…)."


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


@dataclass
class _Part:
    """What one call of a block adds: all frames, or one or more of them."""

    frames: int
    specials: int
    scene: int
    tensors: dict[str, Callable[[], Tensor]]  # name → waits for its copy on the CPU
    checks: dict[str, Tensor]
    facts: dict[str, Any]  # what all layers of a kind have in common
    path: str


@dataclass
class _Layer:
    parts: list[_Part] = field(default_factory=list)

    def frames(self) -> int:
        return sum(part.frames for part in self.parts)


class Recorder:
    """Hooks of one recording. Between `start` and `stop`, in the thread that called `start`."""

    def __init__(self, model: Any, family: Family | None, wishes: Wishes, folder: Path) -> None:
        """Writes to ``folder``/qk, which exists."""
        self.model, self.family, self.wishes, self.folder = model, family, wishes, folder
        self.order: list[int] | None = None  # place in the model → the caller's picture
        self.error: BaseException | None = None
        self.precision = ""
        self.predictions: dict[str, Any] = {}
        self.notes: list[str] = []
        self.row_error: dict[str, float] = {}
        self.facts: dict[Kind, dict[str, Any]] = {}  # of blocks: what their layers share
        self.written: dict[Kind, dict[int, dict[str, Any]]] = {}
        self._layers: dict[tuple[Kind, int], _Layer] = {}
        self._open: tuple[Kind, int] | None = None  # whose attention ran, and whose block has not
        self._waiting: tuple[Kind, int] | None = None  # complete, one layer behind
        self._pictures: int | None = None  # that the patch embedding has seen of this step
        self._mixed = False  # a global or frame block ran since then
        self._grid: tuple[int, int] | None = wishes.grid
        self._passes, self._running = 0, False
        self._before: Tensor | None = None
        self._copies = _Copies()
        self._watcher, self._undo, self._thread = Watcher(), [], 0

    # --- hooks ------------------------------------------------------------------

    def start(self) -> None:
        """Adds the hooks."""
        self._thread = threading.get_ident()
        modules = dict(self.model.named_modules())
        for kind, numbers in self.wishes.numbers.items():
            for number in numbers:
                path = self.wishes.blocks[kind].paths[number]
                self._watch(kind, number, path, modules)
        if self.family and self.family.patch_conv:
            self._hook(modules[self.family.patch_conv], self._on_patches)
        if self.family and self.family.reorders:
            earlier, later = (modules[path] for path in self.family.reorders)
            self._hook(earlier, self._on_earlier)
            self._undo.append(later.register_forward_pre_hook(self._guarded(self._on_later)).remove)
        before = self.model.register_forward_pre_hook(self._guarded(self._on_start))
        self._undo.append(before.remove)
        self._hook(self.model, self._on_model)
        self._watcher.__enter__()
        self._undo.append(lambda: self._watcher.__exit__(None, None, None))

    def stop(self) -> None:
        """Takes the hooks away again, whatever happened."""
        self._watcher.call = None
        for undo in reversed(self._undo):
            undo()
        self._undo = []

    def _guarded(self, body: Callable[..., None]) -> Callable[..., None]:
        """`body` for our thread and outside of backward; its error is kept, and raised."""

        def hook(*arguments: Any) -> None:
            if threading.get_ident() != self._thread or _in_backward():
                return
            try:
                body(*arguments)
            except BaseException as error:
                self._watcher.call = None
                self.error = self.error or error
                raise

        return hook

    def _hook(self, module: Any, body: Callable[..., None]) -> None:
        self._undo.append(module.register_forward_hook(self._guarded(body)).remove)

    def _watch(self, kind: Kind, number: int, path: str, modules: dict[str, Any]) -> None:
        module, key = modules[path], (kind, number)

        def before(*_: Any) -> None:
            self._on_call(key)
            heads = getattr(module, "num_heads", None) or getattr(module, "n_heads", None)
            self._watcher.call = Call(path, heads if isinstance(heads, int) else None)

        def after(*_: Any) -> None:
            call, self._watcher.call = self._watcher.call, None
            if call is not None:
                self._on_attention(key, path, module, call)

        self._undo.append(module.register_forward_pre_hook(self._guarded(before)).remove)
        self._hook(module, after)
        block = modules[path.rpartition(".")[0]]
        self._hook(block, lambda module, inputs, output: self._on_block(key, output))
        for which, name in (("qkv", "qkv"), ("q", "q_norm"), ("k", "k_norm")):
            layer = getattr(module, name, None)
            if isinstance(layer, torch.nn.Module) and not isinstance(layer, torch.nn.Identity):
                self._hook(layer, lambda m, i, out, which=which: self._on_made(which, out))
        turns = getattr(module, "rope", None)
        if isinstance(turns, torch.nn.Module):
            self._watch_rope(turns)

    def _on_made(self, which: str, out: Any) -> None:
        if self._watcher.call is not None and isinstance(out, Tensor):
            self._watcher.call.made[which] = out

    def _watch_rope(self, module: Any) -> None:
        if getattr(module, "_vggt_attn_watched", None) is self:
            return
        module._vggt_attn_watched = self
        self._undo.append(lambda: module.__dict__.pop("_vggt_attn_watched", None))

        def turned(module: Any, args: Any, *rest: Any) -> None:
            if self._watcher.call is not None:
                kwargs, out = rest if len(rest) == 2 else ({}, rest[0])
                self._watcher.call.rotations += rope.calls(module, args, kwargs, out)

        try:
            handle = module.register_forward_hook(self._guarded(turned), with_kwargs=True)
        except TypeError:  # before torch 2.0
            handle = module.register_forward_hook(self._guarded(turned))
        self._undo.append(handle.remove)

    # --- what happens -------------------------------------------------------------

    def _on_patches(self, module: Any, inputs: Any, output: Tensor) -> None:
        rows, columns = output.shape[-2:]
        if self._mixed or self._pictures is None:
            self._pictures, self._mixed = 0, False
        self._pictures += output.shape[0]
        self._take_grid((rows, columns), "the patch embedding makes")

    def _take_grid(self, seen: tuple[int, int], who: str) -> None:
        if self._grid is None:
            self._grid = seen
        elif self._grid != seen:
            told = "grid" if self.wishes.grid else "so far"
            raise Error(
                f"{who} {seen[0]}×{seen[1]} patches (rows × columns) of each picture, but {told} "
                f"is {self._grid[0]}×{self._grid[1]}",
                hint="Leave grid out: it is found out by itself." if self.wishes.grid else "",
            )

    def _on_earlier(self, module: Any, inputs: Any, output: Any) -> None:
        self._before = _first_tensor(output).detach().clone()

    def _on_later(self, module: Any, inputs: Any) -> None:
        if self._before is None or self.order is not None:
            return
        order = frame_order(self._before, _first_tensor(inputs), self.wishes.frames)
        if order is None:
            raise Error(
                "changes its pictures' tokens where it may only put them in another order",
                type(self.model).__name__,
                'Call the model with ref_view_strategy="first".',
            )
        self.order, self._before = order, None

    def _on_start(self, *_: Any) -> None:
        if self._running:  # an earlier pass failed, and is tried again
            self._begin_again()
        self._running = True

    def _on_model(self, module: Any, inputs: Any, output: Any) -> None:
        self._running = False
        if isinstance(output, dict):
            self.predictions = {
                name: value.detach().to("cpu", torch.float32)
                for name, value in output.items()
                if isinstance(value, Tensor) and name in PREDICTIONS
            }

    def _on_call(self, key: tuple[Kind, int]) -> None:
        """Before a block's attention: is this a second pass, or a retry?"""
        layer = self._layers.get(key)
        if layer is None or layer.frames() < self.wishes.frames:
            return
        wanted = [(k, n) for k, ns in self.wishes.numbers.items() for n in ns]
        whole = all(
            one in self._layers and self._layers[one].frames() >= self.wishes.frames
            for one in wanted
        )
        if whole and self.wishes.forward_pass is None:
            raise Error(
                "a second forward pass ran inside one recording",
                hint="Record one pass each into a folder of its own, or choose one: forward_pass=0.",
            )
        self._passes += whole
        self._begin_again()

    def _begin_again(self) -> None:
        self._layers, self.written, self.facts = {}, {}, {}
        self._open = self._waiting = None
        self.order = self._before = self._pictures = None
        self.row_error = {}

    def _recording(self) -> bool:
        return self._passes == (self.wishes.forward_pass or 0)

    @torch.no_grad()
    def _on_attention(self, key: tuple[Kind, int], path: str, module: Any, call: Call) -> None:
        kind = key[0]
        if kind != "encoder":
            self._mixed = True
        if len(call.attended) != 1:
            raise Error(
                f"attends {len(call.attended)} times in one call"
                if call.attended
                else "attends where it cannot be seen: neither scaled_dot_product_attention nor a "
                "product, a softmax and a product were called",
                path,
                "Switch off kernels of its own (fused_attn, xformers, flash_attn). " + _LEAVE_OUT
                if not call.attended
                else _LEAVE_OUT,
            )
        seen = call.attended[0]
        part = self._part(kind, path, module, call, seen)
        layer = self._layers.setdefault(key, _Layer())
        if layer.parts and layer.parts[-1].specials != part.specials:
            raise Error("sees frames with different numbers of tokens", path, _LEAVE_OUT)
        earlier, keys = layer.frames(), seen.k.shape[2] - part.scene
        if kind == "global" and keys * part.frames != (seen.q.shape[2] - part.scene) * (
            earlier + part.frames
        ):
            raise Error(
                f"attends to {seen.k.shape[2]} tokens, which are not those of the {earlier} "
                f"pictures before and of {part.frames} now",
                path,
                "Steps must attend to all earlier pictures: keep the whole cache, give all "
                "pictures to one pass, or record each pass into a folder of its own.",
            )
        layer.parts.append(part)
        self._open = key

    def _part(self, kind: Kind, path: str, module: Any, call: Call, seen: Attended) -> _Part:
        at = _Place(self, kind, path, call, seen)
        q, k, v = (at.frames_first(x, which) for x, which in
                   ((seen.q, "q"), (seen.k, "k"), (seen.v, "k")))
        attends = self._attends(kind, path, at, seen)
        spec, stored_q, stored_k, error = self._stored(kind, path, module, at, call, seen, q, k)
        self.precision = PRECISIONS.get(seen.q.dtype, str(seen.q.dtype).removeprefix("torch."))
        scale, known = seen.scale, self.facts.get(kind)
        if known and abs(scale - known["scale"]) > 1e-6 * abs(scale):
            # What another layer multiplies its logits by goes into its queries.
            stored_q, scale = stored_q * (scale / known["scale"]), known["scale"]
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
                    f"{name} is {value}, in the layers before {known[name]}", path, _LEAVE_OUT
                )
        tensors = {"q": _half(stored_q), "k": _half(stored_k)} | _value_norms(module, v)
        checks = {name: x.float().abs().amax() for name, x in tensors.items()}
        checks["row error"] = error
        return _Part(at.frames, at.specials, at.scene, self._copies.start(tensors),
                     self._copies.start_small(checks), facts, path)

    def _attends(self, kind: Kind, path: str, at: _Place, seen: Attended) -> str:
        """Which keys a token attends to: what was told, held against what is seen."""
        told = self.wishes.attends.get(kind)
        natural = "all" if kind == "global" else "frame"
        if seen.k.shape[2] > seen.q.shape[2] or at.frames < self.wishes.frames and kind == "global":
            natural = "causal"  # keys of earlier steps: each frame is a query before later ones come
        found = natural
        if seen.mask is not None:
            found = at.mask_kind(seen.mask, natural)
        elif seen.allowed is not None:
            rows, allowed = seen.allowed
            if kind != "global" or not allowed.equal(at.causal(rows)):
                raise Error(
                    "masks some keys, and not those of later pictures",
                    path,
                    "An export can say 'all', 'frame' and 'causal'. " + _LEAVE_OUT,
                )
            found = "causal"
        if told is not None and told != found:
            raise Error(f"attends={{{kind!r}: {told!r}}} was told, but it attends {found!r}", path)
        return found

    def _stored(
        self, kind: Kind, path: str, module: Any, at: _Place, call: Call, seen: Attended,
        q: Tensor, k: Tensor,
    ) -> tuple[dict[str, Any], Tensor, Tensor, Tensor]:
        """What is stored of q and k [heads, tokens, d], how they are turned, and the row error."""
        rows = torch.linspace(0, q.shape[1] - 1, min(_SAMPLED, q.shape[1])).round().long()
        rows = rows.to(q.device)
        groups = at.groups(kind)

        def compared(one_q: Tensor, one_k: Tensor, turn: Any) -> Tensor:
            errors = []
            for group_rows, begin, end in groups(rows):
                exact = rope.sampled_rows(q, k[:, begin:end], group_rows, seen.scale)
                hq, hk = turn(one_q.half().float()), turn(one_k.half().float())
                found = rope.sampled_rows(hq, hk[:, begin:end], group_rows, seen.scale)
                errors.append(rope.row_error(found, exact))
            return torch.stack(errors).max()

        told = self.wishes.rope.get(kind)
        applied = compared(q, k, lambda x: x)
        if told == "applied":
            return {"type": "applied"}, q, k, applied
        before = at.before_rope(call, seen)
        if before is None:
            turned = bool(call.rotations) or at.positions_given
            if isinstance(told, dict):
                raise Error(
                    f"rope={{{kind!r}: …}} was told, but queries and keys before it are not seen",
                    path,
                    f"Use rope={{{kind!r}: 'applied'}}, or leave it out.",
                )
            plain = told == "none" or not turned and self._untouched(module, call, seen)
            return {"type": "none" if plain else "applied"}, q, k, applied
        turn_q, turn_k, layout, base = before
        spec = {"type": "2d", "base": base, "first_patch": layout.first}
        if isinstance(told, dict) and told != {**spec, **told}:
            raise Error(f"rope was told to be {told}, but it is {spec}", path)
        frame = rope.grid_positions(rope.Layout(layout.rows, layout.columns, layout.first,
                                                at.specials, 0))

        def turn(x: Tensor) -> Tensor:
            whole = torch.cat([frame.repeat(x.shape[1] // len(frame), 1),
                               torch.zeros(x.shape[1] % len(frame), 2, dtype=torch.long)])
            return rope.rotate_2d(x, whole.to(x.device), base)

        own_q, own_k = at.frames_first(turn_q, "q"), at.frames_first(turn_k, "k")
        plain_error = compared(own_q, own_k, turn)
        known = self.facts.get(kind)
        wanted = known["rope"] == spec if known else bool(
            plain_error <= max(rope.ROW_TOLERANCE, 1.5 * float(applied)))
        if wanted:
            return spec, own_q, own_k, plain_error
        return {"type": "applied"}, q, k, applied

    def _untouched(self, module: Any, call: Call, seen: Attended) -> bool:
        """Whether queries and keys are attended with as their layers made them, unturned."""
        made = [call.made[which] for which in ("q", "k") if which in call.made]
        if "qkv" in call.made and not made:
            heads, tokens = seen.q.shape[1:3]
            width = heads * seen.q.shape[3]
            qkv = call.made["qkv"]
            if qkv.shape[-1] != 3 * width or qkv.shape[-2] != tokens:
                return False
            made = [x.unflatten(-1, (heads, -1)).transpose(1, 2)
                    for x in qkv.split(width, dim=-1)[:2]]
        return len(made) == 2 and all(
            rope.times(call_shape(x, attended), attended) is not None
            for x, attended in zip(made, (seen.q, seen.k), strict=True)
        )

    @torch.no_grad()
    def _on_block(self, key: tuple[Kind, int], output: Any) -> None:
        if self._open != key:
            return
        self._open = None
        layer, tensor = self._layers[key], _first_tensor(output)
        part = layer.parts[-1]
        if tensor is not None:
            self._add_block(key, part, tensor)
        if layer.frames() > self.wishes.frames:
            raise Error(
                f"saw {layer.frames()} pictures, images= names {self.wishes.frames}", part.path
            )
        if layer.frames() == self.wishes.frames:
            self._flush()
            self._waiting = key

    def _add_block(self, key: tuple[Kind, int], part: _Part, output: Tensor) -> None:
        """Norms of what the block hands on."""
        patches = self._grid[0] * self._grid[1] if self._grid else 0
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
        frames = self._undone(frames)
        norms = torch.cat([frames.norm(dim=-1).flatten(), flat[part.frames * per_frame :].norm(dim=-1)])
        each = frames.norm(dim=-1)
        sums = torch.stack(
            [(x / n.where(n > 0, n.new_ones(()))[:, None])[part.specials :].sum(0)
             for x, n in zip(frames, each, strict=True)]
        )
        part.tensors |= self._copies.start({"x_norm": norms, "x_unit_sum": sums})
        part.checks |= self._copies.start_small({"x_norm": norms.amax()})
        facts = self.facts[key[0]]
        if facts.setdefault("channels", sums.shape[1]) != sums.shape[1]:
            raise Error(
                f"its block has {sums.shape[1]} channels, those before {facts['channels']}",
                part.path, _LEAVE_OUT,
            )

    def _undone(self, frames: Tensor) -> Tensor:
        """[frames, …] in the order of the pictures, not of the model."""
        if self.order is None or len(frames) != len(self.order):
            return frames
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return frames[torch.tensor(back, device=frames.device)]

    # --- files --------------------------------------------------------------------

    def _flush(self) -> None:
        """Writes the layer that is complete; its copies have had a layer's time."""
        if self._waiting is None:
            return
        (kind, number), self._waiting = self._waiting, None
        if not self._recording():
            return
        parts = self._layers[kind, number].parts
        for part in parts:
            for name, peak in part.checks.items():
                _check(part.path, name, float(peak))
            error = float(part.checks["row error"])
            self.row_error[kind] = max(self.row_error.get(kind, 0.0), error)
        names = [name for name in _ORDER if all(name in part.tensors for part in parts)]
        joined = {name: _joined(name, [part.tensors[name]() for part in parts], parts)
                  for name in names}
        file = f"{kind}_{number + 1:02}.safetensors"
        store.write_safetensors(self.folder / "qk" / file, joined)
        self.written.setdefault(kind, {})[number] = {
            "index": number, "name": f"layer_{number + 1:02}", "file": file,
            "extras": [name for name in names if name not in ("q", "k")],
        }
        for part in parts:  # its frames are still counted, its values are on the disk
            part.tensors = {}

    def grid(self) -> tuple[int, int]:
        """Rows and columns of a picture's patches, once something was recorded."""
        assert self._grid is not None
        return self._grid

    def blocks(self) -> dict[str, dict[str, Any]]:
        """What attention.json says of blocks; writes what is left.

        Raises:
            Error: the pass is not whole.
        """
        if self._open is not None and self._layers[self._open].frames() == self.wishes.frames:
            self._flush()
            self._waiting, self._open = self._open, None  # a block whose end was not seen
        self._flush()
        if not self._recording():
            raise Error(
                f"{self._passes + 1} forward passes ran, forward_pass={self.wishes.forward_pass} "
                "was to be recorded", hint="They count from 0.",
            )
        out: dict[str, dict[str, Any]] = {}
        for kind, numbers in self.wishes.numbers.items():
            for number in numbers:
                layer = self._layers.get((kind, number))
                path = self.wishes.blocks[kind].paths[number]
                if layer is None:
                    raise Error("did not run", path, "The model's forward pass belongs inside "
                                "'with record(…):', in the same thread.")
                if layer.frames() < self.wishes.frames:
                    raise Error(f"saw {layer.frames()} pictures, images= names "
                                f"{self.wishes.frames}", path, "Name all pictures that the model "
                                "sees, one a frame, and no other.")
            facts = dict(self.facts[kind])
            count, place = facts.pop("specials"), facts.pop("place")
            scene = facts.pop("scene")
            blocks = self.wishes.blocks[kind]
            entry = facts | {"special_tokens": blocks.special_tokens(count)}
            if place == "last" and count:
                entry["special_tokens_place"] = "last"
            if scene:
                entry["scene_tokens"] = list(blocks.scene)
            entry["row_error"] = self.row_error[kind]
            entry["layers"] = [self.written[kind][n] for n in sorted(numbers)]
            out[kind] = entry
        return out


# What is kept of a model's own output, where it returns a dictionary that has them.
PREDICTIONS = (
    "pose_enc", "depth", "depth_conf", "world_points", "world_points_conf", "extrinsics",
    "intrinsics", "points", "local_points", "camera_poses", "conf",
)
_ORDER = ("q", "k", "x_norm", "x_unit_sum", "v_norm", "wov_norm")


class _Place:
    """Where the tokens of one call of attention stand: frames, special tokens, patches."""

    def __init__(
        self, recorder: Recorder, kind: Kind, path: str, call: Call, seen: Attended
    ) -> None:
        wishes, blocks = recorder.wishes, recorder.wishes.blocks[kind]
        self.recorder, self.kind, self.path = recorder, kind, path
        sequences, _, tokens, _ = seen.q.shape
        pictures = recorder._pictures
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
            raise Error(f"the model sees a batch of {self.batches} scenes", path,
                        "Choose one: batch=0.")
        if (wishes.batch or 0) >= self.batches:
            raise Error(f"batch={wishes.batch}, but the model sees a batch of {self.batches}", path)
        self.positions_given, self.layout = False, None
        self._look_at_positions(call, len(blocks.scene))
        if recorder._grid is None:
            raise Error("the grid of patches cannot be seen", path,
                        "Give grid=(rows, columns) of a picture's patches.")
        patches = recorder._grid[0] * recorder._grid[1]
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
            expected = (f"1 sequence of {wishes.frames} × ({patches} or more)"
                        if kind == "global" else
                        f"{wishes.frames} sequences of {patches} or more")
            raise Error(
                f"saw {sequences} sequence{'s' * (sequences > 1)} of {tokens} tokens, expected "
                f"{expected}: {wishes.frames} pictures of {recorder._grid[0]}×{recorder._grid[1]} "
                "patches",
                path,
                "Check images and grid. Where tokens are merged, switch merging off.",
            )
        self.specials = per_frame - patches
        self.place = wishes.place.get(kind, blocks.place)
        self._check_place(blocks)
        self._tokens, self._keys = tokens, seen.k.shape[2]
        if seen.k.shape[2] != tokens and (
            kind != "global" or self.scene or seen.k.shape[2] % per_frame
            or seen.k.shape[2] < tokens
        ):
            raise Error(f"attends from {tokens} tokens to {seen.k.shape[2]}", path,
                        "Only a cache of earlier frames can be recorded. " + _LEAVE_OUT)

    def _look_at_positions(self, call: Call, scene: int) -> None:
        given = [where for _, where, _ in call.rotations if where is not None]
        self.positions_given = bool(given)
        if not given:
            return
        one = given[0].reshape(-1, given[0].shape[-2], 2)[0]
        if self.kind == "global":  # the first frame's are enough
            pictures = self.recorder._pictures
            frames = self.recorder.wishes.frames if pictures is None else pictures // self.batches
            one = one[: max(len(one) // frames, 1)]
        self.layout = rope.layout(one)
        if self.layout is not None:
            self.recorder._take_grid(
                (self.layout.rows, self.layout.columns), "the positions given to RoPE are those of"
            )

    def _check_place(self, blocks: Blocks) -> None:
        if not self.specials:
            return
        if self.layout is not None:
            seen = "last" if self.layout.after and not self.layout.before else "first"
            if self.layout.before and self.layout.after:
                raise Error("special tokens stand before and behind the patches", self.path,
                            _LEAVE_OUT)
            if seen != self.place:
                if self.kind in self.recorder.wishes.place:
                    raise Error(f"special_tokens_place is told to be {self.place!r}, but the "
                                f"positions say {seen!r}", self.path)
                self.place = seen
        elif self.recorder.family is None and self.kind not in self.recorder.wishes.place:
            raise Error(
                f"{self.specials} special token{'s' * (self.specials > 1)} a frame, and it cannot "
                "be seen whether they stand before or behind the patches",
                self.path,
                f"Say it: special_tokens_place={{{self.kind!r}: 'first'}} (or 'last').",
            )

    def frames_first(self, x: Tensor, which: str) -> Tensor:
        """[heads, tokens, d] of the chosen scene, as the store has them.

        Frames in the order of the pictures, special tokens before patches, tokens of no frame last.
        """
        batch = self.recorder.wishes.batch or 0
        if self.kind == "global":
            one = x[batch]
        else:
            frames = x.shape[0] // self.batches
            one = x[batch * frames : (batch + 1) * frames].transpose(0, 1).flatten(1, 2)
        patches = self.recorder._grid[0] * self.recorder._grid[1]
        per_frame = self.specials + patches
        count = (one.shape[1] - self.scene) // per_frame
        tokens = count * per_frame
        frames = one[:, :tokens].unflatten(1, (count, per_frame))
        if self.place == "last":
            frames = frames.roll(self.specials, 2)
        frames = self.recorder._undone(frames.transpose(0, 1)).transpose(0, 1)
        return torch.cat([frames.flatten(1, 2), one[:, tokens:]], 1)

    def groups(self, kind: Kind) -> Callable[[Tensor], list[tuple[Tensor, int, int]]]:
        """Of rows: those that share keys, and where these begin and end."""
        per_frame = self.specials + self.recorder._grid[0] * self.recorder._grid[1]

        def of(rows: Tensor) -> list[tuple[Tensor, int, int]]:
            if kind == "global":
                return [(rows, 0, self._keys)]  # a mask leaves out the same keys of both
            frames = rows // per_frame
            return [(rows[frames == f], int(f) * per_frame, (int(f) + 1) * per_frame)
                    for f in frames.unique()]

        return of

    def causal(self, rows: Tensor) -> Tensor:
        """[rows, keys]: whether a key belongs to no later picture than the row's."""
        per_frame = self.specials + self.recorder._grid[0] * self.recorder._grid[1]
        earlier = self._keys // per_frame - self.frames
        keys = torch.arange(self._keys, device=rows.device) // per_frame
        return (rows // per_frame + earlier)[:, None] >= keys

    def mask_kind(self, mask: Tensor, natural: str) -> str:
        """What a mask given to the fused function leaves."""
        allowed = mask if mask.dtype == torch.bool else mask > -1e4
        if mask.dtype != torch.bool and bool((mask[allowed] != 0).any()):
            raise Error("adds a mask of numbers to the logits", self.path,
                        "An export cannot say that. " + _LEAVE_OUT)
        if bool(allowed.all()):
            return natural
        allowed = allowed.expand(torch.broadcast_shapes(allowed.shape, (self._tokens, self._keys)))
        rows = torch.arange(self._tokens, device=mask.device)
        if self.kind != "global" or allowed.shape[-1] != self._keys or not bool(
            (allowed == self.causal(rows)).all()
        ):
            raise Error("masks some keys, and not those of later pictures", self.path,
                        "An export can say 'all', 'frame' and 'causal'. " + _LEAVE_OUT)
        return "causal"

    def before_rope(
        self, call: Call, seen: Attended
    ) -> tuple[Tensor, Tensor, rope.Layout, float] | None:
        """Queries and keys as they enter VGGT's RoPE; None if it is none of it."""
        if self.layout is None or seen.q.shape[-1] % 4:
            return None
        out = []
        for attended in (seen.q, seen.k):
            found = None
            for before, _, after in call.rotations:
                factor = rope.times(call_shape(after, attended), attended)
                if factor is not None:
                    found = call_shape(before, attended)
                    found = found if factor == 1.0 else found * factor
                    break
            if found is None:
                return None
            out.append(found)
        module = self.recorder.model.get_submodule(self.path).rope
        base = getattr(module, "base_frequency", getattr(module, "base", 100.0))
        if not isinstance(base, int | float):
            return None
        return out[0], out[1], self.layout, float(base)


def call_shape(x: Tensor, like: Tensor) -> Tensor:
    """Heads and tokens of x in the order of ``like``, if it has them the other way round."""
    if x.shape != like.shape and x.dim() == 4 and x.transpose(1, 2).shape == like.shape:
        return x.transpose(1, 2)
    return x


class _Copies:
    """Brings tensors to the CPU; from a GPU beside what it computes, over a stream of their own."""

    def __init__(self) -> None:
        self._streams: dict[Any, Any] = {}

    def start(self, tensors: dict[str, Tensor]) -> dict[str, Callable[[], Tensor]]:
        """Starts copying, and returns what waits for each copy."""
        return {name: self._one(x) for name, x in tensors.items()}

    def start_small(self, values: dict[str, Tensor]) -> dict[str, Any]:
        """Numbers that are asked for a layer later: float() of them waits."""
        return dict(values)

    def _one(self, x: Tensor) -> Callable[[], Tensor]:
        if not x.is_cuda:
            here = x.detach().to("cpu").contiguous()
            return lambda: here
        stream = self._streams.get(x.device)
        if stream is None:
            stream = self._streams[x.device] = torch.cuda.Stream(x.device)
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            copy = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
            copy.copy_(x, non_blocking=True)
            done = stream.record_event()
        x.record_stream(stream)

        def wait() -> Tensor:
            done.synchronize()
            return copy

        return wait


def _joined(name: str, values: list[Tensor], parts: list[_Part]) -> Tensor:
    """Of frames that came one after another, as one tensor. Keys of a cache are whole at the end."""
    if len(values) == 1:
        return values[0]
    if name in ("k", "v_norm", "wov_norm") and values[-1].shape[1] > values[0].shape[1]:
        return values[-1]
    axis = 0 if name in ("x_norm", "x_unit_sum") else 1
    return torch.cat(values, dim=axis).contiguous()


def _check(path: str, name: str, peak: float) -> None:
    if peak == peak and peak <= 65504:  # noqa: PLR0124  # NaN is no number
        return
    if name.startswith("x_"):
        if peak == peak and peak != float("inf"):  # noqa: PLR0124
            return
        raise Error("its block makes infinite or NaN values", path,
                    "Is the checkpoint this model's?")
    raise Error(f"{name} holds infinite or NaN values, or such as float16 cannot hold", path,
                "Is the checkpoint this model's?")


def _half(x: Tensor) -> Tensor:
    return x.detach().to(torch.float16, copy=True).contiguous()


def _value_norms(module: Any, v: Tensor) -> dict[str, Tensor]:
    """|v| and |W v| of each head and token, where W are the head's columns of proj."""
    v = v.float()
    norms = {"v_norm": _half(v.norm(dim=-1))}
    proj = getattr(module, "proj", None)
    weight = getattr(proj, "weight", None)
    if (
        isinstance(proj, torch.nn.Linear)
        and isinstance(weight, Tensor)
        and weight.is_floating_point()
        and weight.shape[1] == v.shape[0] * v.shape[2]
    ):
        columns = weight.float().unflatten(1, (len(v), -1)).transpose(0, 1)
        grams = columns.transpose(1, 2) @ columns
        norms["wov_norm"] = _half(((v @ grams) * v).sum(-1).clamp(min=0).sqrt())
    return norms


def _first_tensor(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return next((one for one in x if isinstance(one, Tensor)), None)
    return x if isinstance(x, Tensor) else None


def _in_backward() -> bool:
    """Whether a block runs again for its gradients (activation checkpoints)."""
    task = getattr(torch._C, "_current_graph_task_id", None)
    return bool(task is not None and task() != -1)
