#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles each source of src/ and each header without one by itself, for its syntax and warnings alone.

The presets that build and test compile several files at once, which hides what a file forgets to include. A source
includes its own header first (tools/check_rooms.py), so that this header is compiled by itself, too. Needs tools/setup.sh;
configures the preset debug.
"""

import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"


def commands():
    configure = ["cmake", "--preset", "debug", "-DVGGT_BUILD_TESTS=OFF", "-DVGGT_BUILD_BENCH=OFF"]
    subprocess.run(configure, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    for entry in json.loads((ROOT / "build-debug/compile_commands.json").read_text()):
        source = Path(entry["file"])
        if not source.is_relative_to(SRC):
            continue  # made by the build
        words = shlex.split(entry["command"])
        flags = [w for w in words[1 : words.index("-o")] if not w.startswith("-M")]
        yield source, [words[0], *flags, "-fsyntax-only", str(source)]
    for header in set(SRC.rglob("*.h")):
        if not header.with_suffix(".cc").exists() and not header.stem.endswith(("-inl", "_testing")):
            yield header, ["c++", "-std=c++20", f"-I{SRC}", "-w", "-fsyntax-only", "-x", "c++", str(header)]


def compiles(job):
    path, command = job
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        first = "\n".join(done.stderr.splitlines()[:20])
        print(f"{path.relative_to(ROOT)} does not compile by itself:\n{first}\n")
    return done.returncode == 0


with ThreadPoolExecutor(cpu_count()) as pool:
    results = list(pool.map(compiles, commands()))
print(f"{sum(results)} of {len(results)} files compile by themselves")
sys.exit(not results or not all(results))
