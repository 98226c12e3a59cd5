# SPDX-License-Identifier: Apache-2.0
"""Reads classic exports (docs/formats.md), this project's and the Python toolkit's. Needs numpy."""

import json
from pathlib import Path

import numpy as np


class Layer:
    def __init__(self, attn_maps, metadata_path):
        self.attn_maps = attn_maps
        self.name = metadata_path.stem.removesuffix("_metadata")
        self.metadata = json.loads(metadata_path.read_text(encoding="utf-8"))

    def maps(self):
        """uint8 [Q, S, H, W], or [Q, heads, S, H, W] if metadata['per_head_data']."""
        # The toolkit's paths may begin with a folder that is gone: their ends always hold.
        path = self.attn_maps.joinpath(*Path(self.metadata["npz_path"]).parts[-2:])
        with np.load(path) as archive:
            maps = archive["heatmaps"]
        if maps.dtype != np.uint8:
            raise ValueError(f"{path}: {maps.dtype} maps, uint8 expected")
        return maps

    def pictures(self):
        """The copies of the pictures, the query frame first."""
        images = self.attn_maps.parent / "images"
        return [images / Path(p).name for p in self.metadata["image_paths"]]


def read_layers(export):
    """The layers of an export, given as its folder or its attn_maps/, by name."""
    attn_maps = export / "attn_maps" if (export / "attn_maps").is_dir() else export
    layers = [Layer(attn_maps, p) for p in sorted(attn_maps.glob("layer_*_metadata.json"))]
    if not layers:
        raise FileNotFoundError(f"{export}: no layer_*_metadata.json here or in attn_maps/")
    return {layer.name: layer for layer in layers}
