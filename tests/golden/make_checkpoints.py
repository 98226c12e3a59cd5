#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes checkpoints/: what PyTorch saves, in every manner that the reader must know or refuse.

    python3 make_checkpoints.py        # needs torch (made with 1.13, Debian's python3-torch)

expected.safetensors holds the values that each of the good files must give. They are multiples of
1/8 below 16, so that they are the same in every number type.
"""

import argparse
import collections
import io
import json
import struct
import tarfile
from pathlib import Path

import torch

OUT = Path(__file__).resolve().parent / "checkpoints"
SHAPES = {
    "a.weight": (3, 4),
    "a.bias": (4,),
    "b.scale": (),
    "c.table": (2, 3, 2),
    "d.none": (0, 5),
    "e.row": (1, 7),
}


def values():
    torch.manual_seed(0)
    return {k: torch.randint(-100, 100, s) / 8.0 for k, s in SHAPES.items()}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = struct.pack(f"<{t.numel()}f", *t.flatten().tolist())
        header[name] = {
            "dtype": "F32",
            "shape": list(t.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def views(t):
    """The same values: slices of one storage, transposed, every second, expanded."""
    shared = torch.cat([torch.tensor([7.0]), t["a.weight"].flatten(), t["a.bias"]])
    apart = torch.zeros(2, 3, 4)
    apart[:, :, ::2] = t["c.table"]
    return {
        "a.weight": shared[1:13].view(3, 4),
        "a.bias": shared[13:],
        "b.scale": t["b.scale"].expand(5)[3],
        "c.table": apart[:, :, ::2],
        "d.none": torch.zeros(4, 5)[4:],
        "e.row": t["e.row"].t().contiguous().t(),
        "transposed": t["a.weight"].t().contiguous().t(),
        "expanded": t["b.scale"].expand(2, 3),
    }


def parameters(t):
    out = {k: torch.nn.Parameter(v) for k, v in t.items()}
    marked = t["a.bias"].clone()
    marked.note = "an attribute"
    out["a.bias"] = marked
    return out


def main():
    OUT.mkdir(exist_ok=True)

    def save(name, obj, **how):
        torch.save(obj, OUT / name, **how)

    t = values()
    bare = collections.OrderedDict(t)
    bare._metadata = collections.OrderedDict({"": {"version": 1}})
    write_safetensors(OUT / "expected.safetensors", t)
    save("bare.pt", bare)
    save("protocol4.pt", bare, pickle_protocol=4)
    for name, dtype in ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64):
        save(f"{name}.pt", {k: v.to(dtype) for k, v in t.items()})
    optimizer = {
        "state": {0: {"step": 1, "exp_avg": torch.ones(2)}},
        "param_groups": [{"lr": 0.1, "params": [0]}],
    }
    save(
        "wrapped.pt",
        {
            "model": collections.OrderedDict({"module." + k: v for k, v in t.items()}),
            "optimizer": optimizer,
            "epoch": 3,
            "args": argparse.Namespace(lr=0.1, name="x"),
            "big": 1 << 100,
            "rng": torch.get_rng_state()[:8],
            "none": None,
            "seen": {1, 2},
            "size": torch.Size([1, 2]),
            "device": torch.device("cpu"),
        },
    )
    save("state_dict.pt", {"state_dict": bare, "hyper_parameters": {"lr": 1e-3}})
    save("views.pt", views(t))
    save("parameters.pt", parameters(t))
    save(
        "others.pt",
        {
            **t,
            "i64": torch.arange(3),
            "mask": torch.tensor([True]),
            "c64": torch.zeros(2, dtype=torch.complex64),
        },
    )

    save("legacy.pt", bare, _use_new_zipfile_serialization=False)
    save("whole_model.pt", torch.nn.Linear(2, 3))
    save("one_tensor.pt", t["a.weight"])
    save("no_tensors.pt", {"epoch": 3})
    torch.jit.script(torch.nn.Linear(2, 3)).save(str(OUT / "script.pt"))
    with tarfile.open(OUT / "archive.tar", "w") as tar:
        entry = tarfile.TarInfo("model.pt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"none"))


if __name__ == "__main__":
    main()
