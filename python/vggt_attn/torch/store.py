# SPDX-License-Identifier: Apache-2.0
"""Writes the folder of a recording: queries and keys as docs/formats.md says, and its pictures."""

from __future__ import annotations

import contextlib
import ctypes
import json
import re
import shutil
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vggt_attn.errors import Error

GENERATOR = "vggt_attn.torch"
# The files that a recording consists of, and what is computed of it and kept beside it.
_OWN = re.compile(
    r"predictions\.npz|images/frame_\d+\.\w+|qk/attention\.json|"
    r"qk/(statistics_(rows_)?)?(global|frame|encoder)_\d+\.safetensors|"
    r"attn_maps/(layers_manifest|layer_\d+_metadata)\.json|"
    r"attn_maps/layer_\d+/heatmaps_uint8\.npz"
)
_ABOUT = "recording.json"  # of a recording that is not finished: its description and its folder


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """A safetensors file of float16 and float32 tensors that lie on the CPU, row-major."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        size = tensor.element_size() * tensor.numel()
        header[name] = {
            "dtype": "F16" if tensor.dtype == torch.float16 else "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    try:
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for tensor in tensors.values():
                size = tensor.element_size() * tensor.numel()
                if size:
                    file.write((ctypes.c_char * size).from_address(tensor.data_ptr()))
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> Error:
    """What is said where something cannot be written."""
    return Error(
        f"cannot be written ({error.strerror or error})", str(path), "Is there room, and the right?"
    )


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuses a folder that a recording may not be written to.

    It may not exist yet, or be empty; with ``overwrite`` it may hold an earlier recording, whose
    files are replaced, and no others.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise Error("is no folder", str(folder), "Give the recording another name.")
    if not any(folder.iterdir()):
        return
    if not overwrite:
        raise Error("exists already", str(folder), "Use overwrite=True to replace a recording.")
    if not (folder / "qk" / "attention.json").exists():
        raise Error("holds no recording, and is not replaced", str(folder), "Give another folder.")
    if (folder / "attn_maps").exists() and not _is_recording(folder):
        raise Error(
            "holds attention maps, too, whose pictures a recording would replace",
            str(folder),
            "Give another folder.",
        )


def _is_recording(folder: Path) -> bool:
    """Whether what is exported there was recorded."""
    try:
        about = json.loads((folder / "qk" / "attention.json").read_text(encoding="utf-8"))
        return bool(about["generator"] == GENERATOR)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def stage(folder: Path, frames: int) -> Path:
    """A hidden folder beside ``folder``, where the recording is put together.

    It has room for what an unfinished recording must say, however full the disk becomes.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            staging.chmod(0o755)
            (staging / "qk").mkdir()
            (staging / "images").mkdir()
            (staging / _ABOUT).write_bytes(b" " * (65536 + 2048 * frames))
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    except OSError as error:
        raise cannot_write(folder, error) from error
    return staging


def describe(staging: Path, description: Mapping[str, Any]) -> None:
    """Writes what a staged recording says of itself."""
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    (staging / "qk" / "attention.json").write_text(text, encoding="utf-8")


def publish(staging: Path, folder: Path, description: Mapping[str, Any], overwrite: bool) -> None:
    """Completes a staged recording and puts it in its place.

    Raises:
        Error: it cannot be put there. The staged folder is then kept, and the error names it and
            the command that finishes it. So does any other exception, such as Ctrl-C.
    """
    about = {"folder": str(folder), "overwrite": overwrite, "description": dict(description)}
    try:
        with (staging / _ABOUT).open("r+b") as file:  # over the room that it has
            file.write(json.dumps(about).encode().ljust((staging / _ABOUT).stat().st_size))
        describe(staging, description)
        check_folder(folder, overwrite)
        if folder.exists() and any(folder.iterdir()):
            _replace(staging, folder)
        else:
            if folder.exists():
                folder.rmdir()
            staging.rename(folder)
    except BaseException as error:
        kept = _keep(staging, folder)
        told = f"What was recorded is kept in {kept}"
        hint = f"Finish it with: python -m vggt_attn.torch finish {kept} [--output FOLDER]"
        if not isinstance(error, Error | OSError):  # Ctrl-C stays what it is
            if kept.exists():  # else it came when all was done
                error.args = (f"{told}. {hint}",)
            raise
        why = error.what if isinstance(error, Error) else f"cannot be written ({error.strerror})"
        raise Error(f"{why}. {told}", str(folder), hint) from error
    if staging.exists():
        _remove(staging)
    else:
        with contextlib.suppress(OSError):  # all is in its place
            (folder / _ABOUT).unlink()


def finish(kept: Path, folder: Path | None = None) -> Path:
    """Puts a recording that could not be finished into its folder, or another; returns it."""
    try:
        about = json.loads((kept / _ABOUT).read_text(encoding="utf-8"))
        to = folder or Path(about["folder"])
        overwrite, description = bool(about["overwrite"]), dict(about["description"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Error(
            "is no unfinished recording",
            str(kept),
            "Give the folder that the recorder named.",
        ) from error
    to = to.expanduser().absolute()
    check_folder(to, overwrite)
    # A copy beside the target: it may be on another disk, and this one may be full.
    staging = stage(to, int(description.get("frames", 0)))
    try:
        shutil.copytree(kept, staging, dirs_exist_ok=True)
        (staging / _ABOUT).write_bytes(b" " * (65536 + 2 * (kept / _ABOUT).stat().st_size))
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_write(to, error) from error
        raise
    publish(staging, to, description, overwrite)
    shutil.rmtree(kept)
    return to


def _keep(staging: Path, folder: Path) -> Path:
    """Gives a staged recording a name that is seen."""
    for number in range(1, 1000):
        kept = folder.with_name(f"{folder.name}.unfinished" + (f"_{number}" if number > 1 else ""))
        if staging == kept:
            return kept
        if not kept.exists():
            try:
                return staging.rename(kept)
            except OSError:
                break
    return staging


def _replace(staging: Path, folder: Path) -> None:
    """Puts the staged files where an earlier recording's are; what is not its own stays.

    If that fails, all files are where they were.
    """
    moves = [(folder / old, staging / "replaced" / old) for old in _own_files(folder)]
    moves += [(staging / new, folder / new) for new in _own_files(staging)]
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            with contextlib.suppress(OSError):  # a layer's folder, unless something else is in it
                source.parent.rmdir()
    except BaseException:
        for source, target in reversed(moves):
            if target.exists() and not source.exists():
                source.parent.mkdir(parents=True, exist_ok=True)
                target.rename(source)
        raise


def _remove(staging: Path) -> None:
    """Also where Ctrl-C comes meanwhile: it holds nothing but what was replaced."""
    try:
        shutil.rmtree(staging, ignore_errors=True)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _own_files(folder: Path) -> list[Path]:
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if _OWN.fullmatch(path.as_posix())]
