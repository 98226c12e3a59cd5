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
from vggt_attn.torch.layer_values import OF_KEYS, check, joined
from vggt_attn.torch.parts import ROW_ERROR, Part, Parts
from vggt_attn.torch.place import LEAVE_OUT, Scene, Wishes
from vggt_attn.torch.predictions import Predictions
from vggt_attn.torch.watch import Call, Watcher

_ORDER = ("q", "k", "x_norm", "x_unit_sum", "v_norm", "wov_norm")  # in a layer's file


@dataclass
class _Layer:
    parts: list[Part] = field(default_factory=list)

    def frames(self) -> int:
        return sum(part.frames for part in self.parts)


class Recorder:
    """Hooks of one recording. Between `start` and `stop`, in the thread that called `start`."""

    _before: Tensor | None  # what precedes a new order of pictures

    def __init__(self, model: Any, family: Family | None, wishes: Wishes, folder: Path) -> None:
        """Writes to ``folder``/qk, which exists."""
        self.model, self.family, self.wishes, self.folder = model, family, wishes, folder
        self.scene = Scene(wishes, family, wishes.grid)
        self.error: BaseException | None = None
        self._begin_again()
        self._mixed = False  # a global or frame block ran since pictures were seen
        self._passes, self._running, self._done = 0, False, False
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

    def raise_error(self) -> None:
        """Raises what a hook raised, which the model, or its caller, may have swallowed."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame, and with it the recorder and its tensors

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
        around, others = path.rpartition(".")[0], self.wishes.blocks[kind].paths.values()
        if sum(other.rpartition(".")[0] == around for other in others) == 1:  # else it is no block
            block = modules[around]
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
        if self._recording():
            self.predictions.take(output)
        if self.wishes.forward_pass is not None and self._whole() and self._recording():
            self._finish_pass()
            self._done = True

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
        self.predictions, self.parts = Predictions(), Parts(self.scene)
        self.row_error: dict[str, float] = {}
        self.written: dict[Kind, dict[int, dict[str, Any]]] = {}
        self._layers: dict[tuple[Kind, int], _Layer] = {}
        self._open: tuple[Kind, int] | None = None  # whose attention ran, and whose block has not
        self._waiting: tuple[Kind, int] | None = None  # complete, one layer behind
        self.scene.order = self.scene.pictures = self._before = None

    def _recording(self) -> bool:
        return self._passes == (self.wishes.forward_pass or 0)

    def _on_attention(self, key: tuple[Kind, int], path: str, module: Any, call: Call) -> None:
        self._close()  # a layer whose block is not called, or goes on
        kind = key[0]
        if kind != "encoder":
            self._mixed = True
        part = self.parts.attention(kind, path, module, call)
        seen = call.attended[0]
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
        if kind == "global" and layer.parts:  # its keys are also those of all parts before
            for name in OF_KEYS:
                layer.parts[-1].tensors.pop(name, None)
        layer.parts.append(part)
        if layer.frames() > self.wishes.frames:
            raise Error(f"saw {layer.frames()} pictures, images= names {self.wishes.frames}", path)
        self._open = key

    def _on_block(self, key: tuple[Kind, int], output: Any) -> None:
        if self._open != key:
            return
        tensor = _first_tensor(output)
        if tensor is not None:
            self.parts.add_block(key[0], self._layers[key].parts[-1], tensor)
        self._close()

    def _close(self) -> None:
        """Lets the layer wait whose attention ran last, once it has seen all pictures."""
        key, self._open = self._open, None
        if key is not None and self._layers[key].frames() == self.wishes.frames:
            self._flush()
            self._waiting = key

    # --- files --------------------------------------------------------------------

    def _flush(self) -> None:
        """Writes the layer that is complete; its copies have had a layer's time."""
        if self._waiting is None:
            return
        (kind, number), self._waiting = self._waiting, None
        parts = self._layers[kind, number].parts
        if self._recording():
            self._write(kind, number, parts)
        for part in parts:  # its frames are still counted, its values are on the disk
            part.tensors, part.checks = {}, []

    def _write(self, kind: Kind, number: int, parts: list[Part]) -> None:
        for part in parts:
            peaks = {name: peak for wait in part.checks for name, peak in wait().items()}
            for name, peak in peaks.items():
                check(part.path, name, peak)
            self.row_error[kind] = max(self.row_error.get(kind, 0.0), peaks[ROW_ERROR])
        values = {}
        for name in _ORDER:
            of = parts[-1:] if kind == "global" and name in OF_KEYS else parts
            if all(name in part.tensors for part in of):
                values[name] = joined(name, [part.tensors[name]() for part in of])
        file = f"{kind}_{number + 1:02}.safetensors"
        store.write_safetensors(self.folder / "qk" / file, values)
        self.written.setdefault(kind, {})[number] = {
            "index": number,
            "name": f"layer_{number + 1:02}",
            "file": file,
            "extras": [name for name in values if name not in ("q", "k")],
        }

    def grid(self) -> tuple[int, int]:
        """Rows and columns of a picture's patches, once something was recorded."""
        assert self.scene.grid is not None
        return self.scene.grid

    def _finish_pass(self) -> None:
        """Writes what is left of a pass."""
        self._close()  # a block whose end was not seen
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
            facts = dict(self.parts.facts[kind])
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


def _first_tensor(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return next((one for one in x if isinstance(one, Tensor)), None)
    return x if isinstance(x, Tensor) else None


def _in_backward() -> bool:
    """Whether a block runs again for its gradients (activation checkpoints)."""
    task = getattr(torch._C, "_current_graph_task_id", None)
    return bool(task is not None and task() != -1)
