#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which outside libraries the rooms really use, read off the symbols of what was built.

Called with the folder of the built rooms (build/src).
"""

import subprocess
import sys
import unittest
from pathlib import Path

BUILT = Path(sys.argv.pop(1))
# What the reading side consists of: everything that shows an export, and nothing that runs a model.
READING = ["core", "formats", "ops", "store/common", "store/maps", "store/qk", "store/export"]
READING += ["attention", "image", "render", "server"]


def undefined_symbols(room):
    archive = BUILT / room / f"libvggt_{room.replace('/', '_')}.a"
    listing = subprocess.run(
        ["nm", "--demangle", "--undefined-only", archive], check=True, capture_output=True, text=True
    )
    return [line.split(maxsplit=1)[1] for line in listing.stdout.splitlines() if " U " in line]


class Linkage(unittest.TestCase):
    def users_of(self, library):
        rooms = [str(path.parent.relative_to(BUILT)) for path in BUILT.glob("**/libvggt_*.a")]
        self.assertGreater(len(rooms), 10)
        return {room for room in rooms if any(library in s for s in undefined_symbols(room))}

    def test_only_the_backend_calls_onednn(self):
        self.assertEqual(self.users_of("dnnl"), {"backend/cpu"})

    def test_only_ops_calls_highway(self):
        self.assertEqual(self.users_of("hwy::"), {"ops"})

    def test_programs_that_read_do_not_load_onednn(self):
        for room in READING:
            program = BUILT / room / f"{room.replace('/', '_')}_tests"
            loaded = subprocess.run(
                ["readelf", "--dynamic", program], check=True, capture_output=True, text=True
            )
            self.assertIn("libstdc++", loaded.stdout)
            self.assertNotIn("dnnl", loaded.stdout, room)


unittest.main()
