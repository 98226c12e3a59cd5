# SPDX-License-Identifier: Apache-2.0
"""A plain reader of recordings in NumPy and float64, for tests alone."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np


def description(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "qk" / "attention.json").read_text(encoding="utf-8"))


def tensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        begin, end = (8 + size + at for at in entry["data_offsets"])
        kind = {"F16": np.float16, "F32": np.float32}[entry["dtype"]]
        out[name] = np.frombuffer(data[begin:end], kind).reshape(entry["shape"]).astype(float)
    return out


def layer(folder: Path, kind: str, number: int) -> dict[str, np.ndarray]:
    """The tensors of a block, whose number counts from 0."""
    layers = description(folder)["blocks"][kind]["layers"]
    file = next(one["file"] for one in layers if one["index"] == number)
    return tensors(folder / "qk" / file)


def turned(x: np.ndarray, about: dict[str, Any], kind: str) -> np.ndarray:
    """x [heads, tokens, d] after RoPE as the description says it."""
    block = about["blocks"][kind]
    if block["rope"]["type"] != "2d":
        return x
    rows, columns = about["grid"]["H_p"], about["grid"]["W_p"]
    special, first = len(block["special_tokens"]), block["rope"]["first_patch"]
    scene = len(block.get("scene_tokens", []))
    patch = np.arange(rows * columns)
    frame = np.zeros((special + len(patch), 2))
    frame[special:] = np.stack([patch // columns, patch % columns], 1) + first
    where = np.concatenate([np.tile(frame, (about["frames"], 1)), np.zeros((scene, 2))])
    quarter = x.shape[2] // 4
    frequencies = block["rope"]["base"] ** (-np.arange(quarter) / quarter)
    out = []
    for axis in range(2):
        angles = where[:, axis, None] * frequencies
        a, b = np.split(x[..., 2 * quarter * axis : 2 * quarter * (axis + 1)], 2, axis=-1)
        out += [a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)]
    return np.concatenate(out, axis=-1)


def attention(folder: Path, kind: str, number: int) -> np.ndarray:
    """[sequences, heads, tokens, tokens]: one sequence for global blocks, else one a frame."""
    about = description(folder)
    block, stored = about["blocks"][kind], layer(folder, kind, number)
    q, k = (turned(stored[name], about, kind) for name in ("q", "k"))
    frames = 1 if kind == "global" else about["frames"]
    q, k = (x.reshape(len(x), frames, -1, x.shape[2]).transpose(1, 0, 2, 3) for x in (q, k))
    logits = q @ k.transpose(0, 1, 3, 2) * block["scale"]
    if block["attends"] == "causal":
        patches = about["grid"]["H_p"] * about["grid"]["W_p"]
        frame = np.arange(q.shape[2]) // (patches + len(block["special_tokens"]))
        logits = np.where(frame[:, None] >= frame, logits, -np.inf)
    rows = np.exp(logits - logits.max(-1, keepdims=True))
    return rows / rows.sum(-1, keepdims=True)
