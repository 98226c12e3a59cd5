# SPDX-License-Identifier: Apache-2.0
"""Watches a forward pass and writes queries and keys of its attention, layer by layer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vggt_attn.errors import Error
from vggt_attn.torch import rope, store
from vggt_attn.torch.families import Family, Kind, frame_order
from vggt_attn.torch.layer_values import Copies, check, half, joined, value_norms
from vggt_attn.torch.place import LEAVE_OUT, Place, Scene, Wishes, call_shape
from vggt_attn.torch.watch import Attended, Call, Watcher

PRECISIONS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
_SAMPLED = 8  # rows by which it is said how exact a recording is


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
        self.scene = Scene(wishes, family, wishes.grid)
        self.error: BaseException | None = None
        self.precision = ""
        self._predicted: dict[str, list[Tensor]] = {}  # of each step, as the model returned it
        self.notes: list[str] = []
        self.row_error: dict[str, float] = {}
        self.facts: dict[Kind, dict[str, Any]] = {}  # of blocks: what their layers share
        self.written: dict[Kind, dict[int, dict[str, Any]]] = {}
        self._layers: dict[tuple[Kind, int], _Layer] = {}
        self._open: tuple[Kind, int] | None = None  # whose attention ran, and whose block has not
        self._waiting: tuple[Kind, int] | None = None  # complete, one layer behind
        self._mixed = False  # a global or frame block ran since then
        self._passes, self._running, self._done = 0, False, False
        self._before: Tensor | None = None
        self._copies = Copies()
        self._watcher, self._thread = Watcher(), 0
        self._undo: list[Callable[[], object]] = []

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
            if self._done or threading.get_ident() != self._thread or _in_backward():
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
            if self._done:
                return
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
        if self._mixed or self.scene.pictures is None:
            self.scene.pictures, self._mixed = 0, False
        self.scene.pictures += output.shape[0]
        self.scene.take_grid((rows, columns), "the patch embedding makes")

    def _on_earlier(self, module: Any, inputs: Any, output: Any) -> None:
        self._before = _first_tensor(output).detach().clone()

    def _on_later(self, module: Any, inputs: Any) -> None:
        if self._before is None or self.scene.order is not None:
            return
        order = frame_order(self._before, _first_tensor(inputs), self.wishes.frames)
        if order is None:
            raise Error(
                "changes its pictures' tokens where it may only put them in another order",
                type(self.model).__name__,
                'Call the model with ref_view_strategy="first".',
            )
        self.scene.order, self._before = order, None

    def _on_start(self, *_: Any) -> None:
        if self._running:  # an earlier pass failed, and is tried again
            self._begin_again()
        self._running = True

    def _on_model(self, module: Any, inputs: Any, output: Any) -> None:
        self._running = False
        if isinstance(output, dict) and self._recording():
            for name, value in output.items():
                if isinstance(value, Tensor) and name in PREDICTIONS:
                    one = value.detach().to("cpu", torch.float32, copy=True)
                    self._predicted.setdefault(name, []).append(one)
        if self.wishes.forward_pass is not None and self._whole() and self._recording():
            self._finish_pass()
            self._done = True

    def predictions(self) -> dict[str, Tensor]:
        """What the model returned; of pictures that came one after another, where all are there."""
        whole = {}
        for name, values in self._predicted.items():
            frames = [value.shape[1] if value.dim() > 1 else 0 for value in values]
            if len(values) == 1:
                whole[name] = values[0]
            elif sum(frames) == self.wishes.frames and 0 not in frames:
                whole[name] = torch.cat(values, dim=1)
        return whole

    def _whole(self) -> bool:
        """Whether all blocks that are recorded have seen all pictures."""
        return all(
            (kind, number) in self._layers
            and self._layers[kind, number].frames() >= self.wishes.frames
            for kind, numbers in self.wishes.numbers.items()
            for number in numbers
        )

    def _on_call(self, key: tuple[Kind, int]) -> None:
        """Before a block's attention: is this a second pass, or a retry?"""
        layer = self._layers.get(key)
        if layer is None or layer.frames() < self.wishes.frames:
            return
        whole = self._whole()
        if whole and self.wishes.forward_pass is None:
            raise Error(
                "a second forward pass ran inside one recording",
                hint="Record each into a folder of its own, or choose one: forward_pass=0.",
            )
        if whole and self._recording():
            self._finish_pass()
            self._done = True
            return
        self._passes += whole
        self._begin_again()

    def _begin_again(self) -> None:
        self._predicted = {}
        self._layers, self.written, self.facts = {}, {}, {}
        self._open = self._waiting = None
        self.scene.order = self._before = self.scene.pictures = None
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
                "Switch off kernels of its own (fused_attn, xformers, flash_attn). " + LEAVE_OUT
                if not call.attended
                else LEAVE_OUT,
            )
        seen = call.attended[0]
        part = self._part(kind, path, module, call, seen)
        layer = self._layers.setdefault(key, _Layer())
        if layer.parts and layer.parts[-1].specials != part.specials:
            raise Error("sees frames with different numbers of tokens", path, LEAVE_OUT)
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
        at = Place(self.scene, kind, path, call, seen)
        q, k, v = (at.frames_first(x) for x in (seen.q, seen.k, seen.v))
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
                    f"{name} is {value}, in the layers before {known[name]}", path, LEAVE_OUT
                )
        tensors = {"q": half(stored_q), "k": half(stored_k)} | value_norms(module, v)
        checks = {name: x.float().abs().amax() for name, x in tensors.items()}
        checks["row error"] = error
        return _Part(
            at.frames,
            at.specials,
            at.scene,
            self._copies.start(tensors),
            self._copies.start_small(checks),
            facts,
            path,
        )

    def _attends(self, kind: Kind, path: str, at: Place, seen: Attended) -> str:
        """Which keys a token attends to: what was told, held against what is seen."""
        told = self.wishes.attends.get(kind)
        natural = "all" if kind == "global" else "frame"
        step = kind == "global" and at.frames < self.wishes.frames
        if step or seen.k.shape[2] > seen.q.shape[2]:
            natural = "causal"  # each frame asks before later ones come
        found = natural
        if seen.mask is not None:
            found = at.mask_kind(seen.mask, natural)
        elif seen.allowed is not None:
            rows, allowed = seen.allowed
            if kind != "global" or not allowed.equal(at.causal(rows)):
                raise Error(
                    "masks some keys, and not those of later pictures",
                    path,
                    "An export can say 'all', 'frame' and 'causal'. " + LEAVE_OUT,
                )
            found = "causal"
        if told is not None and told != found:
            raise Error(f"attends={{{kind!r}: {told!r}}} was told, but it attends {found!r}", path)
        return found

    def _stored(
        self,
        kind: Kind,
        path: str,
        module: Any,
        at: Place,
        call: Call,
        seen: Attended,
        q: Tensor,
        k: Tensor,
    ) -> tuple[dict[str, Any], Tensor, Tensor, Tensor]:
        """What is stored of q and k [heads, tokens, d], how they are turned, and the row error."""
        rows = torch.linspace(0, q.shape[1] - 1, min(_SAMPLED, q.shape[1])).round().long()
        rows = rows.to(q.device)
        groups = at.groups(kind)

        def compared(one_q: Tensor, one_k: Tensor, turn: Any) -> Tensor:
            errors = []
            hq, hk = turn(one_q.half().float()), turn(one_k.half().float())
            for group_rows, begin, end in groups(rows):
                exact = rope.sampled_rows(q, k[:, begin:end], group_rows, seen.scale)
                found = rope.sampled_rows(hq, hk[:, begin:end], group_rows, seen.scale)
                errors.append(rope.row_error(found, exact))
            return torch.stack(errors).max()

        told = self.wishes.rope.get(kind)
        applied = compared(q, k, lambda x: x)
        if told == "applied":
            return {"type": "applied"}, q, k, applied
        before = at.before_rope(call, seen, module)
        if before is None:
            turned = bool(call.rotations) or at.positions_given
            if isinstance(told, dict):
                raise Error(
                    f"rope={{{kind!r}: …}} was told, but queries and keys before it are not seen",
                    path,
                    f"Use rope={{{kind!r}: 'applied'}}, or leave it out.",
                )
            plain = told == "none" or (not turned and self._untouched(module, call, seen))
            return {"type": "none" if plain else "applied"}, q, k, applied
        turn_q, turn_k, layout, base = before
        spec = {"type": "2d", "base": base, "first_patch": layout.first}
        if isinstance(told, dict) and told != {**spec, **told}:
            raise Error(f"rope was told to be {told}, but it is {spec}", path)
        frame = rope.grid_positions(
            rope.Layout(layout.rows, layout.columns, layout.first, at.specials, 0)
        )

        def turn(x: Tensor) -> Tensor:
            whole = torch.cat(
                [
                    frame.repeat(x.shape[1] // len(frame), 1),
                    torch.zeros(x.shape[1] % len(frame), 2, dtype=torch.long),
                ]
            )
            return rope.rotate_2d(x, whole.to(x.device), base)

        own_q, own_k = at.frames_first(turn_q), at.frames_first(turn_k)
        plain_error = compared(own_q, own_k, turn)
        known = self.facts.get(kind)
        wanted = (
            known["rope"] == spec
            if known
            else bool(plain_error <= max(rope.ROW_TOLERANCE, 1.5 * float(applied)))
        )
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
            made = [
                x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in qkv.split(width, dim=-1)[:2]
            ]
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
        norms = torch.cat(
            [frames.norm(dim=-1).flatten(), flat[part.frames * per_frame :].norm(dim=-1)]
        )
        each = frames.norm(dim=-1)
        sums = torch.stack(
            [
                (x / n.where(n > 0, n.new_ones(()))[:, None])[part.specials :].sum(0)
                for x, n in zip(frames, each, strict=True)
            ]
        )
        part.tensors |= self._copies.start({"x_norm": norms, "x_unit_sum": sums})
        part.checks |= self._copies.start_small({"x_norm": norms.amax()})
        facts = self.facts[key[0]]
        if facts.setdefault("channels", sums.shape[1]) != sums.shape[1]:
            raise Error(
                f"its block has {sums.shape[1]} channels, those before {facts['channels']}",
                part.path,
                LEAVE_OUT,
            )

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
                check(part.path, name, float(peak))
            error = float(part.checks["row error"])
            self.row_error[kind] = max(self.row_error.get(kind, 0.0), error)
        names = [name for name in _ORDER if all(name in part.tensors for part in parts)]
        values = {name: joined(name, [part.tensors[name]() for part in parts]) for name in names}
        file = f"{kind}_{number + 1:02}.safetensors"
        store.write_safetensors(self.folder / "qk" / file, values)
        self.written.setdefault(kind, {})[number] = {
            "index": number,
            "name": f"layer_{number + 1:02}",
            "file": file,
            "extras": [name for name in names if name not in ("q", "k")],
        }
        for part in parts:  # its frames are still counted, its values are on the disk
            part.tensors = {}

    def grid(self) -> tuple[int, int]:
        """Rows and columns of a picture's patches, once something was recorded."""
        assert self.scene.grid is not None
        return self.scene.grid

    def _finish_pass(self) -> None:
        """Writes what is left of a pass."""
        if self._open is not None and self._layers[self._open].frames() == self.wishes.frames:
            self._flush()
            self._waiting, self._open = self._open, None  # a block whose end was not seen
        self._flush()

    def blocks(self) -> dict[str, dict[str, Any]]:
        """What attention.json says of blocks; writes what is left.

        Raises:
            Error: the pass is not whole.
        """
        if not self._done:
            self._finish_pass()
        if not self._recording():
            raise Error(
                f"{self._passes + bool(self._layers)} forward passes ran, "
                f"forward_pass={self.wishes.forward_pass} "
                "was to be recorded",
                hint="They count from 0.",
            )
        out: dict[str, dict[str, Any]] = {}
        for kind, numbers in self.wishes.numbers.items():
            for number in numbers:
                layer = self._layers.get((kind, number))
                path = self.wishes.blocks[kind].paths[number]
                if layer is None:
                    raise Error(
                        "did not run",
                        path,
                        "The model's forward pass belongs inside "
                        "'with record(…):', in the same thread.",
                    )
                if layer.frames() < self.wishes.frames:
                    raise Error(
                        f"saw {layer.frames()} pictures, images= names {self.wishes.frames}",
                        path,
                        "Name all pictures that the model sees, one a frame, and no other.",
                    )
            facts = dict(self.facts[kind])
            count, place = facts.pop("specials"), facts.pop("place")
            scene = facts.pop("scene")
            blocks = self.wishes.blocks[kind]
            names = self.wishes.names.get(kind) or blocks.special_tokens(count)
            entry = facts | {"special_tokens": list(names)}
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
    "pose_enc",
    "depth",
    "depth_conf",
    "world_points",
    "world_points_conf",
    "extrinsics",
    "intrinsics",
    "points",
    "local_points",
    "camera_poses",
    "conf",
)
_ORDER = ("q", "k", "x_norm", "x_unit_sum", "v_norm", "wov_norm")


def _first_tensor(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return next((one for one in x if isinstance(one, Tensor)), None)
    return x if isinstance(x, Tensor) else None


def _in_backward() -> bool:
    """Whether a block runs again for its gradients (activation checkpoints)."""
    task = getattr(torch._C, "_current_graph_task_id", None)
    return bool(task is not None and task() != -1)
