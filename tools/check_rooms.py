#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house's plan against the code: fails on any #include that the table does not allow.

Also: library rooms neither print nor exit, each unit has its test, and no file is longer than 800 lines.
"""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

# Room: the rooms it may include, besides itself and core (docs/architecture.md).
ROOMS = {
    "core": [],
    "formats": [],
    "kernels": [],
    "image": ["formats"],
    "weights": ["formats"],
    "artifact": ["formats"],
    "render": ["formats", "image"],
    "query": ["formats", "kernels", "artifact"],
    "model": ["formats", "kernels", "weights"],
    "capture": ["formats", "model", "kernels", "weights", "artifact"],
    "server": ["formats", "artifact", "query"],
    "cli": [
        *("formats", "kernels", "image", "weights", "artifact", "render", "query", "model"),
        *("capture", "server"),
    ],
}
# oneDNN and cpp-httplib are spoken to in one place each.
ONLY_INCLUDER = {"oneapi/dnnl/dnnl.hpp": "kernels/onednn.h", "httplib.h": "server/http.cc"}
LONGEST = 800
PRINTS = re.compile(r"std::c(out|err)\b|\b(printf|puts|fmt::print|exit|abort)\s*\(")


def problems():
    for path in sorted(SRC.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        name = path.relative_to(SRC).as_posix()
        room = name.split("/")[0]
        if room not in ROOMS:
            yield f"{name}: no room '{room}' in the table"
            continue
        lines = path.read_text().splitlines()
        if len(lines) > LONGEST:
            yield f"{name}: {len(lines)} lines, {LONGEST} is the wall"
        for number, line in enumerate(lines, 1):
            found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if found:
                target = found[1].split("/")[0]
                if target in ROOMS and target not in (room, "core", *ROOMS[room]):
                    yield f"{name}:{number}: {room} may not include {found[1]}"
                if ONLY_INCLUDER.get(found[1], name) != name:
                    yield f"{name}:{number}: only {ONLY_INCLUDER[found[1]]} may include {found[1]}"
            test = name.endswith("_test.cc")
            if room != "cli" and not test and PRINTS.search(line.split("//")[0]):
                yield f"{name}:{number}: a library room neither prints nor exits"
        if name.endswith(".cc") and not name.endswith("_test.cc") and room != "cli":
            if not path.with_name(path.stem + "_test.cc").exists():
                yield f"{name}: no {path.stem}_test.cc beside it"


found = list(problems())
print("\n".join(found) or "every #include keeps to the plan")
sys.exit(bool(found))
