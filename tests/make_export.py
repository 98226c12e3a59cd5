#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes small exports, as this project and as the Python toolkit do, for tests and benchmarks.

Usage: make_export.py OUT KIND...   (make_export.py OUT all: every small kind)

Each KIND becomes the folder OUT/KIND. Maps are made up: a few bumps for each query, layer, head
and frame.
"""
import json
import pathlib
import struct
import sys
import zipfile
import zlib

import numpy as np

DEMO_PICTURE = pathlib.Path(__file__).parent.parent / "examples/demo/images/00.jpg"
# A name that a careless page would run.
HOSTILE = "<img src=x onerror=window.hacked=1>\"'&amp;"


def png(width, height, frame):
    """A picture in which every place looks different: red grows to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    blue = np.where((x // 16 + y // 16) % 2, 200, 60 * (frame % 4))
    pixels = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), blue], axis=-1)
    lines = np.zeros((height, 1 + width * 3), np.uint8)
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes()))
        + chunk(b"IEND", b"")
    )


def turned_jpeg(orientation):
    """The first demo picture with an EXIF note that asks to show it turned."""
    data = DEMO_PICTURE.read_bytes()
    entry = struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    tiff = b"MM\0*" + struct.pack(">I", 8) + entry
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def transform(original, resized, model, crop_top=0, crop_height=None, pad_top=0, pad_left=0):
    return {
        "original_width": original[0],
        "original_height": original[1],
        "resized_width": resized[0],
        "resized_height": resized[1],
        "crop_top": crop_top,
        "crop_height": crop_height or resized[1],
        "pad_top": pad_top,
        "pad_left": pad_left,
        "model_width": model[0],
        "model_height": model[1],
    }


def bumps(rng, queries, heads, frames, h, w):
    """Probabilities-to-be, [queries, heads, frames, h, w], from 0 to 1."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    shape = (queries, heads, frames, 1, 1)
    cy, cx = rng.uniform(0, h, shape).astype(np.float32), rng.uniform(0, w, shape).astype(
        np.float32
    )
    wide = rng.uniform(0.7, max(h, w) / 4, shape).astype(np.float32)
    p = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * wide**2))
    p *= rng.uniform(0.2, 1, shape).astype(np.float32)
    return p + rng.uniform(0, 0.04, p.shape).astype(np.float32)


def write(
    folder,
    *,
    grid=(6, 8),
    strides=(1, 1),
    heads=4,
    layers=3,
    frames=3,
    picture=(224, 168),
    transforms=None,
    ours=True,
    store="deflate",
    raw=False,
    prefix="",
    names=None,
    sources=None,
    set_name="made",
    encode=png,
    suffix="png",
    seed=1,
):
    """store: "deflate", "stored" or "npy". heads 0: averaged. ours: with our own keys."""
    maps, images = folder / "attn_maps", folder / "images"
    maps.mkdir(parents=True)
    images.mkdir()
    names = names or [f"frame_{i:02}.{suffix}" for i in range(frames)]
    sizes = picture if isinstance(picture, list) else [picture] * frames
    for i, name in enumerate(names):
        (images / name).write_bytes(encode(*sizes[i], i))
    h, w = (-(-n // stride) for n, stride in zip(grid, strides))
    manifest = []
    for layer in range(layers):
        rng = np.random.default_rng(seed * 1000 + layer)
        name = f"layer_{layer + 1:02}"
        vmax = [float(v) for v in rng.uniform(0.002, 0.05, heads)]
        whole = float(rng.uniform(0.01, 0.03))
        levels = []
        for first in range(
            0, h * w, 128
        ):  # in pieces: large ones need not fit into memory as float32
            p = bumps(rng, min(128, h * w - first), max(1, heads), frames, h, w)
            scales = np.asarray(vmax or [whole], np.float32)[:, None, None, None]
            levels.append(
                (p * scales).astype(np.float16)
                if raw
                else np.clip(p * 290, 0, 255).astype(np.uint8)
            )
        array = np.concatenate(levels)
        if heads == 0:
            array = array[:, 0]
        file = (
            f"{name}/heatmaps_"
            + ("raw_float16" if raw else "uint8")
            + (".npy" if store == "npy" else ".npz")
        )
        (maps / name).mkdir()
        if store == "npy":
            np.save(maps / file, array)
        else:
            method = zipfile.ZIP_DEFLATED if store == "deflate" else zipfile.ZIP_STORED
            with zipfile.ZipFile(maps / file, "w", method, compresslevel=1) as archive:
                with archive.open("heatmaps.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array)
        meta = {
            "S": frames,
            "H_p": grid[0],
            "W_p": grid[1],
            "stride_h": strides[0],
            "stride_w": strides[1],
            "H_ds": h,
            "W_ds": w,
            "layer_vmax99": whole,
            "normalized_by": "none" if raw else "per_head_vmax99" if heads else "layer_vmax99",
            "per_head_data": heads > 0,
            ("npy_path" if store == "npy" else "npz_path"): prefix + file,
            "image_paths": [
                (prefix.replace("attn_maps/", "") or "../") + "images/" + n for n in names
            ],
            "image_sizes": [{"width": s[0], "height": s[1]} for s in sizes],
        }
        if sources:
            meta["sources"] = sources
        if heads:
            meta |= {"num_heads": heads, "per_head_vmax99": vmax}
        if ours:
            model = {
                "weights": "made.safetensors",
                "family": "made up",
                "text": "none",
                "depth": layers,
                "dim": 8 * max(1, heads),
                "num_heads": max(1, heads),
                "image_width": grid[1] * 14,
                "image_height": grid[0] * 14,
            }
            plain = [
                transform(s, (grid[1] * 14, grid[0] * 14), (grid[1] * 14, grid[0] * 14))
                for s in sizes
            ]
            meta |= {
                "transforms": transforms or plain,
                "format_version": 1,
                "generator": "make_export.py",
                "model": model,
                "precision": "f32",
                "definition": "patches",
                "definition_text": "Made up.",
            }
        path = f"{name}_metadata.json"
        (maps / path).write_text(json.dumps(meta))
        manifest.append(
            {"index": layer, "name": name, "metadata_path": prefix + path, "layer_vmax99": whole}
        )
    (maps / "layers_manifest.json").write_text(
        json.dumps({"image_set_name": set_name, "layers": manifest})
    )


def upright(folder, orientation):
    """What the model saw upright: a JPEG whose EXIF says so, and a PNG that has none."""
    if orientation < 5:
        turned = transform((780, 520), (112, 70), (112, 112), pad_top=21)
    else:
        turned = transform((780, 520), (112, 168), (112, 112), crop_top=28, crop_height=112)
    if orientation > 1:
        turned["orientation"] = orientation
    write(
        folder,
        grid=(8, 8),
        frames=2,
        picture=(780, 520),
        transforms=[turned] * 2,
        names=["frame_00.jpg", "frame_01.png"],
        encode=lambda w, h, frame: png(w, h, frame) if frame else turned_jpeg(orientation),
        seed=20 + orientation,
    )


def truncated(folder):
    write(folder, seed=12)
    path = folder / "attn_maps/layer_02/heatmaps_uint8.npz"
    path.write_bytes(path.read_bytes()[:-3000])


def write_store(folder, *, grid, heads, layers, frames, picture, encode=png, suffix="png",
                attends="all", scene=()):
    """Queries and keys alone, random."""
    qk, images = folder / "qk", folder / "images"
    qk.mkdir(parents=True)
    images.mkdir()
    names = [f"frame_{i:02}.{suffix}" for i in range(frames)]
    for i, name in enumerate(names):
        (images / name).write_bytes(encode(*picture, i))
    special = ["camera", "register_1", "register_2", "register_3", "register_4"]
    shape = [heads, frames * (len(special) + grid[0] * grid[1]) + len(scene), 64]
    size = 2 * shape[0] * shape[1] * shape[2]
    header = json.dumps(
        {
            name: {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
            for name, at in (("q", 0), ("k", size))
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    rng = np.random.default_rng(1)
    for layer in range(layers):
        with open(qk / f"global_{layer + 1:02}.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            for _ in "qk":
                file.write(rng.standard_normal(shape, np.float32).astype("<f2").tobytes())
    description = {
        "format": "vggt-attn-qk",
        "format_version": 2,
        "generator": "make_export.py",
        "image_set_name": "made",
        "model": {"text": "none"},
        "precision": "f32",
        "frames": frames,
        "grid": {"H_p": grid[0], "W_p": grid[1]},
        "image_paths": [f"../images/{name}" for name in names],
        "image_sizes": [{"width": picture[0], "height": picture[1]}] * frames,
        "blocks": {
            "global": {
                "heads": heads,
                "head_dim": 64,
                "scale": 0.125,
                "special_tokens": special,
                "special_tokens_place": "last" if scene else "first",
                "scene_tokens": list(scene),
                "attends": attends,
                "rope": {"type": "2d", "base": 100, "first_patch": 1},
                "layers": [
                    {
                        "index": layer,
                        "name": f"layer_{layer + 1:02}",
                        "file": f"global_{layer + 1:02}.safetensors",
                    }
                    for layer in range(layers)
                ],
            }
        },
    }
    (qk / "attention.json").write_text(json.dumps(description))


PORTRAIT = transform((90, 160), (112, 196), (112, 112), crop_top=42, crop_height=112)
LANDSCAPE = transform((160, 100), (112, 70), (112, 112), pad_top=21)
SOURCES = [
    {"file": "IMG_0412.HEIC"},
    {"file": "A walk through the house in the morning.mp4", "time": 12.483333},
    {"file": "=1+1, \u05e9\u05dc\u05d5\u05dd \u202egpj." + HOSTILE + ".jpg"},
    {"file": "x" * 1000},
    {"file": "\u0635\u0648\u0631\u0629_\u0627\u0644\u0645\u0637\u0628\u062e_0007.jpg"},
]
SMALL_STORE = {"grid": (6, 8), "layers": 3, "heads": 2, "frames": 4, "picture": (112, 84)}
SMALL = {
    "project": lambda out: write(out, seed=1),
    "averaged": lambda out: write(out, heads=0, ours=False, seed=2),
    "strided": lambda out: write(out, grid=(7, 9), strides=(2, 4), picture=(252, 196), seed=3),
    "raw16": lambda out: write(out, raw=True, ours=False, seed=4),
    "npy": lambda out: write(out, store="npy", ours=False, seed=5),
    "prefixed": lambda out: write(
        out, ours=False, prefix="gone/attn_first2all_old/attn_maps/", seed=6
    ),
    "portrait": lambda out: write(
        out, grid=(8, 8), picture=(90, 160), transforms=[PORTRAIT] * 3, seed=7
    ),
    "padded": lambda out: write(
        out, grid=(8, 8), picture=(160, 100), transforms=[LANDSCAPE] * 3, seed=8
    ),
    "turned": lambda out: write(
        out,
        grid=(5, 7),
        frames=1,
        picture=(780, 520),
        suffix="jpg",
        encode=lambda *_: turned_jpeg(6),
        seed=9,
    ),
    "named": lambda out: write(
        out, frames=5, sources=SOURCES, picture=[(224, 168)] * 4 + [(120, 160)], seed=13
    ),
    "hostile": lambda out: write(
        out, frames=2, names=[f"{i} {HOSTILE}.png" for i in range(2)], set_name=HOSTILE, seed=10
    ),
    "many": lambda out: write(out, layers=24, heads=16, seed=11),
    "frames": lambda out: write(out, frames=12, layers=5, heads=2, seed=14),
    "truncated": truncated,
    "causal": lambda out: write_store(out, **SMALL_STORE, attends="causal"),
    "scene": lambda out: write_store(out, **SMALL_STORE, scene=["scale"]),
} | {f"upright_{i}": lambda out, i=i: upright(out, i) for i in range(1, 9)}
KITCHEN = {
    "grid": (25, 37),
    "layers": 24,
    "heads": 16,
    "frames": 5,
    "picture": (780, 520),
    "encode": lambda *_: DEMO_PICTURE.read_bytes(),
    "suffix": "jpg",
}
LARGE = {
    "kitchen_deflated": lambda out: write(out, **KITCHEN),
    "kitchen_stored": lambda out: write(out, **KITCHEN, store="stored"),
    "kitchen_qk": lambda out: write_store(out, **KITCHEN),
}


def main():
    out, kinds = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for kind in SMALL if kinds == ["all"] else kinds:
        (SMALL | LARGE)[kind](out / kind)


main()
