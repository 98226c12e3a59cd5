#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives the program as its users do: cli_test.py PROGRAM.

What the numbers are is tested beside the code; here it is flags, files and what is said.
"""

import csv
import json
import os
import platform
import struct
import subprocess
import unittest
import zipfile

import numpy as np

from cli_case import (DEMO, GOLDEN, MINI, NUMBERS, SWITCHES, TEXTS, Case, load, noise, png,
                      read_safetensors, safetensors, turned)


class Export(Case):
    def test_defaults(self):
        for path in DEMO:
            self.write(f"examples/kitchen/images/{path.name}", path.read_bytes())
        done = self.succeed("export")
        self.assertIn("using the bundled demonstration model", done.stderr)
        folder = self.dir / "attn_first2all_kitchen"
        self.assertIn("wrote attn_first2all_kitchen: 6 layers, mean of 4 heads, 5 pictures",
                      done.stdout)
        manifest = json.loads((folder / "attn_maps" / "layers_manifest.json").read_text())
        self.assertEqual(manifest["image_set_name"], "kitchen")
        self.assertEqual([e["index"] for e in manifest["layers"]], list(range(6)))
        self.assertLessEqual({"index", "name", "metadata_path", "layer_vmax99"},
                             manifest["layers"][0].keys())
        metadata, maps = load(folder, 6)
        self.assertEqual((maps.dtype, maps.shape), (np.uint8, (37 * 25, 5, 25, 37)))
        self.assertEqual(maps.max(), 255)
        photo = {"width": 780, "height": 520}
        expected = {"S": 5, "H_p": 25, "W_p": 37, "stride_h": 1, "stride_w": 1, "H_ds": 25,
                    "W_ds": 37, "normalized_by": "layer_vmax99", "per_head_data": False,
                    "npz_path": "layer_06/heatmaps_uint8.npz", "image_sizes": [photo] * 5,
                    "image_paths": [f"../images/frame_{i:02}.jpg" for i in range(5)]}
        self.assertEqual({key: metadata[key] for key in expected}, expected)
        self.assertEqual(metadata["layer_vmax99"], manifest["layers"][5]["layer_vmax99"])
        copies = [(folder / "attn_maps" / p).read_bytes() for p in metadata["image_paths"]]
        self.assertEqual(copies, [DEMO[i].read_bytes() for i in (0, 1, 2, 3, 4)])
        self.assertEqual(metadata["sources"], [{"file": path.name} for path in DEMO[:5]])
        said = self.succeed("inspect", folder).stdout
        self.assertIn(f"../images/frame_01.jpg 780×520, from {DEMO[1].name}\n", said)

    def test_each_flag_in_each_spelling(self):
        values = {"image_set_name": "set", "image_dir": "pictures", "num_images": 3,
                  "image_extension": "PNG", "first_image_idx": 1, "output_dir_prefix": "here/to_",
                  "stride_h": 2, "stride_w": 3, "weights": self.tiny, "layers": "1-2",
                  "image_size": 84, "threads": 1, "precision": "f32", "capture": "frame",
                  "sort": "natural", "weights_key": "aggregator",
                  "family": "vggt", "picture_rule": "vggt_pad"}
        self.assertEqual(values.keys(), NUMBERS.keys() | set(TEXTS) | {"image_size"})
        seen = []
        for hyphens in (False, True):
            for equals in (False, True):
                arguments = ["export"]
                spell = (lambda name: name.replace("_", "-")) if hyphens else (lambda name: name)
                for name, value in values.items():
                    flag = "--" + spell(name)
                    arguments += [f"{flag}={value}"] if equals else [flag, value]
                done = self.succeed(*arguments, *("--" + spell(name) for name in SWITCHES))
                self.assertEqual(done.stderr, "")
                report = json.loads(done.stdout)
                del report["seconds"], report["peak_rss_bytes"]
                files = {path.relative_to(self.dir): path.read_bytes()
                         for path in (self.dir / "here").rglob("*") if path.is_file()}
                seen.append((report, files))
        for other in seen[1:]:
            self.assertEqual(other, seen[0])
        metadata, maps = load(self.dir / "here" / "to_set", 2)
        self.assertEqual(maps.shape, (3 * 2, 4, 3, 3, 2))
        self.assertEqual((metadata["num_heads"], len(metadata["per_head_vmax99"])), (4, 4))
        self.assertEqual(metadata["normalized_by"], "per_head_vmax99")
        # Of 0, 1, 2 number 1 comes first.
        copies = [(self.dir / "here/to_set/images" / f"frame_{i:02}.png").read_bytes()
                  for i in range(3)]
        self.assertEqual(copies, [png(noise(seed=i)) for i in (1, 0, 2)])

    def test_pictures_by_the_rule_of_each_family(self):
        pictures = GOLDEN / "pictures"
        for rule, size in (("vggt_crop", 56), ("vggt_pad", 56), ("pi3", 70), ("da3", 56),
                           ("omega", 64)):
            done = self.succeed("preprocess", pictures / "16x90.png", pictures / "61x43.png",
                                "--picture_rule", rule, "--image_size", size, "-o", rule)
            stacked = (pictures / f"{rule}_tall_first.png").read_bytes()
            width, height = struct.unpack(">II", stacked[16:24])
            patch = 16 if rule == "omega" else 14
            seen = f"{width}×{height // 2}, {width // patch}×{height // 2 // patch} patches"
            self.assertEqual(done.stdout.count(f" -> {seen} -> "), 2)

    def test_transforms_say_how_a_rule_cut(self):
        self.write("wide/a.png", png(noise(90, 20, seed=1)))
        self.succeed("export", "--image_dir", "wide", "--weights", self.tiny, "--picture_rule",
                     "omega", "--image_size", 56, "--output_dir_prefix", "", "--image_set_name", "out")
        metadata, _ = load(self.dir / "out", 1)
        (transform,) = metadata["transforms"]
        self.assertEqual((transform["cut_left"], transform["cut_right"]), (25, 25))
        self.assertEqual((metadata["W_p"], metadata["H_p"]), (6, 3))

    def test_every_format_of_pictures(self):
        names = ["420.heic", "420.avif", "420.jpg", "lossy.webp", "lzw.tif", "plain.gif", "rgb.bmp",
                 "rgb8.png"]
        missing = self.succeed("--version").stdout.partition("; not ")[2].lower()
        names = [name for name in names if name[-3:] not in missing.replace("heic", "eic").replace(
            "avif", "vif").replace("tiff", "tif")]
        for name in names:
            self.write(f"mixed/{name}", (GOLDEN / "codec" / name).read_bytes())
        self.write("mixed/clip.mp4", "")
        self.write("mixed/.hidden", "")
        done = self.succeed("export", "--image_dir", "mixed", "--num_images", 8, "--weights", self.tiny,
                            "--image_size", 56, "--output_dir_prefix", "", "--image_set_name", "out")
        self.assertIn("left out: 1 .mp4 video. Give a video with --video FILE.", done.stderr)
        metadata, maps = load(self.dir / "out", 1)
        self.assertEqual(maps.shape[1], len(names))
        extensions = {"jpg": "jpg", "webp": "webp"}
        self.assertEqual(metadata["image_paths"],
                         [f"../images/frame_{i:02}.{extensions.get(name.split('.')[1], 'png')}"
                          for i, name in enumerate(sorted(names))])
        self.assertEqual(metadata["image_sizes"], [{"width": 29, "height": 19}] * len(names))
        # What is kept are the pixels that were read, and is read again as such.
        kept = [self.dir / "out" / "attn_maps" / path for path in metadata["image_paths"]]
        for name, path in zip(sorted(names), kept):
            if path.suffix == "." + name.split(".")[1]:
                self.assertEqual(path.read_bytes(), (GOLDEN / "codec" / name).read_bytes())
            else:
                self.assertTrue(path.read_bytes().startswith(b"\x89PNG"))
        self.succeed("preprocess", *(f"mixed/{name}" for name in sorted(names)), "--image_size", 56,
                     "-o", "before")
        self.succeed("preprocess", *kept, "--image_size", 56, "-o", "after")
        seen = [[path.read_bytes() for path in sorted((self.dir / folder).iterdir())]
                for folder in ("before", "after")]
        self.assertEqual(seen[0], seen[1])

    def test_json_is_one_object_and_all_there_is(self):
        done = self.succeed("export", "--image_dir", "pictures", "--image_size", 56, "--json")
        self.assertIn("running the model", done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["output"], "attn_first2all_kitchen")
        for key in ("total", "load_weights", "pictures", "encoder", "frame_blocks",
                    "global_blocks", "capture", "write"):
            self.assertGreaterEqual(report["seconds"][key], 0)
        self.assertLess(report["seconds"]["load_weights"], report["seconds"]["total"])
        self.assertGreater(report["flops"], 1e6)
        self.assertGreater(report["peak_rss_bytes"], 1e6)
        written = sum(p.stat().st_size
                      for p in (self.dir / report["output"]).rglob("*") if p.is_file())
        self.assertEqual(report["bytes_written"], written)

    def test_quiet_prints_nothing(self):
        done = self.succeed("export", "--image_dir", "pictures", "--image_size", 56, "--quiet")
        self.assertEqual((done.stdout, done.stderr), ("", ""))

    def test_the_average_is_that_of_the_heads(self):
        average, levels = load(self.export(out="average"), 2)
        apart, head_levels = load(self.export("--save_per_head", out="apart"), 2)
        self.assertNotIn("num_heads", average)
        scale = np.array(apart["per_head_vmax99"])[None, :, None, None, None] / 255
        from_heads = (head_levels * scale).mean(axis=1)
        whole = (head_levels < 255).all(axis=1) & (levels < 255)  # nothing was clipped
        self.assertGreater(whole.mean(), 0.5)
        off = np.abs(from_heads - levels * average["layer_vmax99"] / 255)[whole]
        self.assertLess(off.max(), scale.max() + average["layer_vmax99"] / 255)

    def test_chosen_layers_equal_those_of_all(self):
        whole, some = self.export(out="whole"), self.export("--layers", "3,1", out="some")
        self.assertEqual(sorted(p.name for p in (some / "attn_maps").glob("layer_0?")),
                         ["layer_01", "layer_03"])
        for layer in (1, 3):
            np.testing.assert_array_equal(load(whole, layer)[1], load(some, layer)[1])

    def test_uncompressed_arrays_are_stored_and_the_same(self):
        packed, stored = self.export(out="packed"), self.export("--no_compress", out="stored")
        for folder, method in ((packed, zipfile.ZIP_DEFLATED), (stored, zipfile.ZIP_STORED)):
            path = folder / "attn_maps" / "layer_01" / "heatmaps_uint8.npz"
            with zipfile.ZipFile(path) as archive:
                self.assertEqual([i.compress_type for i in archive.infolist()], [method])
        np.testing.assert_array_equal(load(packed, 1)[1], load(stored, 1)[1])

    def test_threads_do_not_matter(self):
        one, two = self.export("--threads", 1, out="one"), self.export("--threads", 2, out="two")
        for layer in (1, 2, 3):
            a, b = load(one, layer)[1].astype(int), load(two, layer)[1].astype(int)
            self.assertLessEqual(np.abs(a - b).max(), 1)

    def test_precision(self):
        exact = self.export("--precision", "f32", out="exact")
        self.assertEqual(load(exact, 1)[0]["precision"], "f32")
        self.assertIn("precision f32", self.succeed("inspect", exact).stdout)
        # oneDNN obeys this variable: a processor without bf16.
        old = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
        done = self.run_program("export", "--image_dir", "pictures", "--image_size", 56, env=old)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("precision f32: this processor does not multiply bf16", done.stderr)
        used = "AVX2" if platform.machine() == "x86_64" else "this processor's usual instructions"
        self.assertIn(f"computed in f32 ({used}; this processor does not multiply bf16)", done.stdout)
        done = self.run_program("export", "--image_dir", "pictures", "--overwrite", "--precision",
                                "bf16", env=old)
        self.assert_refused(1, done, "this processor does not multiply bf16", "--precision f32")

        done = self.run_program("export", "--image_dir", "pictures", "--weights", self.tiny,
                                "--image_size", 56, "--precision", "bf16", "--json",
                                "--output_dir_prefix", "", "--image_set_name", "fast")
        if "does not multiply bf16" in done.stderr:
            self.skipTest("no native bf16 here")
        said = json.loads(done.stdout)
        self.assertEqual([said["precision"], said["precision_reason"]], ["bf16", "as asked"])
        self.assertIn(said["instructions"], ("AVX512_BF16", "AMX"))
        for layer in (1, 2, 3):
            metadata, fast = load(self.dir / "fast", layer)
            self.assertEqual(metadata["precision"], "bf16")
            off = np.abs(fast.astype(int) - load(exact, layer)[1])
            self.assertLess(off.mean(), 1)
            self.assertGreater(off.max(), 0)
        auto, auto_levels = load(self.export(out="auto"), 3)
        same = {"f32": exact, "bf16": self.dir / "fast"}[auto["precision"]]
        np.testing.assert_array_equal(auto_levels, load(same, 3)[1])
        for said in (self.succeed("--version").stdout, self.succeed("export", "--help").stdout):
            self.assertRegex(said, f"computes in {auto['precision']} [(][^)]+, oneDNN [23][.]")

    def test_fewer_pictures_than_asked_for_is_noted(self):
        done = self.succeed("export", "--image_dir", "pictures", "--image_size", 56, "--num_images",
                            9)
        self.assertIn("the folder holds 4 pictures, fewer than the 9 asked for", done.stderr)
        self.assertIn(" 4 pictures of ", done.stdout)

    def test_extensions_in_any_case(self):
        for name, source in (("a.JPG", DEMO[0]), ("b.Jpeg", DEMO[1])):
            self.write(f"mixed/{name}", source.read_bytes())
        self.write("mixed/c.PNG", png(noise()))
        self.write("mixed/notes.txt", "no picture")
        metadata, _ = load(self.export("--image_dir", "mixed"), 1)
        self.assertEqual(metadata["image_paths"],
                         [f"../images/frame_{name}" for name in ("00.jpg", "01.jpeg", "02.png")])
        metadata, _ = load(self.export("--image_dir=mixed", "--image_extension=.jpg", out="b"), 1)
        self.assertEqual(metadata["image_sizes"], [{"width": 780, "height": 520}])

    def test_odd_names_of_pictures_are_kept_printable(self):
        names = ["Küche, 1.png", 'a "b".png', "tab\there.png", os.fsdecode(b"latin\xfc.png"),
                 "screen\u202fshot.png"]
        for i, name in enumerate(names):
            self.write(f"odd/{name}", png(noise(seed=i)))
        metadata, _ = load(self.export("--image_dir", "odd", "--save_qk"), 1)
        expected = sorted(name.replace("\t", "?").replace("\udcfc", "?") for name in names)
        self.assertEqual(sorted(source["file"] for source in metadata["sources"]), expected)
        self.succeed("query", "out", "--row", 0, "--col", 0, "-o", "rows.csv")
        table = list(csv.DictReader((self.dir / "rows.csv").read_text().splitlines()))
        files = {int(line["frame"]): line["file"] for line in table}
        self.assertEqual([files[i] for i in range(5)], [s["file"] for s in metadata["sources"]])
        self.assertEqual({line["time"] for line in table}, {""})
        self.assertIn("   Küche, 1.png\n",
                      self.succeed("query", "out", "--row", 0, "--col", 0).stdout)

    def test_the_last_of_repeated_flags_counts(self):
        metadata, _ = load(self.export("--num_images", 3, "--num_images", 2, "--json", "--json"), 1)
        self.assertEqual(metadata["S"], 2)

    def test_an_unread_stderr_does_not_matter(self):
        reading, writing = os.pipe()
        os.close(reading)
        done = self.run_program("export", "--image_dir", "pictures", "--image_size", 56,
                                capture_output=False, stdout=subprocess.PIPE, stderr=writing)
        os.close(writing)
        self.assertEqual(done.returncode, 0)
        load(self.dir / "attn_first2all_kitchen", 6)


class SeveralModels(Case):
    def setUp(self):
        super().setUp()
        self.succeed("synth-weights", "--preset", "tiny-dino", "-o", "dino")
        models = {"ema.module.": read_safetensors(self.dir / "dino"),
                  "model.": read_safetensors(self.tiny)}
        self.write("both", safetensors({prefix + name: tensor for prefix, model in models.items()
                                        for name, tensor in model.items()}))

    def test_a_key_chooses(self):
        plain = self.export("--weights", "dino", "--save_qk", out="plain")
        for key in ("ema.module", "ema", "ema.module.aggregator."):
            out = self.export("--weights", "both", "--weights_key", key, "--save_qk", "--overwrite")
            np.testing.assert_array_equal(load(out, 1)[1], load(plain, 1)[1])
            model = load(out, 1)[0]["model"]
            self.assertEqual((model["weights"], model["weights_key"]), ("both", key))
            self.assertEqual(json.loads((out / "qk/attention.json").read_text())["model"], model)
            self.assertIn(f"  weights   both, {key}\n", self.succeed("inspect", out).stdout)
        self.assertNotIn("weights_key", load(plain, 1)[0]["model"])

    def test_unclear_choices_are_listed(self):
        choices = "Choose one with --weights_key: ema.module, model"
        weights = ["--weights", "both"]
        self.refuse_export(1, weights, f"both: holds several models. {choices}")
        self.refuse_export(1, [*weights, "--weights_key", "emma"],
                           f"both: holds no model 'emma'. {choices}")
        self.refuse_export(1, ["--weights_key", "model"], "holds no model 'model'. It holds one "
                           "model: leave --weights_key out, or give aggregator")
        self.refuse(2, ["export", "--image_dir", "pictures", "--weights_key", "model"],
                    "--weights_key requires --weights")

    def test_inspect_lists_them(self):
        said = self.succeed("inspect", "both").stdout
        self.assertRegex(said, r"^both: safetensors, .*\n  models    2; --weights_key chooses one\n"
                               r" {12}ema\.module: VGGT architecture: 2 global .*, DINOv2 encoder .*, "
                               r"(\d+) of \1 tensors found\n"
                               r" {12}model: VGGT architecture: 3 global .*, patch .*, "
                               r"(\d+) of \2 tensors found\n$")
        said = self.succeed("inspect", "both", "--weights-key", "model").stdout
        self.assertIn("patch convolution as encoder\n", said)
        self.assertIn("  prefix    'model.aggregator.' before every name\n", said)
        self.refuse(1, ["inspect", "both", "--weights_key", "ema.m"],
                    "Choose one with --weights_key: ema.module, model")
        self.export()
        self.refuse(1, ["inspect", "out", "--weights_key", "ema"], "out: is an export")


class Orientation(Case):
    def test_pictures_are_turned_if_asked(self):
        files = [png(noise(70, 42, seed=i), i) for i in range(1, 9)]
        for i, file in enumerate(files):
            self.write(f"held/{i}.png", file)
        arguments = ("export", "--image_dir", "held", "--num_images", 8, "--weights", self.tiny,
                     "--image_size", 56, "--save_qk", "--output_dir_prefix", "")
        done = self.succeed(*arguments, "--image_set_name", "plain")
        self.assertIn("7 of 8 pictures carry a rotation that VGGT ignores; --exif_transpose applies"
                      " it\n", done.stderr)
        done = self.succeed(*arguments, "--image_set_name", "upright", "--exif_transpose")
        self.assertNotIn("rotation", done.stderr)
        for folder in ("plain", "upright"):
            metadata, _ = load(self.dir / folder, 1)
            self.assertEqual(metadata["image_sizes"], [{"width": 70, "height": 42}] * 8)
            orientations = [t.get("orientation") for t in metadata["transforms"]]
            self.assertEqual(orientations, [None, *([None] * 7 if folder == "plain"
                                                    else range(2, 9))])
            copies = [(self.dir / folder / "images" / f"frame_{i:02}.png").read_bytes()
                      for i in range(8)]
            self.assertEqual(copies, files)
        self.assertIn("frame_05.png 70×42, turned by EXIF orientation 6, from 5.png\n",
                      self.succeed("inspect", "upright").stdout)
        # The same as of pictures that are upright from the start.
        for i in range(1, 9):
            self.write(f"turned/{i}.png", png(turned(noise(70, 42, seed=i), i)))
        self.succeed(*arguments, "--image_set_name", "seen", "--image_dir", "turned")
        for layer in (1, 2, 3):
            np.testing.assert_array_equal(load(self.dir / "seen", layer)[1],
                                          load(self.dir / "upright", layer)[1])
        # And so is a figure of it.
        for folder in ("seen", "upright"):
            self.succeed("query", folder, "--row", 1, "--col", 2, "-o", f"{folder}.png")
        self.assertEqual((self.dir / "seen.png").read_bytes(),
                         (self.dir / "upright.png").read_bytes())

    def test_preprocess_writes_them_upright(self):
        for i in range(1, 9):
            self.write(f"held/{i}.png", png(noise(70, 42, seed=i), i))
            self.write(f"seen/{i}.png", png(turned(noise(70, 42, seed=i), i)))
        done = self.succeed("preprocess", "held", "-o", "a", "--image_size", 56, "--exif-transpose")
        self.assertNotIn("rotation", done.stderr)
        self.assertIn("held/6.png: 70×42 turned -> 56×56, 4×4 patches", done.stdout)
        self.succeed("preprocess", "seen", "-o", "b", "--image_size", 56)
        for path in (self.dir / "a").iterdir():
            self.assertEqual(path.read_bytes(), (self.dir / "b" / path.name).read_bytes())
        done = self.succeed("preprocess", "held/2.png", "held/1.png", "-o", "c")
        self.assertEqual(done.stderr, "1 of 2 pictures carries a rotation that VGGT ignores; "
                                      "--exif_transpose applies it\n")


class Order(Case):
    def test_numbers_are_counted_if_asked(self):
        for i in (1, 2, 10):
            self.write(f"few/frame_{i}.png", png(noise(seed=i)))
        note = ("pictures are taken in the order of their names' bytes: frame_1.png, frame_10.png, "
                "frame_2.png …; --sort natural takes frame_1.png, frame_2.png, frame_10.png …\n")
        arguments = ("export", "--image_dir", "few", "--weights", self.tiny, "--image_size", 56,
                     "--output_dir_prefix", "")
        for extra, numbers in (((), (1, 10, 2)), (("--sort", "name"), (1, 10, 2)),
                               (("--sort", "natural"), (1, 2, 10))):
            done = self.succeed(*arguments, "--overwrite", *extra)
            self.assertEqual(note in done.stderr, numbers != (1, 2, 10))
            metadata, _ = load(self.dir / "kitchen", 1)
            self.assertEqual([source["file"] for source in metadata["sources"]],
                             [f"frame_{i}.png" for i in numbers])
            done = self.succeed("preprocess", "few", "-o", "seen", "--overwrite", *extra)
            self.assertEqual(done.stderr, note if numbers != (1, 2, 10) else "")
            self.assertTrue((self.dir / "seen" / f"001_frame_{numbers[1]}.png").exists())
        self.refuse(2, [*arguments, "--sort", "time"], "--sort: 'time' is none of name, natural")
        self.assertNotIn("order", self.succeed(*arguments, "--image_dir", "pictures",
                                               "--overwrite").stderr)


class SmallerCommands(Case):
    def test_inspect(self):
        said = self.succeed("inspect", "bundled").stdout
        self.assertIn("vggt-mini (bundled): safetensors", said)
        self.assertIn("6 global and 6 frame blocks, 128 channels, 4 heads of 32", said)
        self.assertIn(" tensors, 253 found", said)
        self.assertEqual(said.splitlines()[1:],
                         self.succeed("inspect", MINI).stdout.splitlines()[1:])
        folder = self.export("--layers", "1,3")
        for path in (folder, folder / "attn_maps", folder / "attn_maps" / "layers_manifest.json"):
            said = self.succeed("inspect", path).stdout
            for part in ("attention maps of 'out'", "VGGT architecture: 3 global", "frames    4, ",
                         "mean over heads", "layers    2\n", "layer_03, 99th percentile"):
                self.assertIn(part, said)
        (folder / "attn_maps" / "layer_03" / "heatmaps_uint8.npz").unlink()
        self.assertRegex(self.succeed("inspect", folder).stdout, r"layer_03, .*, cannot be read")
        self.refuse(1, ["inspect", "pictures"], "pictures: is a folder without a checkpoint")

    def test_preprocess_equals_the_specification(self):
        """What is expected has the model's size: written again by the program it stays as it is."""
        cases = sorted((GOLDEN / "preprocess").glob("*.*g.expected.png"))
        cases = [case for case in cases if not case.name.startswith("mixed.")]
        self.assertGreaterEqual(len(cases), 17)
        for i, case in enumerate(cases):
            source = case.with_name(case.name.removesuffix(".expected.png"))
            with self.subTest(source.name):
                got, expected = self.dir / f"got{i}", self.dir / f"expected{i}"
                self.succeed("preprocess", source, "-o", got)
                self.succeed("preprocess", case, "--output", expected)
                self.assertEqual(*(next(d.iterdir()).read_bytes() for d in (got, expected)))

    def test_preprocess_folders_and_files(self):
        said = self.succeed("preprocess", "pictures", DEMO[0], "-o", "a/b",
                            "--image-size", 28).stdout
        names = [f"00{i}_{i}.png" for i in range(4)] + [f"004_{DEMO[0].stem}.png"]
        self.assertEqual(sorted(p.name for p in (self.dir / "a" / "b").iterdir()), names)
        self.assertIn("pictures/0.png: 70×56 -> 28×28, 2×2 patches -> a/b/000_0.png\n", said)
        again = ["preprocess", "pictures", "-o", "a/b"]
        self.refuse(1, again, "a/b/000_0.png: exists already. Use --overwrite")
        self.succeed(*again, "--overwrite")
        self.write("text.png", "hello")
        for picture, part in (("none.png", "none.png: no such file"), ("text.png", "is not a picture"),
                              ("", "its value is empty")):
            self.refuse(1 if picture else 2, ["preprocess", "pictures", picture, "-o", "c/d"], part)
        self.refuse(2, ["preprocess", "pictures", "-o", ""], "--output: its value is empty")

    def test_synthetic_weights(self):
        for preset in ("mini", "tiny-dino", "tiny-conv"):
            for dtype in ("F32", "F16", "BF16", "bf16"):
                path = f"{preset}.{dtype}"
                self.succeed("synth-weights", "--preset", preset, "--dtype", dtype, "--seed", 7,
                             "-o", path)
                said = self.succeed("inspect", path).stdout
                self.assertIn(f"as {dtype.upper()}\n", said)
        self.succeed("export", "--image_dir", "pictures", "--image_size", 56, "--weights", path)
        old = self.write("old", "precious")
        self.refuse(1, ["synth-weights", "--preset", "tiny-conv", "-o", "old"],
                    "old: exists already. Use --overwrite")
        self.assertEqual(old.read_text(), "precious")
        self.succeed("synth-weights", "--preset=tiny-conv", "-o", "old", "--overwrite")
        self.assertEqual(old.read_bytes(), self.tiny.read_bytes())

    def test_help_and_version(self):
        self.assertRegex(self.succeed("--version").stdout,
                         r"^vggt-attn \d+\.\d+\.\d+\nreads PNG, JPEG, WebP, .*\ncomputes in .*\n.*\n$")
        for command in ([], ["export"], ["view"], ["inspect"], ["preprocess"],
                        ["synth-weights"]):
            said = self.succeed(*command, "--help").stdout
            self.assertEqual(said, self.succeed(*command, "-h").stdout)
            self.assertRegex(said, r"Examples?:\n  vggt-attn ")
            self.assertLessEqual(max(map(len, said.splitlines())), 100)
            self.assertNotIn("INT", said)
        said = self.succeed("export", "--help").stdout
        for name in [*NUMBERS, *TEXTS, *SWITCHES, "image_size", "no_heatmaps"]:
            self.assertRegex(said, rf"(?m)^  --{name}\b.* \S")


if __name__ == "__main__":
    unittest.main()
