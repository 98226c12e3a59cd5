#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures `vggt-attn report` as a whole and section by section.

    bench/report_bench.py EXPORT [--pictures N] [--rows N|all] [--program PATH]

EXPORT holds queries and keys (`export --save_qk`) and, for the section of epipolar lines, cameras
(`--geometry`). With --pictures it is widened first, in a temporary folder: its pictures again and
again, with noise on their queries and keys, so that a store of many pictures needs no pass of the
model; it has no cameras then. Each report begins without kept statistics; sections after the first
find them. Prints a table of seconds, processor-seconds (which other programs disturb less) and
memory. Threads that wait do not spin: what they wait is no work.
"""

import argparse
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time

import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
NOISE = 0.3  # of the standard deviation of what it is added to


def read_layer(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    types = {"F16": np.float16, "F32": np.float32}
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(
            entry["shape"]
        )
        for name, entry in header.items()
    }


def write_layer(path, tensors):
    header, offset = {}, 0
    for name, x in tensors.items():
        kind = "F16" if x.dtype == np.float16 else "F32"
        end = offset + x.nbytes
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for x in tensors.values():
            file.write(np.ascontiguousarray(x).tobytes())


def widen(source, target, pictures):
    """The export with its pictures repeated until there are as many."""
    description = json.loads((source / "qk/attention.json").read_text())
    before = description["frames"]
    frames = [i % before for i in range(pictures)]
    description["frames"] = pictures
    for name in ("image_paths", "image_sizes", "transforms", "sources"):
        if name in description:
            description[name] = [description[name][f] for f in frames]
    description["order"] = list(range(pictures))
    (target / "qk").mkdir()
    shutil.copytree(source / "images", target / "images")
    noise = np.random.default_rng(0).standard_normal(1_000_003, dtype=np.float32)

    def repeated(x, axis):
        parts = np.split(x, before, axis)
        return np.concatenate([parts[f] for f in frames], axis)

    for blocks in description["blocks"].values():
        for layer in blocks["layers"]:
            tensors = read_layer(source / "qk" / layer["file"])
            out = {}
            for name, x in tensors.items():
                y = repeated(x, 1 if x.ndim > 1 and name != "x_unit_sum" else 0)
                if name in ("q", "k"):
                    wide = y.astype(np.float32)
                    wide += np.resize(noise, wide.shape) * (NOISE * x.astype(np.float32).std())
                    y = wide.astype(np.float16)
                out[name] = y
            write_layer(target / "qk" / layer["file"], out)
    (target / "qk/attention.json").write_text(json.dumps(description))


def measure(program, export, arguments):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "report", export, "--out", f"{folder}/report", "--quiet", *arguments]
        start = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, "GOMP_SPINCOUNT": "0"})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"vggt-attn report ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def forget_statistics(export):
    for file in (export / "qk").glob("statistics_*"):
        file.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--pictures", type=int, help="widen the export to as many")
    parser.add_argument("--rows", help="as of `vggt-attn report`")
    parser.add_argument("--program", type=pathlib.Path, default=REPOSITORY / "build/vggt-attn")
    options = parser.parse_args()
    rows = ["--rows", options.rows] if options.rows else []
    with tempfile.TemporaryDirectory() as folder:
        export = pathlib.Path(folder)
        if options.pictures:
            widen(options.export, export, options.pictures)
        else:
            shutil.copytree(options.export, export, dirs_exist_ok=True)
        forget_statistics(export)
        print("| report | seconds | processor-seconds | memory |\n|---|---|---|---|")

        def row(label, arguments):
            seconds, processor, memory = measure(options.program, export, [*rows, *arguments])
            print(f"| {label} | {seconds:.1f} | {processor:.1f} | {memory:.0f} MB |", flush=True)

        row("whole", [])
        row("whole, statistics kept", [])
        sections = ["layers", "query", "views", "tokens", "sparsity", "similarity"]
        if (export / "geometry").is_dir():
            sections.append("epipolar")
        for section in sections:
            row(f"{section}, statistics kept", ["--only", section])


if __name__ == "__main__":
    main()
