#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`vggt-attn query` as its users call it: cli_query_test.py PROGRAM."""

import csv
import json
import signal
import subprocess
import time
import unittest

import numpy as np

from cli_case import PROGRAM, Case, load, noise, png, processor_seconds


class Query(Case):
    def export_qk(self, *arguments, out="out"):
        return self.export("--save_qk", "--precision", "f32", "--save_per_head", *arguments,
                           out=out)

    def rows(self, folder, *arguments):
        """What a query answers, as an array."""
        file = self.dir / "rows.npy"
        self.succeed("query", folder, *arguments, "-o", file, "--overwrite")
        return np.load(file)

    def check_exact(self, folder, layer=2):
        """For some patches: sums, the classic maps, and what links the two definitions."""
        metadata, levels = load(folder, layer)
        frames, height, width = metadata["S"], metadata["H_p"], metadata["W_p"]
        stride_h, stride_w = metadata["stride_h"], metadata["stride_w"]
        vmax = np.array(metadata["per_head_vmax99"])[:, None, None, None]
        columns = metadata["W_ds"]
        for query in {0, levels.shape[0] // 2, levels.shape[0] - 1}:
            at = ["--layer", layer, "--head", "all", "--row", query // columns * stride_h, "--col",
                  query % columns * stride_w]
            model = self.rows(folder, *at)[0]
            patches = self.rows(folder, *at, "--definition", "patches")[0]
            self.assertEqual(patches.shape, (metadata["num_heads"], frames, height, width))
            np.testing.assert_allclose(patches.sum((1, 2, 3)), 1, atol=1e-5)
            mass = model.sum((1, 2, 3), keepdims=True)
            self.assertTrue((mass < 1).all())
            np.testing.assert_allclose(model / mass, patches, atol=1e-6)
            # The classic softmax runs over every stride-th patch.
            kept = patches[:, :, ::stride_h, ::stride_w]
            kept = kept / kept.sum((1, 2, 3), keepdims=True)
            off = np.abs(np.clip(kept / (vmax + 1e-8), 0, 1) * 255 - levels[query])
            # Half a level of rounding; float16's error of a logit, 0.001, is at most 0.3 levels.
            self.assertLess(off.max(), 1)

    def test_equals_the_classic_maps(self):
        self.check_exact(self.export_qk())

    def test_one_picture(self):
        self.check_exact(self.export_qk("--num_images", 1))

    def test_a_store_is_whole_whatever_the_strides(self):
        self.check_exact(self.export_qk("--stride_h", 2, "--stride_w", 3))

    def test_portrait_and_padded_pictures(self):
        self.write("pictures/0.png", png(noise(50, 120)))
        self.write("pictures/1.png", png(noise(120, 50)))
        self.check_exact(self.export_qk())

    def test_every_block_and_definition(self):
        self.succeed("synth-weights", "--preset", "tiny-dino", "-o", "dino.safetensors")
        folder = self.export_qk("--weights", "dino.safetensors", "--capture",
                                "global,frame,encoder")
        for block in ("global", "frame", "encoder"):
            for definition in ("model", "patches", "frame", "logits", "cosine"):
                got = self.rows(folder, "--block", block, "--definition", definition, "--frame", 1,
                                "--token", "cls" if block == "encoder" else "camera")
                own, other = got[0, 0, 1], got[0, 0, 0]
                self.assertTrue(np.isfinite(own).all())
                if block == "global":
                    self.assertGreater(np.abs(other).max(), 0)
                elif definition in ("logits", "cosine"):
                    self.assertTrue(np.isnan(other).all())
                else:
                    self.assertEqual(other.max(), 0)

    def test_incoming_is_the_matrix_turned(self):
        folder = self.export_qk()
        incoming = self.rows(folder, "--row", 1, "--col", 2, "--frame", 1, "--incoming")
        outgoing = self.rows(folder, "--row", 0, "--col", 3, "--frame", 2)
        self.assertAlmostEqual(incoming[0, 0, 2, 0, 3], outgoing[0, 0, 1, 1, 2], delta=1e-6)

    def test_a_rectangle_is_the_mean_of_its_patches(self):
        folder = self.export_qk()
        several = self.rows(folder, "--row", "1-2", "--col", "0-1")
        single = [self.rows(folder, "--row", r, "--col", c) for r in (1, 2) for c in (0, 1)]
        np.testing.assert_allclose(several, np.mean(single, 0), atol=1e-6)

    def test_csv_holds_the_same_numbers(self):
        folder = self.export_qk()
        at = ["--layer", "1,2", "--head", "max", "--row", 0, "--col", 1]
        self.succeed("query", folder, *at, "-o", "rows.csv")
        lines = list(csv.DictReader((self.dir / "rows.csv").read_text().splitlines()))
        patches = [float(line["value"]) for line in lines if line["token"] == "patch"]
        expected = self.rows(folder, *at)
        np.testing.assert_array_equal(np.float32(patches), expected.ravel())
        self.assertEqual(list(lines[0]), "scene definition query layer head frame file time token row "
                                         "col value".split())
        self.assertEqual({line["head"] for line in lines}, {"max"})
        self.assertEqual({(line["definition"], line["query"]) for line in lines},
                         {("model", "0.1")})
        self.assertEqual(len({line["scene"] for line in lines} - {""}), 1)
        self.assertEqual(sum(line["token"] == "camera" for line in lines), 2 * 4)

    def test_nothing_names_the_checkpoint(self):
        # What goes to a double-blind review is told its model by the export alone.
        folder = self.export_qk()
        metadata, _ = load(folder, 2)
        self.assertIn(self.tiny.name, json.dumps(metadata))
        for name in ("rows.npy", "rows.csv", "rows.png"):
            self.succeed("query", folder, "--row", 0, "--col", 1, "-o", name)
            self.assertNotIn(self.tiny.stem.encode(), (self.dir / name).read_bytes())

    def test_figures_are_pictures(self):
        folder = self.export_qk("--num_images", 2)
        self.succeed("query", folder, "--layer", "1,2", "--row", 0, "--col", 1, "-o", "rows.png")
        header = (self.dir / "rows.png").read_bytes()[:24]
        width, height = (int.from_bytes(header[i:i + 4], "big") for i in (16, 20))
        # two tiles of 390×312 beside and below each other, 6 pixels apart
        self.assertEqual((width, height), (2 * 390 + 3 * 6, 2 * 312 + 3 * 6))

    def test_figures_with_labels(self):
        folder = self.export_qk("--num_images", 2)
        at = ["--layer", 2, "--row", "0-1", "--col", 1]
        self.succeed("query", folder, *at, "-o", "plain.png")
        said = self.succeed("query", folder, *at, "--labels", "-o", "rows.png").stdout
        self.assertRegex(said, r"^definition model, after RoPE: .*\nwrote rows\.png\n$")
        figure = (self.dir / "rows.png").read_bytes()
        # 170 mm at 300 dots per inch
        self.assertEqual(int.from_bytes(figure[16:20], "big"), 2008)
        self.assertIn(b"pHYs\0\0\x2e\x23\0\0\x2e\x23\1", figure)
        self.assertIn(b'"queries"', figure)
        self.assertNotIn(b"pHYs", (self.dir / "plain.png").read_bytes())
        for head, layer, frames in ((1, "all", []), ("all", 1, []), ("all", "all", ["--frames", 1])):
            self.succeed("query", folder, "--token", "camera", "--layer", layer, "--head", head,
                         *frames, "--overwrite", "-o", "rows.pdf")
            pdf = (self.dir / "rows.pdf").read_bytes()
            self.assertTrue(pdf.startswith(b"%PDF-"))
            self.assertIn(b"/MediaBox [ 0 0 481.88", pdf)
            self.assertIn(b"/FontFile3", pdf)
        self.refuse(1, ["query", folder, *at, "-o", "rows.pdf"], "exists already", "--overwrite")
        self.succeed("query", folder, *at, "-o", "rows.svg")
        self.assertIn("<title>Layer 2, average</title>", (self.dir / "rows.svg").read_text())

    def test_figures_of_frames_that_are_not_attended_to(self):
        folder = self.export_qk("--num_images", 2, "--capture", "frame")
        for definition in ("logits", "model"):
            self.succeed("query", folder, "--row", 0, "--col", 1, "--definition", definition, "-o",
                         f"{definition}.png")
        self.succeed("query", folder, "--row", 0, "--col", 1, "--definition", "logits", "--frames",
                     1, "-o", "nothing.png")

    def test_without_a_file_it_says_what_it_found(self):
        folder = self.export_qk("--no_heatmaps")
        said = self.succeed("query", folder, "--row", 1, "--col", 1, "--definition",
                            "patches").stdout
        self.assertIn("definition patches, after RoPE: Softmax over patches alone", said)
        self.assertRegex(said, r"dropped: 0\.\d+ of the model's attention, on special tokens")
        self.assertRegex(said, r"\n +3  mean      3 +0\.\d{1,3}         0   0\.\d+ \(\d, \d\)   3\.png\n")

    def test_what_cannot_be_answered(self):
        folder = self.export_qk()
        classic = self.export(out="classic")
        at = ["--row", 0, "--col", 0]
        self.refuse(1, ["query", "missing", *at], "missing: no such file or folder")
        self.refuse(1, ["query", classic, *at], "classic: holds no queries and keys",
                    "Export with --save_qk")
        self.write("rows.npy", "kept")
        self.refuse(1, ["query", folder, *at, "-o", "rows.npy"], "exists already", "--overwrite")
        for arguments, said in (
                ([], "no query is given. Give --row and --col, or --token."),
                ([*at, "--token", "camera"], "several queries are given. Give --row and --col"),
                (["--row", 1], "--col: is missing. A query is named by its row and its column."),
                (["--row", 9, "--col", 0], "--row: there is no row 9. They run from 0 to 2."),
                (["--row", "0-9", "--col", 0], "--row: there is no row 9. They run from 0 to 2."),
                (["--row", 0, "--col", "x"], "--col: 'x' is no whole number"),
                (["--row", 0, "--col", "1-"], "--col: '1-' is neither a number nor a range"),
                ([*at, "--layer", 7],
                 "--layer: the store has no layer 7. Its layers are 1, 2, 3."),
                ([*at, "--layer", "foo"], "--layer: 'foo' is no whole number"),
                ([*at, "--layer", "1,1"], "--layer: layer 1 is named twice"),
                ([*at, "--head", 99], "--head: there is no head 99. They run from 1 to "),
                ([*at, "--frame", 4], "--frame: there is no frame 4. They run from 0 to 3."),
                ([*at, "--frames", "0,4"], "--frames: there is no frame 4."),
                (["--token", "cls"], "--token: there is no special token 'cls'. There are cam"),
                ([*at, "--block", "encoder"], "--block: the store has no encoder blocks. It has "
                 "global blocks. 'export --capture' chooses what is recorded."),
                ([*at, "-o", "rows.txt"], "'rows.txt' ends in none of .npy, .csv, .png, .svg, .pdf"),
                ([*at, "-o", "rows.csv", "--labels"], "--labels: is for figures. Give a .png, .svg"),
                ([*at, "--layer", "1,2", "-o", "rows.pdf"],
                 "--layer: a figure shows one or all layers, not 2 of 3"),
                ([*at, "--layer", "all", "--head", "all", "--frames", "0,1", "-o", "rows.svg"],
                 "--frames: a figure of all layers and heads is of one picture")):
            self.refuse(2, ["query", folder, *arguments], said)
        self.refuse(2, ["query", folder, *at, "--definition", "softmax"],
                    "'softmax' is none of model, patches")
        self.refuse(2, ["query", folder, "--cols", 1], "did you mean --col?")
        self.refuse(2, ["query"], "path is required")

    def test_all_heads_and_layers_of_fifty_pictures(self):
        folder = self.big_store(50)
        self.succeed("query", folder, "--layer", "all", "--head", "all", "--token", "camera", "-o",
                     "rows.npy")
        rows = np.load(self.dir / "rows.npy", mmap_mode="r")
        self.assertEqual(rows.shape, (24, 16, 50, 26, 35))
        self.assertGreater(rows.nbytes, 64 << 20)
        # All logits are 0.
        np.testing.assert_allclose(rows[::7, ::5, ::13], 1 / (50 * (5 + 26 * 35)), rtol=1e-5)
        at = ["--layer", "all", "--head", "all", "--token", "camera"]
        self.refuse(1, ["query", folder, *at, "-o", "rows.png"], "rows.png: a figure of 19806 ",
                    "384 rows of 50 pictures, is too large. Ask for fewer layers")

    def test_an_interrupt_leaves_nothing(self):
        folder = self.big_store(20)  # minutes
        for number in (signal.SIGINT, signal.SIGTERM):
            before = self.tree()
            process = subprocess.Popen(
                [PROGRAM, "query", folder, "--token", "camera", "--incoming", "--layer", "all",
                 "--head", "all", "-o", "rows.npy"], cwd=self.dir, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            end = time.monotonic() + 60
            while processor_seconds(process.pid) < 0.5 and time.monotonic() < end:
                time.sleep(0.01)  # until it computes
            begin = time.monotonic()
            process.send_signal(number)
            said, error = process.communicate(timeout=60)
            self.assertEqual((process.returncode, said), (130, ""))
            self.assertEqual(error, "vggt-attn: interrupted; nothing was written\n")
            self.assertLess(time.monotonic() - begin, 5)
            self.assertEqual(self.tree(), before)

    def test_a_damaged_store_is_named(self):
        folder = self.export_qk()
        at = ["--row", 0, "--col", 0]
        layer = folder / "qk" / "global_03.safetensors"
        whole = layer.read_bytes()
        layer.write_bytes(whole[:-1])
        self.refuse(1, ["query", folder, *at], "global_03.safetensors")
        size = int.from_bytes(whole[:8], "little")
        end = 8 + size + json.loads(whole[8:8 + size])["k"]["data_offsets"][1]
        layer.write_bytes(whole[:end - 2] + b"\x00\x7e" + whole[end:])  # NaN
        self.refuse(1, ["query", folder, *at], "global_03.safetensors: holds queries or keys that")
        layer.unlink()
        self.refuse(1, ["query", folder, *at], "global_03.safetensors: no such file")
        self.succeed("query", folder, *at, "--layer", 1)
        description = json.loads((folder / "qk" / "attention.json").read_text())
        description["format_version"] = 3
        self.write("out/qk/attention.json", json.dumps(description))
        self.refuse(1, ["query", folder, *at], "attention.json: format version 3, expected 1 or 2")


if __name__ == "__main__":
    unittest.main()
