#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of compare_exports.py, on copies of the golden exports."""

import contextlib
import io
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np

import compare_exports

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "export"


def run(*arguments):
    """(exit code, what was said)."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = compare_exports.main([str(a) for a in arguments])
    return code, said.getvalue()


class CompareExports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.golden = GOLDEN / "conv_per_head"
        self.copy = Path(folder.name) / "copy"
        shutil.copytree(self.golden, self.copy)
        self.metadata_path = self.copy / "attn_maps" / "layer_02_metadata.json"

    def change_metadata(self, **values):
        metadata = json.loads(self.metadata_path.read_text())
        self.metadata_path.write_text(json.dumps(metadata | values))

    def change_maps(self, count, by):
        path = self.copy / "attn_maps" / "layer_02" / "heatmaps_uint8.npz"
        maps = np.load(path)["heatmaps"]
        entries = maps.reshape(-1)
        entries[:count] += np.where(entries[:count] < 128, by, -by).astype(np.uint8)
        np.savez_compressed(path, heatmaps=maps)
        return maps.size

    def test_each_golden_export_equals_itself(self):
        exports = sorted(GOLDEN.iterdir())
        self.assertGreaterEqual(len(exports), 6)
        for export in exports:
            code, said = run(export, export / "attn_maps")
            self.assertEqual(code, 0, said)
            self.assertIn("equal within the limits", said)

    def test_few_entries_one_level_off_are_equal(self):
        self.change_maps(count=1, by=1)
        self.assertEqual(run(self.golden, self.copy)[0], 0)
        code, said = run(self.golden, self.copy, "--max-level", "0")
        self.assertEqual(code, 1)
        self.assertIn("level difference 1, at most 0 allowed", said)

    def test_two_levels_are_too_many(self):
        self.change_maps(count=1, by=2)
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 1)
        self.assertIn("level difference 2, at most 1 allowed", said)
        self.assertEqual(run(self.golden, self.copy, "--max-level", "2")[0], 0)

    def test_many_entries_are_too_many(self):
        size = self.change_maps(count=100, by=1)
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 1)
        self.assertIn(f"share of differing entries {100 / size:.3g}", said)
        self.assertEqual(run(self.golden, self.copy, "--max-share", "1")[0], 0)

    def test_scales(self):
        heads = json.loads(self.metadata_path.read_text())["per_head_vmax99"]
        self.change_metadata(per_head_vmax99=[heads[0] * 1.01] + heads[1:])
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 1)
        self.assertIn("relative difference of vmax 0.01", said)
        self.assertEqual(run(self.golden, self.copy, "--vmax-rel", "0.02")[0], 0)
        self.change_metadata(per_head_vmax99=[float("nan")] + heads[1:])
        self.assertEqual(run(self.golden, self.copy, "--vmax-rel", "0.02")[0], 1)

    def test_added_keys_are_said_and_allowed(self):
        self.change_metadata(precision="f32")
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 0)
        self.assertIn("metadata keys only in B: precision", said)

    def test_another_meaning_is_not_comparable(self):
        self.change_metadata(stride_h=1)
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 1)
        self.assertIn("stride_h is 3 and 1", said)

    def test_a_missing_layer(self):
        self.metadata_path.unlink()
        code, said = run(self.golden, self.copy)
        self.assertEqual(code, 1)
        self.assertIn("only in A", said)

    def test_no_export(self):
        code, said = run(self.golden, self.golden / "input")
        self.assertEqual(code, 2)
        self.assertIn("no layer_*_metadata.json", said)


if __name__ == "__main__":
    unittest.main()
