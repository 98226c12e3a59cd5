#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the house's plan against the code: fails on any #include that a room's CMakeLists.txt does not allow.

Also: rooms only stand on rooms that come before them, each has its row in docs/architecture.md, library rooms
neither print nor exit, each unit has its test, and no file is longer than 800 lines.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

# Headers that are installed include these, and headers of the rooms, but no other library's.
STANDARD = re.compile(r"[a-z_0-9]+")
# Outside libraries that are spoken to in one place each.
ONLY_INCLUDER = {"oneapi/dnnl/dnnl.hpp": "backend/cpu/onednn.h", "microhttpd.h": "server/http.cc"}
LONGEST = 800
PRINTS = re.compile(r"std::c(out|err)\b|\b(printf|puts|fmt::print|exit|abort)\s*\(")


def read_rooms():
    """Each room and the rooms that it may include, from the bottom up."""
    order = re.search(r"foreach\(ROOM([^)]*)\)", (SRC / "CMakeLists.txt").read_text())[1].split()
    rooms = {}
    for room in order:
        call = re.search(r"vggt_room\(([^)]*)\)", (SRC / room / "CMakeLists.txt").read_text())[1]
        rooms[call.split()[0]] = listed(call, "ROOMS")
    return rooms


def listed(call, keyword):
    """The words after a keyword of vggt_room, up to the next."""
    words = call.split()
    after = words[words.index(keyword) + 1 :] if keyword in words else []
    return after[: next((i for i, word in enumerate(after) if word.isupper()), len(after))]


def public_headers(room):
    """Those that cmake --install puts in place."""
    call = re.search(r"vggt_room\(([^)]*)\)", (SRC / room / "CMakeLists.txt").read_text())[1]
    if "PROGRAM" in call.split():
        return set()
    units = set(listed(call, "UNITS")) - set(listed(call, "INTERNAL"))
    return {f"{room}/{unit}.h" for unit in units}


def room_of(path, rooms):
    """The room that a path below src/ lies in, or an #include points to; None if there is none."""
    return next((room for room in rooms if path.startswith(room + "/")), None)


def problems(rooms):
    known = set()
    for room, uses in rooms.items():
        for used in uses:
            if used not in known:
                yield f"src/{room}/CMakeLists.txt: {room} stands on {used}, which comes after it"
        known.add(room)
    plan = (ROOT / "docs/architecture.md").read_text()
    for room in rooms:
        if f"\n| {room} |" not in plan:
            yield f"docs/architecture.md: no row for the room {room}"
    public = set().union(*map(public_headers, rooms))
    for path in sorted(SRC.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        name = path.relative_to(SRC).as_posix()
        room = room_of(name, rooms)
        if room is None:
            yield f"{name}: lies in no room of src/CMakeLists.txt"
            continue
        lines = path.read_text().splitlines()
        if len(lines) > LONGEST:
            yield f"{name}: {len(lines)} lines, {LONGEST} is the wall"
        for number, line in enumerate(lines, 1):
            found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
            if found:
                target = room_of(found[1], rooms)
                if target and target not in (room, "core", *rooms[room]):
                    yield f"{name}:{number}: {room} may not include {found[1]}"
                header = line.count("<") and STANDARD.fullmatch(found[1]) or found[1] in public
                if name in public and not header:
                    yield f"{name}:{number}: {found[1]} is not installed, this header is"
                if ONLY_INCLUDER.get(found[1], name) != name:
                    yield f"{name}:{number}: only {ONLY_INCLUDER[found[1]]} may include {found[1]}"
            test = name.endswith("_test.cc")
            if room != "cli" and not test and PRINTS.search(line.split("//")[0]):
                yield f"{name}:{number}: a library room neither prints nor exits"
        if path.suffix == ".cc" and path.with_suffix(".h").exists():
            first = next(line for line in lines if line.startswith("#include"))
            if first != f'#include "{name[:-3]}.h"':
                yield f"{name}: its own header is not the first include, which shows that it compiles by itself"
        if name.endswith(".cc") and not name.endswith("_test.cc") and room != "cli":
            if not path.with_name(path.stem + "_test.cc").exists():
                yield f"{name}: no {path.stem}_test.cc beside it"


found = list(problems(read_rooms()))
print("\n".join(found) or "every #include keeps to the plan")
sys.exit(bool(found))
