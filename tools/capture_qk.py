#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records the queries and keys of a PyTorch model for `vggt-attn view` and `vggt-attn query`.

For VGGT and what resembles it (StreamVGGT, Pi3, VGGT-Omega, fine-tuned models), on any device.
Needs torch alone. As a library, around one forward pass of a batch of one:

    import capture_qk
    with capture_qk.record(model, "attn_kitchen", images=paths, grid=(25, 37)):
        model(pictures)

As a command, for VGGT itself where the package vggt is installed:

    python3 tools/capture_qk.py --image_dir pictures --checkpoint model.pt --output attn_kitchen

Writes attn_kitchen/qk/ (docs/formats.md) and copies of the pictures in attn_kitchen/images/.

What is recorded are modules with a linear layer `qkv`, found by their names. Layer norms `q_norm`
and `k_norm` are included. VGGT's rotary embedding (a module `rope`, called with tokens and
positions) is recognised by what it does, and what enters it is recorded; of any other embedding
what leaves it. With them go norms of values, of values times the linear layer `proj`, and of what
the block that holds the attention module returns, each where there is such a thing.
"""

import argparse
import contextlib
import ctypes
import json
import math
import os
import re
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional

GENERATOR = "capture_qk.py of vggt-attn"
# Names of attention modules, below any prefix; the group is the block's number.
PATTERNS = {
    "global": r"(?:global_blocks|inter_frame_blocks)\.(\d+)\.attn",
    "frame": r"frame_blocks\.(\d+)\.attn",
    "encoder": r"patch_embed\.blocks\.(\d+)\.attn",
}
ATTENDS = {"global": "all", "frame": "frame", "encoder": "frame"}
PRECISIONS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}


class CaptureError(Exception):
    """What went wrong, where, and what to do."""


@contextlib.contextmanager
def record(model, folder, *, images, grid, capture=("global",), layers=None, name=None,
           patterns=None, attends=None, rope=None, special_tokens=None, model_text=None,
           image_sizes=None, transforms=None, order=None, overwrite=False):
    """Records the one forward pass of `model` that runs inside; `folder` appears if it ends well.

    images          paths of the pictures, one a frame, in the order of the model's frames
    grid            patches of a frame: rows, columns
    capture         which blocks: "global", "frame", "encoder"
    layers          numbers of the global and frame blocks that are wanted, from 1; None: all
    name            of the set of pictures; None: the folder's
    patterns        {"global": regular expression with one group, the block's number}, …
    attends         {"global": "causal"} where frames see themselves and earlier ones only
    rope            {"frame": "none"} or {"frame": {"type": "2d", "base": 100, "first_patch": 1}}
                    if it cannot be recognised; {"frame": "applied"} records what was rotated
    special_tokens  {"global": ["camera", "register_1", …]}: names of those before the patches
    image_sizes     [(width, height), …] of the pictures; None: read from PNG, JPEG and WebP files
    transforms      how pictures became what the model saw (docs/formats.md), a dictionary a frame
    order           of each frame its place, from 0, in the pictures' own order, where they were put
                    in another one for the model; None: they were not
    overwrite       replaces what an earlier recording wrote
    """
    unknown = set(capture) - PATTERNS.keys()
    if unknown or not capture:
        raise CaptureError(f"capture={list(capture)}: expected some of {', '.join(PATTERNS)}")
    folder, images = Path(folder), [Path(image) for image in images]
    if folder.exists() and not overwrite:
        raise CaptureError(f"{folder}: exists already. Use overwrite=True to replace it.")
    if folder.exists() and not (folder / "qk" / "attention.json").exists():
        raise CaptureError(f"{folder}: holds no recorded queries and keys; it is not replaced")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    staging.chmod(0o755)
    try:
        for kind, told in (rope or {}).items():
            if not isinstance(told, dict) and told not in ("none", "applied"):
                raise CaptureError(f"rope[{kind!r}] is {told!r}, expected 'none', 'applied' or a "
                                   "dictionary")
        order = list(range(len(images)) if order is None else order)
        if sorted(order) != list(range(len(images))):
            raise CaptureError(f"order={order}: expected each number from 0 to {len(images) - 1} "
                               "once")
        recorder = _Recorder(staging / "qk", len(images), grid, rope or {})
        paths = _copy_pictures(images, staging)
        chosen = PATTERNS | (patterns or {})
        recorder.watch(model, {kind: chosen[kind] for kind in PATTERNS if kind in capture}, layers)
        try:
            yield
        finally:
            recorder.stop()
        sizes = [picture_size(path) for path in images] if image_sizes is None else image_sizes
        recorder.describe({
            "format": "vggt-attn-qk", "format_version": 2, "generator": GENERATOR,
            "image_set_name": name or folder.name,
            "model": {"text": model_text or type(model).__name__},
            "precision": recorder.precision, "frames": len(images),
            "grid": {"H_p": grid[0], "W_p": grid[1]}, "image_paths": paths,
            "image_sizes": [{"width": w, "height": h} for w, h in sizes] if all(sizes) else [],
            "transforms": transforms or [],
            "sources": [{"file": printable(path.name)} for path in images],
            "order": order}, ATTENDS | (attends or {}), special_tokens or {})
        if folder.exists():
            shutil.rmtree(folder)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


class _Call:
    """What is seen while one attention module runs."""

    def __init__(self):
        self.qkv = self.q = self.k = self.fused = None
        self.rotations = []  # (tokens, positions, rotated) of each call of the rope module


class _Recorder:
    def __init__(self, folder, frames, grid, rope):
        folder.mkdir()
        self.folder, self.frames, self.grid, self.rope = folder, frames, grid, rope
        self.blocks = {}  # kind -> what all its layers have in common, and "layers"
        self.call, self.precision = None, ""
        self.open = None  # an attention module that has run in a block that has not ended
        self.undo = []

    # --- watching -----------------------------------------------------------

    def watch(self, model, patterns, layers):
        self.pending = {}
        ropes = set()
        modules = dict(model.named_modules())
        for kind, pattern in patterns.items():
            expression = re.compile(rf"(?:^|.*\.){pattern}$")
            found = set()
            for path, module in modules.items():
                match = expression.match(path)
                if not match or not isinstance(getattr(module, "qkv", None), torch.nn.Module):
                    continue
                index = int(match[1])
                found.add(index + 1)
                if layers is not None and kind != "encoder" and index + 1 not in layers:
                    continue
                self.pending[kind, index] = path
                self._watch_module(kind, index, path, module)
                block = modules[path.rpartition(".")[0]]
                self._hook(block, lambda _, inputs, output, key=(kind, index):
                           self._on_block(key, output))
                if isinstance(getattr(module, "rope", None), torch.nn.Module):
                    ropes.add(module.rope)
            if not found:
                named = [path for path, module in modules.items() if hasattr(module, "qkv")]
                raise CaptureError(
                    f"no attention module with 'qkv' is named like {pattern!r}. Give "
                    f"patterns={{{kind!r}: …}}. Modules with 'qkv': "
                    + (", ".join(named[:8]) or "none") + (", …" if len(named) > 8 else ""))
            if kind != "encoder" and not found.issuperset(layers or ()):
                raise CaptureError(f"layers={list(layers)}: the {kind} blocks are "
                                   f"{', '.join(map(str, sorted(found)))}")
        for module in ropes:
            self._hook(module, self._on_rope)
        fused = getattr(torch.nn.functional, "scaled_dot_product_attention", None)
        if fused is not None:
            def watched(q, k, *args, **kwargs):
                if self.call is not None:
                    self.call.fused = (q, k, kwargs.get("scale"))
                return fused(q, k, *args, **kwargs)
            torch.nn.functional.scaled_dot_product_attention = watched
            self.undo.append(lambda: setattr(torch.nn.functional, "scaled_dot_product_attention",
                                             fused))

    def stop(self):
        for undo in reversed(self.undo):
            undo()
        self.undo = []

    def _hook(self, module, body):
        handle = module.register_forward_hook(body)
        self.undo.append(handle.remove)

    def _watch_module(self, kind, index, path, module):
        original, own = module.forward, module.__dict__.get("forward")

        def forward(*args, **kwargs):
            self.call = call = _Call()
            try:
                result = original(*args, **kwargs)
            finally:
                self.call = None
            # Something that might rotate q and k unseen.
            steered = any(a is not None for a in (getattr(module, "rope", None), *args[1:],
                                                  *kwargs.values()))
            self._on_attention(kind, index, path, module, call, steered)
            return result

        module.forward = forward
        self.undo.append(lambda: module.__dict__.pop("forward") if own is None
                         else setattr(module, "forward", own))
        self._hook(module.qkv, lambda _, inputs, output: self._keep("qkv", output))
        for which in ("q", "k"):
            norm = getattr(module, which + "_norm", None)
            if isinstance(norm, torch.nn.Module) and not isinstance(norm, torch.nn.Identity):
                self._hook(norm, lambda _, inputs, output, which=which: self._keep(which, output))

    def _keep(self, what, output):
        if self.call is not None:
            setattr(self.call, what, output)

    def _on_rope(self, module, inputs, output):
        if self.call is not None:
            base = getattr(module, "base_frequency", getattr(module, "base", 100.0))
            positions = inputs[1] if len(inputs) == 2 else None
            self.call.rotations.append((inputs[0], positions, output, base))

    # --- one layer ----------------------------------------------------------

    @torch.no_grad()
    def _on_attention(self, kind, index, path, module, call, steered):
        if (kind, index) not in self.pending:
            raise CaptureError(f"{path} ran twice: record one forward pass of a batch of one")
        q, k, v = self._heads(path, module, call)
        batch, heads, tokens, dim = q.shape
        per_frame = self._check_tokens(kind, path, batch, tokens)
        special = per_frame - self.grid[0] * self.grid[1]
        rope, q, k = self._rope(kind, path, call, q, k, special, steered)
        scale = getattr(module, "scale", None) if call.fused is None else call.fused[2]
        common = {"heads": heads, "head_dim": dim,
                  "scale": float(scale) if isinstance(scale, (int, float)) else dim ** -0.5,
                  "special": special, "rope": rope}
        known = self.blocks.setdefault(kind, common | {"layers": []})
        for key, value in common.items():
            if known[key] != value:
                raise CaptureError(f"{path}: {key} is {value}, in the layers before {known[key]}. "
                                   "Leave such layers out (layers=…, or patterns=…).")
        self.precision = PRECISIONS.get(q.dtype, str(q.dtype))
        self._write()
        self.open = {"key": (kind, index), "path": path, "special": special, "x": {}, "qk": {
            which: self._half(f"{path}: {which}", x.transpose(0, 1).reshape(heads, -1, dim))
            for which, x in (("q", q), ("k", k))}, "v": self._value_norms(path, module, v)}
        del self.pending[kind, index]

    def _value_norms(self, path, module, v):
        """|v| and |W v| of each head and token, where W are the head's columns of proj."""
        v = v.transpose(0, 1).flatten(1, 2).float()  # [heads, tokens, channels]
        norms = {"v_norm": v.norm(dim=-1)}
        proj = getattr(module, "proj", None)
        if isinstance(proj, torch.nn.Linear) and proj.weight.is_floating_point() \
                and proj.weight.shape[1] == len(v) * v.shape[2]:
            columns = proj.weight.float().unflatten(1, (len(v), -1)).transpose(0, 1)
            grams = columns.transpose(1, 2) @ columns
            norms["wov_norm"] = ((v @ grams) * v).sum(-1).clamp(min=0).sqrt()
        return {name: self._half(f"{path}: {name}", x) for name, x in norms.items()}

    @torch.no_grad()
    def _on_block(self, key, output):
        if self.open is None or self.open["key"] != key:
            return
        tokens = self.open["qk"]["q"].shape[1]
        if isinstance(output, torch.Tensor) and output.dim() == 3 \
                and output.shape[0] * output.shape[1] == tokens:
            frames = output.float().reshape(self.frames, -1, output.shape[2])
            norms = frames.norm(dim=-1)
            sums = [(x / n.where(n > 0, n.new_ones(1))[:, None])[self.open["special"]:].sum(0)
                    for x, n in zip(frames, norms)]
            if not torch.isfinite(norms).all():
                raise CaptureError(f"{self.open['path']}: its block makes infinite or NaN values: "
                                   "is the checkpoint this model's?")
            self.open["x"] = {"x_norm": norms.flatten().cpu(),
                              "x_unit_sum": torch.stack(sums).cpu()}
            known = self.blocks[key[0]]
            if known.setdefault("channels", output.shape[2]) != output.shape[2]:
                raise CaptureError(f"{self.open['path']}: its block has {output.shape[2]} channels, "
                                   f"the blocks before {known['channels']}. Leave such layers out.")
        self._write()

    def _write(self):
        """Writes the layer that is open, if there is one."""
        if self.open is None:
            return
        (kind, index), extras = self.open["key"], self.open["x"] | self.open["v"]
        file = f"{kind}_{index + 1:02}.safetensors"
        write_safetensors(self.folder / file, self.open["qk"] | extras)
        self.blocks[kind]["layers"].append({"index": index, "name": f"layer_{index + 1:02}",
                                            "file": file, "extras": list(extras)})
        self.open = None

    @staticmethod
    def _heads(path, module, call):
        """q, k and v as [batch, heads, tokens, channels]; q and k normalised, not rotated."""
        if call.qkv is None:
            raise CaptureError(f"{path}: its layer qkv did not run")
        batch, tokens, width = call.qkv.shape
        heads = getattr(module, "num_heads", None) or getattr(module, "n_heads", None)
        if not isinstance(heads, int) or width % (3 * heads):
            raise CaptureError(f"{path}: 'num_heads' is {heads}, which does not divide the width of "
                               f"qkv, {width}")
        shape = (batch, heads, tokens, width // 3 // heads)
        split = call.qkv.reshape(batch, tokens, 3, heads, shape[3]).permute(2, 0, 3, 1, 4)
        out = []
        for which, plain in (("q", split[0]), ("k", split[1])):
            x = getattr(call, which)
            if x is None:
                x = plain
            elif x.dim() == 3 and x.shape[2] == heads * shape[3]:
                x = x.reshape(batch, tokens, heads, shape[3]).transpose(1, 2)
            elif tuple(x.shape) != shape and x.dim() == 4:
                x = x.transpose(1, 2)
            if tuple(x.shape) != shape:
                raise CaptureError(f"{path}: {which} is {list(x.shape)}, expected {list(shape)}: a "
                                   "cache of earlier frames? Run all frames in one pass.")
            out.append(x)
        return *out, split[2]

    def _check_tokens(self, kind, path, batch, tokens):
        patches = self.grid[0] * self.grid[1]
        whole = kind == "global"
        sequences = 1 if whole else self.frames
        per_frame, left = divmod(tokens, self.frames if whole else 1)
        if batch == sequences and left == 0 and per_frame >= patches:
            return per_frame
        expected = (f"1 sequence of {self.frames} × ({patches} or more)" if whole
                    else f"{self.frames} sequences of {patches} or more")
        raise CaptureError(
            f"{path} saw {batch} sequence{'s' if batch > 1 else ''} of {tokens} tokens, expected "
            f"{expected}: {self.frames} pictures of {self.grid[0]}×{self.grid[1]} patches, a batch "
            "of one. Check images and grid, or leave the layer out (layers=…).")

    def _half(self, what, x):
        half = x.detach().to(torch.float16)
        if not torch.isfinite(half).all():
            if torch.isfinite(x).all():
                raise CaptureError(f"{what} holds {x.abs().max().item():g}, which float16 cannot "
                                   "hold")
            raise CaptureError(f"{what} holds infinite or NaN values: is the checkpoint this "
                               "model's?")
        return half.cpu().contiguous()

    # --- rotary embedding ---------------------------------------------------

    def _rope(self, kind, path, call, q, k, special, steered):
        """How q and k are rotated, and what is to be recorded of them."""
        told = self.rope.get(kind)
        if isinstance(told, dict) or told == "none":
            return ({"type": "none"} if told == "none" else told), q, k
        if call.rotations:
            if len(call.rotations) == 2 and all(x.shape == q.shape for x, *_ in call.rotations):
                if (call.rotations[0][0] - k).abs().sum() < (call.rotations[0][0] - q).abs().sum():
                    call.rotations.reverse()  # k was rotated first
                known = self._recognize(call.rotations, special) if told is None else None
                which = 2 if known is None else 0
                return known or {"type": "applied"}, *(r[which] for r in call.rotations)
        elif call.fused is not None:
            given = call.fused[:2]
            if all(x.shape == q.shape for x in given):
                same = all(torch.equal(x, own.to(x.dtype)) for x, own in zip(given, (q, k)))
                return {"type": "none" if same and told is None else "applied"}, *given
        elif told is None and not steered:
            return {"type": "none"}, q, k
        raise CaptureError(
            f"{path}: how q and k are rotated cannot be seen. Give rope={{{kind!r}: 'none'}} or "
            f"{{{kind!r}: {{'type': '2d', 'base': 100, 'first_patch': 1}}}}, if it is so.")

    def _recognize(self, rotations, special):
        """VGGT's embedding, if that is what the rope module did to the first head."""
        rows, columns = self.grid
        q, positions, _, base = rotations[0]
        if not isinstance(positions, torch.Tensor) or positions.shape != (len(q), q.shape[2], 2) \
                or not isinstance(base, (int, float)) or q.shape[3] % 4:
            return None
        tokens = positions.reshape(-1, special + rows * columns, 2).cpu()
        first = int(tokens[0, special, 0])
        patch = torch.arange(rows * columns)
        expected = torch.zeros(special + rows * columns, 2, dtype=tokens.dtype)
        expected[special:, 0] = patch // columns + first
        expected[special:, 1] = patch % columns + first
        if not torch.equal(tokens, expected.expand_as(tokens)):
            return None
        for x, _, rotated, _ in rotations:
            one = x[:, :1].float()
            turned = rotate_2d(one, expected.repeat(x.shape[2] // len(expected), 1), base)
            most = (1e-4 if rotated.dtype == torch.float32 else 2e-2) * one.abs().max()
            if rotated.shape != x.shape or (rotated[:, :1].float() - turned).abs().max() > most:
                return None
        return {"type": "2d", "base": base, "first_patch": first}

    # --- the whole ----------------------------------------------------------

    def describe(self, description, attends, names):
        self._write()
        if self.pending:
            raise CaptureError(f"{next(iter(self.pending.values()))} did not run: the model's "
                               "forward pass belongs inside 'with record(…):'")
        description["blocks"] = {}
        for kind in PATTERNS:
            if kind not in self.blocks:
                continue
            block = self.blocks[kind]
            special, count = names.get(kind), block.pop("special")
            if special is None:
                first = "cls" if kind == "encoder" else "camera"
                special = [first, *(f"register_{i}" for i in range(1, count))][:count]
            if len(special) != count:
                raise CaptureError(f"special_tokens[{kind!r}] names {len(special)}, but {count} "
                                   "tokens precede a frame's patches")
            layers = sorted(block.pop("layers"), key=lambda layer: layer["index"])
            description["blocks"][kind] = block | {
                "special_tokens": special, "attends": attends[kind], "layers": layers}
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (self.folder / "attention.json").write_text(text + "\n", encoding="utf-8")


def rotate_2d(x, positions, base):
    """VGGT's rotary embedding of x [..., tokens, d] at positions [tokens, 2] (row, column)."""
    quarter = x.shape[-1] // 4
    frequencies = base ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    out = []
    for axis, half in enumerate(x.split(2 * quarter, dim=-1)):
        angles = (positions[:, axis, None] * frequencies).to(x)
        a, b = half.split(quarter, dim=-1)
        out += [a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()]
    return torch.cat(out, dim=-1)


def write_safetensors(path, tensors):
    """A safetensors file of float16 and float32 tensors that lie on the CPU, row-major."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        size = tensor.element_size() * tensor.numel()
        header[name] = {"dtype": "F16" if tensor.dtype == torch.float16 else "F32",
                        "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            size = tensor.element_size() * tensor.numel()
            file.write((ctypes.c_char * size).from_address(tensor.data_ptr()))


def read_safetensors(path):
    """The F32, F16 and BF16 tensors of a checkpoint."""
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] not in types:
            continue
        begin, end = entry["data_offsets"]
        values = bytearray(data[8 + size + begin:8 + size + end])
        out[name] = torch.frombuffer(values, dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return out


# --- pictures ----------------------------------------------------------------

def _copy_pictures(images, folder):
    (folder / "images").mkdir()
    digits, paths = 3 if len(images) > 99 else 2, []
    for i, image in enumerate(images):
        copy = f"images/frame_{i:0{digits}}{image.suffix.lower()}"
        shutil.copyfile(image, folder / copy)
        paths.append("../" + copy)
    return paths


def printable(name):
    """A file's name without control characters and what is no text, as readers demand it."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "?", name)


def picture_size(path):
    """(width, height) of a PNG, JPEG or WebP picture; None of any other."""
    data = Path(path).read_bytes()
    if data.startswith(b"\x89PNG") and len(data) > 24:
        return struct.unpack(">II", data[16:24])
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) > 30:
        if data[12:16] == b"VP8X":
            return (int.from_bytes(data[24:27], "little") + 1,
                    int.from_bytes(data[27:30], "little") + 1)
        if data[12:16] == b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return tuple(n & 0x3FFF for n in struct.unpack("<HH", data[26:30]))
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return None


def vggt_transforms(sizes, target=518, patch=14):
    """How VGGT's load_and_preprocess_images (mode "crop") fits pictures of these sizes."""
    fitted = []
    for width, height in sizes:
        resized = round(height * (target / width) / patch) * patch
        fitted.append((width, height, resized, max(resized - target, 0) // 2, min(resized, target)))
    tallest = max(kept for *_, kept in fitted)
    return [{"original_width": width, "original_height": height, "resized_width": target,
             "resized_height": resized, "crop_top": top, "crop_height": kept,
             "pad_top": (tallest - kept) // 2, "pad_left": 0, "model_width": target,
             "model_height": tallest} for width, height, resized, top, kept in fitted]


# --- the command -------------------------------------------------------------

def load_checkpoint(path):
    if str(path).endswith(".safetensors"):
        return read_safetensors(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except TypeError:  # a torch that does not know the word yet
        state = torch.load(path, map_location="cpu")
    return state.get("model", state)


def main():
    parser = argparse.ArgumentParser(description="Records VGGT's queries and keys.")
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--checkpoint", type=Path, required=True, help=".pt or .safetensors")
    parser.add_argument("--output", type=Path, help="[attn_first2all_<name of the folder>]")
    parser.add_argument("--num_images", type=int, default=5, help="how many, evenly spaced [5]")
    parser.add_argument("--capture", default="global", help="some of global,frame,encoder [global]")
    parser.add_argument("--layers", help="numbers, such as 1,12,24 [all]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier recording")
    args = parser.parse_args()
    try:
        from vggt.models.vggt import VGGT
        from vggt.utils.load_fn import load_and_preprocess_images
    except ImportError as error:
        raise CaptureError(f"the package vggt cannot be imported ({error}). Install it from "
                           "https://github.com/facebookresearch/vggt") from error
    found = sorted(path for path in args.image_dir.iterdir()
                   if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    if not found:
        raise CaptureError(f"{args.image_dir}: holds no PNG, JPEG or WebP pictures")
    count = min(args.num_images, len(found))
    images = [found[i * len(found) // count] for i in range(count)]
    model = VGGT()
    missing = model.load_state_dict(load_checkpoint(args.checkpoint), strict=False).missing_keys
    missing = [name for name in missing
               if name.startswith("aggregator.") and not name.endswith("mask_token")]
    if missing:
        raise CaptureError(f"{args.checkpoint}: lacks {len(missing)} tensors, such as {missing[0]}")
    model.eval().to(args.device)
    pictures = load_and_preprocess_images([str(path) for path in images]).to(args.device)
    height, width = pictures.shape[-2:]
    sizes = [picture_size(path) for path in images]
    transforms = vggt_transforms(sizes, width) if all(sizes) else []
    output = args.output or Path(f"attn_first2all_{args.image_dir.resolve().name}")
    with torch.no_grad(), record(
            model, output, images=images, grid=(height // 14, width // 14),
            capture=args.capture.split(","), name=args.image_dir.resolve().name,
            layers=[int(n) for n in args.layers.split(",")] if args.layers else None,
            model_text=f"VGGT, {args.checkpoint.name}", image_sizes=sizes, transforms=transforms,
            overwrite=args.overwrite):
        model.aggregator(pictures[None])
    print(f"wrote {output}; show it with: vggt-attn view {output}")


if __name__ == "__main__":
    try:
        main()
    except (CaptureError, OSError) as error:
        sys.exit(f"capture_qk.py: {error}")
