# SPDX-License-Identifier: Apache-2.0
"""The pictures of a recording: copies that the page can show."""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vggt_attn.errors import Error, MissingFile
from vggt_attn.torch import picture_rules

_SHOWN = (".png", ".jpg", ".jpeg", ".webp")  # what every browser shows


@dataclass(frozen=True)
class Picture:
    """A picture of the recording.

    Attributes:
        path: of its copy, below the recording's folder.
        source: the name that it had.
        size: (width, height) in pixels.
    """

    path: str
    source: str
    size: tuple[int, int]


def checked(images: Any) -> list[Any]:
    """The pictures as a list, each a path or what pixels are read from; checked as far as cheap."""
    if isinstance(images, str | os.PathLike):
        if Path(images).expanduser().is_dir():
            hint = (
                f"Give its pictures in the model's order: sorted(Path({str(images)!r}).iterdir())."
            )
        else:
            hint = "Give a list, even of one picture."
        raise Error(f"images={str(images)!r} is a path, expected a list of pictures", hint=hint)
    if not isinstance(images, Iterable):
        raise Error(f"images={images!r}: expected a list of pictures, one a frame")
    listed = [Path(x).expanduser() if isinstance(x, str | os.PathLike) else x for x in images]
    if not listed:
        raise Error("images is empty: expected one picture a frame, in the model's order")
    for number, image in enumerate(listed):
        if isinstance(image, Path):
            _check_file(image)
        elif not hasattr(image, "save") and not hasattr(image, "shape"):
            raise Error(
                f"images[{number}] is a {type(image).__name__}, expected a path, a tensor, an "
                "array or a PIL picture"
            )
    return listed


def keep(images: Sequence[Any], folder: Path) -> list[Picture]:
    """Puts copies of the pictures into ``folder``/images; what no browser shows becomes PNG."""
    digits, kept = 3 if len(images) > 99 else 2, []
    for number, image in enumerate(images):
        name = f"images/frame_{number:0{digits}}"
        if isinstance(image, Path):
            data = image.read_bytes()
            size = picture_size(data) if image.suffix.lower() in _SHOWN else None
            if size is None:
                path, size = f"{name}.png", _convert(image, folder / f"{name}.png")
            else:
                path = name + image.suffix.lower()
                shutil.copyfile(image, folder / path)
            kept.append(Picture(path, printable(image.name), size))
            continue
        path = f"{name}.png"
        if hasattr(image, "save"):  # PIL's
            image.convert("RGB").save(folder / path)
            size = (int(image.size[0]), int(image.size[1]))
        else:
            size = _write_pixels(image, number, folder / path)
        kept.append(Picture(path, f"picture {number + 1}", size))
    return kept


def printable(name: str) -> str:
    """A file's name without control characters and what is no text, as readers demand it."""
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "?", name)


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG or WebP picture, at least 1; None of anything else."""
    size = _header_size(data)
    return size if size and min(size) > 0 else None


def vggt_transforms(
    sizes: Iterable[tuple[int, int]], target: int = 518, patch: int = 14
) -> list[dict[str, int]]:
    """How VGGT's load_and_preprocess_images (mode "crop") fits pictures of these sizes."""
    made = picture_rules.planned("vggt_crop", list(sizes), target, patch)
    if made is None:
        raise Error("a picture is so wide that no patch is left of its height")
    return made


def _check_file(path: Path) -> None:
    if not path.exists():
        raise MissingFile("does not exist", str(path), "Give the pictures that the model sees.")
    if not path.is_file():
        raise Error("is no picture but a folder", str(path), "Give the pictures themselves.")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise Error(f"cannot be read ({error.strerror})", str(path)) from error
    if empty:
        raise Error("is empty", str(path), "Give the pictures that the model sees.")


def _header_size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG") and len(data) > 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) > 30:
        if data[12:16] == b"VP8X":
            return (
                int.from_bytes(data[24:27], "little") + 1,
                int.from_bytes(data[27:30], "little") + 1,
            )
        if data[12:16] == b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        width, height = (n & 0x3FFF for n in struct.unpack("<HH", data[26:30]))
        return width, height
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return None


def _convert(image: Path, to: Path) -> tuple[int, int]:
    try:
        from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # most need no Pillow
    except ImportError:
        raise Error(
            "is no PNG, JPEG or WebP, and converting it needs Pillow",
            str(image),
            "Install it (pip install pillow), or give the picture as PNG.",
        ) from None
    try:
        with Image.open(image) as opened:
            whole: Any = opened
            if opened.mode.startswith("I"):  # 16 bits a pixel, which convert() would cut off
                whole = opened.convert("I").point(lambda level: level * (1 / 257)).convert("L")
            whole.convert("RGB").save(to)
            return int(opened.size[0]), int(opened.size[1])
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise Error("cannot be read as a picture", str(image)) from error


def _write_pixels(image: Any, number: int, to: Path) -> tuple[int, int]:
    """Writes [3, H, W] or [H, W, 3], of floats from 0 to 1 or of bytes, as PNG."""
    shape = list(image.shape)
    if len(shape) != 3 or 3 not in (shape[0], shape[2]) or 0 in shape:
        raise Error(f"images[{number}] has shape {shape}, expected [3, H, W] or [H, W, 3]")
    if hasattr(image, "detach"):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    if image.dtype.kind == "f":
        if not (image.min() >= -1e-3 and image.max() <= 1 + 1e-3):  # NaN is neither
            raise Error(
                f"images[{number}] has values from {image.min():.4g} to {image.max():.4g}, "
                "expected 0 to 1",
                hint="Give it as it was before it was normalised, or as bytes from 0 to 255.",
            )
        image = (image.clip(0, 1) * 255).round()
    image = (image.transpose(1, 2, 0) if shape[0] == 3 else image).astype("uint8")
    height, width, data = int(image.shape[0]), int(image.shape[1]), image.tobytes()
    lines = b"".join(b"\0" + data[3 * width * y : 3 * width * (y + 1)] for y in range(height))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    to.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines, 6))
        + chunk(b"IEND", b"")
    )
    return width, height
