#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what ./demo.sh wrote against docs/formats.md, as a user of numpy would read it."""

import json
import sys
from pathlib import Path

import numpy as np

LAYERS, HEADS, PICTURES, ROWS, COLUMNS = 6, 4, 6, 25, 37  # of the bundled model and pictures


def check(holds, *what):
    if not holds:
        raise SystemExit(f"check_demo.py: {' '.join(map(str, what))}")


def check_layer(root, number, entry):
    name = f"layer_{number:02d}"
    check((entry["index"], entry["name"]) == (number - 1, name), "manifest names", entry)
    metadata = json.loads((root / entry["metadata_path"]).read_text())
    expected = dict(S=PICTURES, H_p=ROWS, W_p=COLUMNS, stride_h=1, stride_w=1, H_ds=ROWS,
                    W_ds=COLUMNS, normalized_by="per_head_vmax99", per_head_data=True,
                    num_heads=HEADS, npz_path=f"{name}/heatmaps_uint8.npz",
                    layer_vmax99=entry["layer_vmax99"],
                    image_sizes=[dict(width=780, height=520)] * PICTURES)
    for key, value in expected.items():
        check(metadata.get(key) == value, name, key, "is", metadata.get(key), "expected", value)
    check(len(metadata["per_head_vmax99"]) == HEADS, name, "lacks scales of heads")
    check(all(v > 0 for v in metadata["per_head_vmax99"]), name, "has scales that are not positive")
    check(len(metadata["transforms"]) == PICTURES, name, "lacks transforms")
    for path in metadata["image_paths"]:
        check((root / path).is_file(), name, "names a picture that is not there:", path)

    with np.load(root / metadata["npz_path"]) as archive:
        check(archive.files == ["heatmaps"], name, "holds", archive.files)
        maps = archive["heatmaps"]
    shape = (ROWS * COLUMNS, HEADS, PICTURES, ROWS, COLUMNS)
    check(maps.shape == shape and maps.dtype == np.uint8, name, "holds", maps.shape, maps.dtype)
    # Scaled to the 99th percentile: one entry in a hundred reaches the top.
    top = (maps == 255).mean(axis=(0, 2, 3, 4))
    check(((top > 0.009) & (top < 0.012)).all(), name, "shares at the top of the scale:", top)


def check_store(folder):
    blocks = json.loads((folder / "attention.json").read_text())["blocks"]
    check(list(blocks) == ["global"], "the store holds", list(blocks))
    files = [layer["file"] for layer in blocks["global"]["layers"]]
    check(files == [f"global_{i:02}.safetensors" for i in range(1, LAYERS + 1)], "it lists", files)
    tokens = PICTURES * (5 + ROWS * COLUMNS)
    expected = {"q": ("F16", [HEADS, tokens, 32]), "k": ("F16", [HEADS, tokens, 32]),
                "x_norm": ("F32", [tokens]), "x_unit_sum": ("F32", [PICTURES, HEADS * 32]),
                "v_norm": ("F16", [HEADS, tokens]), "wov_norm": ("F16", [HEADS, tokens])}
    types = {"F16": "<f2", "F32": "<f4"}
    for file in files:
        data = (folder / file).read_bytes()
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8:8 + size])
        check(list(header) == list(expected), file, "holds", list(header))
        for name, entry in header.items():
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            check((entry["dtype"], entry["shape"]) == expected[name], file, name, "is", entry)
            values = np.frombuffer(data[begin:end], types[entry["dtype"]]).astype(np.float32)
            check(np.isfinite(values).all() and values.std() > 0.01, file, name, "is not credible")
            if name.endswith("_norm"):
                check((values > 0).all(), file, name, "is no norm")


def main():
    export = Path(sys.argv[1])
    root = export / "attn_maps"
    manifest = json.loads((root / "layers_manifest.json").read_text())
    check(manifest["image_set_name"] == "demo", "image_set_name is", manifest["image_set_name"])
    check(len(manifest["layers"]) == LAYERS, "the manifest has", len(manifest["layers"]), "layers")
    for number, entry in enumerate(manifest["layers"], 1):
        check_layer(root, number, entry)
    check_store(export / "qk")
    cameras = json.loads((export / "geometry" / "cameras.json").read_text())
    check(cameras["source"] == "given: cameras.json", "cameras are", cameras["source"])
    check(len(cameras["frames"]) == PICTURES, "there are", len(cameras["frames"]), "cameras")
    pictures = sorted(p.stem for p in (export / "images").iterdir())
    check(pictures == [f"frame_{i:02d}" for i in range(PICTURES)], "images/ holds", pictures)
    print(f"{LAYERS} layers of {HEADS} heads over {PICTURES} pictures, maps and store, as the "
          "format says")


if __name__ == "__main__":
    main()
