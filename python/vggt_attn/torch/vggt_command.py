# SPDX-License-Identifier: Apache-2.0
"""Records VGGT itself, where the package vggt is installed: ``python -m vggt_attn.torch``."""

from __future__ import annotations

import argparse
import contextlib
import json
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from vggt_attn.errors import Error, MissingFile
from vggt_attn.torch import pictures, store
from vggt_attn.torch.recording import KINDS, record

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["finish"]:
            parser = argparse.ArgumentParser(
                "python -m vggt_attn.torch finish",
                description="Puts a recording that could not be finished into its folder.",
            )
            parser.add_argument("folder", type=Path, help="the folder that the recorder named")
            parser.add_argument("--output", type=Path, help="another folder for it")
            options = parser.parse_args(given[1:])
            print(f"wrote {store.finish(options.folder, options.output)}")
        else:
            options = _options(given)
            try:
                _record(options)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                raise Error(
                    "memory does not suffice",
                    str(options.device),
                    "Take fewer pictures (--num_images), or another --device.",
                ) from error
    except (Error, OSError) as error:
        print(f"vggt_attn.torch: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _out_of_memory(error: Exception) -> bool:
    """Whether PyTorch says so, which has a class for it on GPUs alone."""
    text = str(error)
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The F32, F16 and BF16 tensors of a checkpoint, mapped: they are read when they are used.

    Raises:
        Error: it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(min(size, path.stat().st_size)))
        storage = torch.UntypedStorage.from_file(str(path), False, path.stat().st_size)
        everything = torch.tensor([], dtype=torch.uint8).set_(storage)
        out = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in _TYPES:
                continue
            begin, end = (8 + size + at for at in entry["data_offsets"])
            dtype = _TYPES[entry["dtype"]]
            values = everything[begin:end]
            if values.data_ptr() % torch.tensor([], dtype=dtype).element_size():
                values = values.clone()  # an odd place in the file
            out[name] = values.view(dtype).reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, RuntimeError, AttributeError, struct.error) as error:
        raise Error("is no safetensors file", str(path)) from error
    return out


def read_checkpoint(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors or PyTorch checkpoint, mapped where that can be."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    try:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (TypeError, RuntimeError):  # an older PyTorch, or a file that cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a file that is none makes it raise
        raise Error("is no checkpoint that PyTorch can read", str(path)) from error
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not state:
        raise Error("holds no tensors by name", str(path))
    return state


def _options(given: Sequence[str]) -> argparse.Namespace:
    """The command's options, with what can be known before the model is built."""
    parser = argparse.ArgumentParser(
        "python -m vggt_attn.torch",
        description="Records VGGT's queries and keys for 'vggt-attn view', 'query' and 'report'. "
        "To record another model, see vggt_attn.record. 'finish FOLDER' completes a recording "
        "that could not be put in its place.",
    )
    parser.add_argument("--image_dir", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--checkpoint", type=Path, required=True, help=".pt or .safetensors")
    parser.add_argument("--output", type=Path, help="[attn_first2all_<name of the folder>]")
    parser.add_argument("--num_images", type=int, default=5, help="how many, evenly spaced [5]")
    parser.add_argument("--capture", default="global", help="some of global,frame,encoder [global]")
    parser.add_argument("--layers", help="numbers, such as 1,12,24 [all]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--heatmaps", action="store_true", help="write the classic maps, too")
    parser.add_argument("--save_per_head", action="store_true", help="maps of each head")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier recording")
    options = parser.parse_args(given)
    if options.num_images < 1:
        parser.error("--num_images: expected 1 or more")
    options.kinds = options.capture.split(",")
    if set(options.kinds) - set(KINDS):
        parser.error(f"--capture: expected some of {', '.join(KINDS)}")
    if options.layers is not None:
        words = options.layers.split(",")
        if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
            parser.error("--layers: expected numbers from 1, such as 1,12,24")
        options.layers = sorted({int(word) for word in words})
    try:
        options.device = torch.device(options.device)
        torch.empty(1, device=options.device)
    except (RuntimeError, AssertionError) as error:
        parser.error(f"--device: {str(error).splitlines()[0]}")
    return options


def _record(options: argparse.Namespace) -> None:
    images = _images(options.image_dir.expanduser(), options.num_images)
    checkpoint = options.checkpoint.expanduser()
    if not checkpoint.is_file():
        raise MissingFile("does not exist", str(checkpoint), "Give the weights by --checkpoint.")
    name = options.image_dir.expanduser().resolve().name
    output = options.output or Path(f"attn_first2all_{name}")
    _refuse_folder(output, options.overwrite)
    try:
        from vggt.models.vggt import VGGT  # noqa: PLC0415  # an optional need
        from vggt.utils.load_fn import load_and_preprocess_images  # noqa: PLC0415
    except ImportError as error:
        raise Error(
            f"the package vggt cannot be imported ({error})",
            hint="Install it from https://github.com/facebookresearch/vggt",
        ) from error
    state = read_checkpoint(checkpoint)
    with _uninitialised():
        model = VGGT()
    try:
        missing = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise Error(
            f"does not fit the model ({str(error).splitlines()[-1].strip()})", str(checkpoint)
        ) from error
    lacks = [n for n in missing if n.startswith("aggregator.") and not n.endswith("mask_token")]
    if lacks:
        raise Error(f"lacks {len(lacks)} tensors, such as {lacks[0]}", str(checkpoint))
    del state
    model.eval().to(options.device)
    pixels = load_and_preprocess_images([str(path) for path in images]).to(options.device)
    sizes = [pictures.picture_size(path.read_bytes()) for path in images]
    known = [size for size in sizes if size is not None]
    transforms = None
    if len(known) == len(sizes):
        transforms = pictures.vggt_transforms(known, int(pixels.shape[-1]))
    with (
        torch.no_grad(),
        record(
            model,
            output,
            images=images,
            capture=options.kinds,
            layers=options.layers,
            name=name,
            model_text=f"VGGT, {checkpoint.name}",
            transforms=transforms,
            heatmaps=options.heatmaps,
            save_per_head=options.save_per_head,
            overwrite=options.overwrite,
        ) as recording,
    ):
        model.aggregator(pixels[None])
    for note in recording.notes:
        print(note)
    print(
        f"wrote {output}; rows are exact to {max(recording.row_error.values()):.1%} of their "
        f"largest value; show it with: vggt-attn view {output}"
    )


def _images(folder: Path, most: int) -> list[Path]:
    if not folder.is_dir():
        raise MissingFile("is no folder", str(folder), "Give a folder of pictures by --image_dir.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not found:
        raise Error("holds no PNG, JPEG or WebP pictures", str(folder))
    count = min(most, len(found))
    return pictures.checked([found[i * len(found) // count] for i in range(count)])


def _refuse_folder(output: Path, overwrite: bool) -> None:
    try:
        store.check_folder(output.expanduser().absolute(), overwrite)
    except Error as error:
        raise Error(
            error.what, str(output), error.hint.replace("overwrite=True", "--overwrite")
        ) from None


@contextlib.contextmanager
def _uninitialised() -> Iterator[None]:
    """Models are built without random weights, which would only be overwritten."""
    # Models import some by name, which call others of the module.
    kept: dict[str, Any] = {
        name: fill
        for name, fill in vars(torch.nn.init).items()
        if callable(fill)
        and (name.startswith("_no_grad_") or (name.endswith("_") and not name.startswith("_")))
    }
    try:
        for name in kept:
            setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
        yield
    finally:
        for name, fill in kept.items():
            setattr(torch.nn.init, name, fill)
