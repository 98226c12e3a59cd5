#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is installed can be used: every header compiles, and other projects build and run with find_package.

    install_test.py BUILD_FOLDER CMAKE COMPILER

Installs BUILD_FOLDER into a folder of its own, builds examples/library against that alone, and runs it.
"""

import csv
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD, CMAKE, COMPILER = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.prefix = cls.work / "prefix"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_header_compiles_with_nothing_but_the_standard_library(self):
        include = self.prefix / "include/vggt-attn"
        headers = sorted(include.rglob("*.h"))
        self.assertGreater(len(headers), 60)
        # <> for what is not installed beside it: no path but these headers and the compiler's own.
        outside = re.compile(r"#include <(?![a-z_]+>|sys/)")
        for header in headers:
            self.assertNotRegex(header.read_text(), outside, header)
        everything = self.work / "everything.cc"
        everything.write_text("".join(f'#include "{h.relative_to(include)}"\n' for h in headers))
        run(COMPILER, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{include}", everything)

    def test_other_projects_export_and_ask(self):
        built = self.work / "built"
        run(CMAKE, "-G", "Ninja", "-S", ROOT / "examples/library", "-B", built, f"-DCMAKE_PREFIX_PATH={self.prefix}",
            "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_COMPILER={COMPILER}")
        run(CMAKE, "--build", built)
        pictures = self.prefix / "share/vggt-attn/examples/demo/images"
        export = self.work / "export"
        self.assertIn("6 pictures, 6 layers", run(built / "export_pictures", pictures, export))
        answer = run(built / "ask_attention", export, "10", "20").splitlines()
        # The program says the same, layer 6 being the last.
        table = self.work / "row.csv"
        run(self.prefix / "bin/vggt-attn", "query", export, "--layer", "6", "--head", "mean", "--frame", "0",
            "--row", "10", "--col", "20", "-o", table)
        cells = [c for c in csv.DictReader(table.read_text().splitlines()) if c["token"] == "patch"]
        self.assertEqual(len(answer), 6)
        for frame, said in enumerate(answer):
            best = max((c for c in cells if c["frame"] == str(frame)), key=lambda c: float(c["value"]))
            where = f"picture {frame}: row {best['row']}, column {best['col']} has "
            self.assertTrue(said.startswith(where), f"{said!r} is not {where!r}")
        # A row over 5580 tokens has 12.4 bits at most, and none of these heads looks at one token alone.
        heads = [line.split() for line in run(built / "head_entropy", export, "6").splitlines()]
        self.assertEqual([h[1] for h in heads], ["1:", "2:", "3:", "4:"])
        self.assertTrue(all(0.1 < float(h[2]) < 12.5 for h in heads), heads)
        # What only reads needs nothing of what computes a model.
        self.assertNotIn("dnnl", run("readelf", "--dynamic", built / "ask_attention"))
        self.assertIn("dnnl", run("readelf", "--dynamic", built / "export_pictures"))

    def test_the_manual_shows_the_programs_that_are_built_here(self):
        manual = (ROOT / "docs/api.md").read_text()
        for program in sorted((ROOT / "examples/library").glob("*.cc")):
            code = program.read_text().split("\n", 1)[1]  # after the license
            self.assertIn(code.strip(), manual, program.name)


unittest.main()
