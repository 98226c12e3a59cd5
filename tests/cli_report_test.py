#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`vggt-attn report` as its users call it: cli_report_test.py PROGRAM."""

import csv
import json
import re
import shutil
import unittest

import numpy as np

from cli_case import MINI, Case, read_safetensors

METRICS = ["entropy", "entropy_share", "effective_keys", "participation", "top1_mass",
           "top10_mass", "special_mass", "own_mass", "cross_mass", "first_frame_mass",
           "same_cell_mass", "self_mass", "mean_distance", "rope_share", "mutual_share",
           "row_similarity"]


def rotated(x, row, col, base):
    """x [heads, tokens, d]: the first half of the channels turns with the row, the other with the column."""
    quarter = x.shape[-1] // 4
    turned = []
    for half, at in zip(np.split(x, 2, axis=-1), (row, col)):
        angle = at[:, None] * float(base) ** (-np.arange(quarter) / quarter)
        a, b = half[..., :quarter], half[..., quarter:]
        turned += [a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)]
    return np.concatenate(turned, -1)


def head_numbers(store, kind, layer):
    """{metric: [heads]} and mass between pictures [heads, S, S + 1], by whole matrices in float64."""
    about = json.loads((store / "attention.json").read_text())
    blocks = about["blocks"][kind]
    frames, special = about["frames"], len(blocks["special_tokens"])
    height, width = about["grid"]["H_p"], about["grid"]["W_p"]
    tensors = read_safetensors(store / blocks["layers"][layer]["file"])
    q, k = (np.frombuffer(tensors[name][2], np.float16).reshape(tensors[name][1]).astype(float)
            for name in "qk")
    y, x = np.divmod(np.arange(height * width), width)
    row, col = (np.tile(np.r_[np.zeros(special), at + 1], frames) for at in (y, x))
    frame = np.repeat(np.arange(frames), special + height * width)
    cell = np.tile(np.r_[np.full(special, -1), np.arange(height * width)], frames)
    seen = np.ones((len(frame), len(frame)), bool)
    if blocks["attends"] == "frame":
        seen = frame[:, None] == frame
    matrices = []
    for rope in (blocks["rope"]["type"] == "2d", False):
        turn = (lambda v: rotated(v, row, col, blocks["rope"]["base"])) if rope else lambda v: v
        logits = np.where(seen, blocks["scale"] * turn(q) @ turn(k).transpose(0, 2, 1), -np.inf)
        a = np.exp(logits - logits.max(-1, keepdims=True))
        matrices.append((a / a.sum(-1, keepdims=True))[:, cell >= 0])
    a, before = matrices
    of, place = frame[cell >= 0], cell[cell >= 0]
    patches = cell >= 0
    own = patches & (of[:, None] == frame)
    same = (place[:, None] == cell) & ~own
    log = np.log(np.where(a > 0, a, 1))
    entropy = -(a * log).sum(-1)
    largest = -np.sort(-a, axis=-1)
    distance = np.hypot(y[place][:, None] - (row - 1), x[place][:, None] - (col - 1))
    masses = np.stack([a[..., patches & (frame == f)].sum(-1) for f in range(frames)]
                      + [a[..., ~patches].sum(-1)], -1)
    numbers = {
        "entropy": entropy,
        "entropy_share": entropy / np.log(seen[cell >= 0].sum(-1)),
        "effective_keys": np.exp(entropy),
        "participation": 1 / (a ** 2).sum(-1),
        "top1_mass": largest[..., 0],
        "top10_mass": largest[..., :10].sum(-1),
        "special_mass": masses[..., -1],
        "own_mass": (a * own).sum(-1),
        "cross_mass": (a * (patches & ~own)).sum(-1),
        "first_frame_mass": masses[..., 0],
        "same_cell_mass": (a * same).sum(-1),
        "self_mass": (a * ((place[:, None] == cell) & own)).sum(-1),
        "mean_distance": (a * own * distance).sum(-1) / (a * own).sum(-1),
        "rope_share": abs(a - before).sum(-1) / 2,
    }
    return ({name: values.mean(-1) for name, values in numbers.items()},
            np.stack([masses[:, of == f].mean(1) for f in range(frames)], 1))


class Report(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.export("--save_qk", "--capture", "global,frame", "--precision", "f32")

    def report(self, *arguments, out="report", exports=None):
        """The folder that comes of it."""
        self.succeed("report", *(exports or [self.folder]), "--out", self.dir / out, *arguments)
        return self.dir / out

    def table(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_a_report_without_flags_is_whole(self):
        done = self.succeed("report", self.folder, "--out", "report")
        self.assertRegex(done.stdout, r"^wrote report: \d+ figures and \d+ tables, ")
        out = self.dir / "report"
        about = json.loads((out / "report.json").read_text())
        listed = {file["path"]: file["bytes"] for file in about["files"]}
        found = {str(p.relative_to(out)): p.stat().st_size for p in out.rglob("*") if p.is_file()}
        self.assertEqual(listed, {k: v for k, v in found.items() if k != "report.json"})
        for section in about["sections"]:
            for figure in section["figures"]:
                self.assertTrue(figure["caption"])
                self.assertEqual([name.rpartition(".")[2] for name in figure["files"]],
                                 ["svg", "pdf", "png"])
                for name, magic in zip(figure["files"], [b"<?xml", b"%PDF-", b"\x89PNG"]):
                    self.assertTrue((out / name).read_bytes().startswith(magic), name)
            for table in section["tables"]:
                self.assertTrue(table["definition"])
        self.assertEqual(about["exports"][0]["blocks"]["global"]["layers"], 3)
        self.assertRegex(about["exports"][0]["hash"], "^[0-9a-f]{64}$")
        self.assertNotIn(str(self.dir), json.dumps(about))
        page = (out / "index.html").read_text()
        self.assertNotRegex(page, r"<script|<link|https?:")
        for link in re.findall(r'href="([^"#]+)"', page):
            self.assertTrue((out / link).is_file(), link)

    def test_heads_equal_an_independent_computation(self):
        self.check_heads(self.folder)

    def test_heads_of_the_bundled_model_equal_it_too(self):
        self.check_heads(self.export("--save_qk", "--capture", "global,frame,encoder", "--weights",
                                     MINI, "--num_images", 2, out="mini"))

    def check_heads(self, folder):
        out = self.report("--rows", "all", "--only", "layers", exports=[folder])
        rows = self.table(out / "data" / "heads.csv")
        names = list(rows[0])
        self.assertEqual(names[:5], ["block", "layer", "layer_index", "head", "head_index"])
        self.assertEqual(names[5:5 + 2 * len(METRICS)],
                         METRICS + [f"{metric}_se" for metric in METRICS])
        frames = np.load(out / "data" / "frames.npz")
        about = json.loads((folder / "qk" / "attention.json").read_text())
        self.assertEqual(sorted(frames.files), sorted(about["blocks"]))
        for kind, blocks in about["blocks"].items():
            of_kind = [row for row in rows if row["block"] == kind]
            self.assertEqual(len(of_kind), len(blocks["layers"]) * blocks["heads"])
            self.assertEqual(frames[kind].shape,
                             (len(blocks["layers"]), blocks["heads"], about["frames"],
                              about["frames"] + 1))
            np.testing.assert_allclose(frames[kind].sum(-1), 1, atol=1e-5)
            for layer in range(len(blocks["layers"])):
                numbers, masses = head_numbers(folder / "qk", kind, layer)
                np.testing.assert_allclose(frames[kind][layer], masses, atol=1e-5)
                for head in range(blocks["heads"]):
                    row = of_kind[layer * blocks["heads"] + head]
                    self.assertEqual([int(row[name]) for name in names[1:5]],
                                     [layer + 1, layer, head + 1, head])
                    for metric, values in numbers.items():
                        # Sums of float32: five digits.
                        np.testing.assert_allclose(float(row[metric]), values[head], rtol=2e-5,
                                                   atol=2e-6, err_msg=f"{kind} {metric}")
                        self.assertEqual(float(row[f"{metric}_se"]), 0)
        arrays = np.load(out / "data" / "heads.npz")
        np.testing.assert_allclose(arrays["entropy"], [float(row["entropy"]) for row in rows],
                                   rtol=1e-8)

    def test_a_sample_is_told(self):
        out = self.report("--rows", 4, "--only", "layers")
        about = json.loads((out / "report.json").read_text())
        self.assertIn("4 of 12 patches", about["exports"][0]["sample"])
        self.assertEqual(about["options"]["rows"], 4)
        row = self.table(out / "data" / "heads.csv")[0]
        self.assertGreater(float(row["entropy_se"]), 0)
        self.assertEqual(row["mutual_share"], "")

    def test_several_exports_have_one_table(self):
        other = self.export("--save_qk", "--capture", "global,frame", "--precision", "f32",
                            "--num_images", 3, out="other")
        out = self.report("--only", "layers", exports=[self.folder, other])
        a, b = (self.table(out / "data" / name / "heads.csv") for name in ("out", "other"))
        together = self.table(out / "data" / "scenes.csv")
        self.assertEqual(len(together), len(a))
        for one, two, both in zip(a, b, together):
            self.assertEqual(both["scenes"], "2")
            self.assertEqual([both[n] for n in list(both)[:5]], [one[n] for n in list(one)[:5]])
            for metric in ["entropy", "own_mass", "top10_mass"]:
                values = np.array([float(one[metric]), float(two[metric])])
                self.assertAlmostEqual(float(both[metric]), values.mean(), places=6)
                self.assertAlmostEqual(float(both[f"{metric}_sd"]), values.std(ddof=1), places=6)
        self.assertTrue((out / "figures" / "scenes.svg").is_file())

    def test_one_picture_alone(self):
        folder = self.export("--save_qk", "--num_images", 1, out="one")
        out = self.report(exports=[folder])
        self.assertIn("The export has one picture", (out / "index.html").read_text())
        self.assertEqual({float(row["cross_mass"])
                          for row in self.table(out / "data" / "heads.csv")}, {0})

    def test_a_store_without_global_blocks(self):
        folder = self.export("--save_qk", "--capture", "frame", out="frames")
        out = self.report(exports=[folder])
        self.assertIn("no global blocks", (out / "index.html").read_text())
        self.assertEqual(np.load(out / "data" / "frames.npz").files, ["frame"])

    def test_presets_name_their_definition(self):
        for preset in ["seed", "fastvggt"]:
            out = self.report("--preset", preset, out=preset)
            about = json.loads((out / "report.json").read_text())
            self.assertEqual(about["options"]["preset"]["name"], preset)
            [figure] = about["sections"][0]["figures"]
            self.assertIn(about["options"]["preset"]["definition"], figure["caption"])
            # The table holds what the figure shows, and there is no other.
            [table] = about["sections"][0]["tables"]
            self.assertEqual(table["name"], figure["name"])
            maps = np.load(out / "data" / f"query_{preset}.npz")["maps"]
            rows = self.table(out / "data" / f"query_{preset}.csv")
            np.testing.assert_allclose([float(row["largest"]) for row in rows],
                                       maps.reshape(len(rows), -1).max(1), rtol=1e-6)
            if preset == "seed":
                np.testing.assert_allclose(maps.reshape(len(maps), -1).sum(1), 1, atol=1e-5)
            else:
                self.assertLess(maps.min(), 0)

    def test_what_heads_are_held_against_must_be_there(self):
        out = ["--out", self.dir / "new"]
        for flag in ["--matches", "--geometry"]:
            self.refuse(1, ["report", self.folder, *out, "--only", "layers", flag, "nope"], "nope",
                        "does not exist")
        self.refuse(1, ["report", self.folder, *out, "--only", "matches"], "--only", "--matches",
                    "--geometry")
        self.refuse(1, ["report", self.folder, *out, "--only", "epipolar"], "--only", "--geometry")
        self.refuse(2, ["report", self.folder, *out, "--matches", "a", "--geometry", "b"],
                    "--matches", "--geometry")
        self.assertFalse((self.dir / "new").exists())

    def test_an_exports_own_geometry(self):
        """Given when it is made or afterwards, it is the same, and reports use it."""
        views = [{"file": f"{i}.png", "R": np.eye(3).tolist(), "t": [-0.2 * i, 0, 2]}
                 for i in range(4)]
        scene = self.write("scene.json", json.dumps(
            {"K": [[60, 0, 34.5], [0, 60, 27.5], [0, 0, 1]], "width": 70, "height": 56,
             "views": views}))
        done = self.succeed("geometry", self.folder, "--from", scene)
        self.assertIn("4 cameras, 0 depth maps, 0 points", done.stdout)
        self.refuse(1, ["geometry", self.folder, "--from", scene], "exists already", "--overwrite")
        self.refuse(1, ["geometry", self.folder, "--from", "pictures", "--overwrite"],
                    "holds no geometry")
        cameras = (self.folder / "geometry" / "cameras.json").read_bytes()
        other = self.export("--geometry_from", scene, out="other")
        self.assertEqual((other / "geometry" / "cameras.json").read_bytes(), cameras)
        heads = self.table(self.report("--only", "epipolar") / "data" / "epipolar.csv")
        self.assertEqual(len(heads), len({(row["layer"], row["head"]) for row in heads}))
        for row in heads:
            self.assertTrue(0 < float(row["epipolar_mass"]) < 1)
            self.assertTrue(0 <= float(row["sampson"]) < 70)
            self.assertEqual(row["epipolar_mass_visible"], "")  # without depth

    def test_a_report_is_replaced_only_if_asked(self):
        out = self.report("--only", "layers")
        self.refuse(1, ["report", self.folder, "--out", out], "report", "--overwrite")
        self.report("--only", "query", "--overwrite")
        self.assertFalse((out / "data" / "heads.csv").exists())
        self.assertTrue((out / "figures" / "query_layers.svg").exists())
        mine = self.dir / "mine"
        mine.mkdir()
        self.write("mine/photo.txt", "mine")
        for flags in [[], ["--overwrite"]]:
            self.refuse(1, ["report", self.folder, "--out", mine, *flags], "is no report", "--out")
        self.refuse(1, ["report", self.folder, "--out", self.folder, "--overwrite"], "is no report")

    def test_what_is_no_export_with_queries_and_keys(self):
        out = ["--out", self.dir / "new" / "deep"]
        self.refuse(1, ["report", self.dir / "nowhere", *out], "nowhere")
        self.refuse(1, ["report", self.write("text.txt", "text"), *out], "text.txt")
        maps = self.export(out="maps")
        self.refuse(1, ["report", maps, *out], "no queries and keys", "--save_qk")
        other = self.export("--save_qk", "--layers", 1, out="other")
        self.refuse(1, ["report", self.folder, other, *out], "do not fit one table")

    def test_numbers_that_are_none(self):
        broken = self.dir / "broken"
        shutil.copytree(self.folder, broken)
        file = broken / "qk" / "global_02.safetensors"
        data = bytearray(file.read_bytes())
        size = int.from_bytes(data[:8], "little")
        end = 8 + size + json.loads(data[8:8 + size])["k"]["data_offsets"][1]
        data[end - 2:end] = b"\xff\x7f"  # the last key's last value is not a number
        file.write_bytes(data)
        done = self.run_program("report", broken, "--out", "new", "--quiet")
        self.assert_refused(1, done, "global_02.safetensors")
        self.assertFalse((self.dir / "new").exists())

    def test_usage(self):
        out = ["--out", self.dir / "new"]
        self.refuse(2, ["report"], "export is required")
        self.refuse(2, ["report", self.folder], "--out")
        self.refuse(2, ["report", self.folder, *out, "--only", "layer"], "did you mean layers?")
        self.refuse(2, ["report", self.folder, *out, "--preset", "fastvgt"],
                    "did you mean fastvggt?")
        self.refuse(2, ["report", self.folder, *out, "--rows", "some"], "--rows", "'all'")
        self.refuse(2, ["report", self.folder, *out, "--ony", "layers"], "did you mean --only?")
        self.refuse(1, ["report", self.folder, *out, "--only", "layers", "--preset", "seed"],
                    "--preset", "query")
        told = self.succeed("report", self.folder, *out, "--only", "layers", "--json", "--quiet")
        self.assertEqual(json.loads(told.stdout)["figures"], 3)
        self.assertEqual(told.stderr, "")

    def test_the_help_names_every_section_and_preset(self):
        told = self.succeed("report", "--help").stdout
        for word in ["layers", "query", "seed", "fastvggt", "robustvggt", "vggt4d", "spark",
                     "omega-proxy", "poincar3"]:
            self.assertIn(f"  {word} ", told)


if __name__ == "__main__":
    unittest.main()
