#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Uses the program wrongly, and on a bad day: cli_refusals_test.py PROGRAM.

The answer is exit status 1 or 2, one clear line, and nothing left behind.
"""

import gzip
import io
import os
import resource
import shutil
import signal
import subprocess
import tarfile
import unittest

import numpy as np

from cli_case import (DEMO, GOLDEN, MINI, NUMBERS, PROGRAM, SWITCHES, TEXTS, Case, load, noise, png,
                      read_safetensors, safetensors)


class Overwrite(Case):
    def test_only_when_asked(self):
        folder = self.export()
        for name in ("images/mine.png", "notes.txt", "weights.safetensors", "attn_maps/deep/a.txt"):
            self.write(f"out/{name}", "precious")
        self.refuse(1, ["export", "--image_dir", "pictures", "--output_dir_prefix", "",
                        "--image_set_name", "out"], "out: exists already. Use --overwrite")
        said = self.succeed("export", "--image_dir", "pictures", "--output_dir_prefix", "",
                            "--image_set_name", "out", "--overwrite", "--num_images", 2,
                            "--image_size", 56).stderr
        self.assertEqual(sorted(p.name for p in (folder / "images").iterdir()),
                         ["frame_00.png", "frame_01.png", "mine.png"])
        for name in ("images/mine.png", "notes.txt", "weights.safetensors", "attn_maps/deep/a.txt"):
            self.assertEqual((folder / name).read_text(), "precious")
            self.assertIn(name.replace("/a.txt", ""), said)
        self.assertIn("kept in out, as no export wrote it: ", said)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["out", "pictures"])

    def test_a_failure_leaves_the_old(self):
        self.export()
        self.refuse(1, ["export", "--image_dir", "pictures", "--output_dir_prefix", "",
                        "--image_set_name", "out", "--overwrite", "--layers", 99])
        load(self.dir / "out", 3)

    def test_nothing_but_an_export_is_replaced(self):
        self.write("thesis/thesis.tex", "years of work")
        self.write("paper/my_metadata.json", '{"title": "thesis"}')
        self.write("file", "")
        shutil.copytree(self.export(), self.dir / "old")
        common = ["export", "--image_size", 56, "--overwrite", "--output_dir_prefix="]
        for name, folder, part in (
                ("pictures", "pictures", "pictures: holds no export; it is not replaced"),
                ("thesis", "pictures", "thesis: holds no export; it is not replaced"),
                ("paper", "pictures", "paper: holds an export that cannot be read wholly"),
                (".", "pictures", "holds no export; it is not replaced"),
                ("old", "old/images", "old: holds the pictures that are read"),
                ("file", "pictures", "file: is a file")):
            self.refuse(1, [*common, "--image_set_name", name, "--image_dir", folder], part)


class Refusals(Case):
    def test_pictures(self):
        for name in ("empty", "others/sub"):
            (self.dir / name).mkdir(parents=True)
        picture, photo = png(noise()), DEMO[0].read_bytes()
        for name, data in {"others/a.txt": "", "others/b.MOV": "", "others/c.pdf": "", "text/a.png": "hello",
                           "hollow/a.jpg": "", "half_png/a.png": picture[:len(picture) // 2],
                           "half_jpeg/a.jpg": photo[:len(photo) // 2],
                           "flat/a.png": png(noise(20000, 3))}.items():
            self.write(name, data)
        for folder, *parts in (
                ("nowhere", "nowhere: no such folder. Name the folder"),
                ("pictures/0.png", "pictures/0.png: is not a folder"),
                ("empty", "empty: there are no files in this folder"),
                ("others", "others: no pictures in this folder: 1 .mov video, 1 .pdf, 1 .txt. Give a video "
                           "with --video FILE"),
                ("text", "text/a.png: is not a picture", "hello", "This build reads PNG, JPEG, WebP,"),
                ("hollow", "hollow/a.jpg: the file is empty"),
                ("half_png", "half_png/a.png: damaged PNG"),
                ("half_jpeg", "half_jpeg/a.jpg: damaged JPEG"),
                ("flat", "flat/a.png: 20000x3 pixels become 0 patches high")):
            self.refuse_export(1, ["--image_dir", folder], *parts)
        self.refuse_export(1, ["--image_extension", "pdf"], "--image_extension png, jpg")
        self.refuse_export(1, ["--image_extension", "jpg"], "no .jpg pictures in this folder: 4 .png")
        self.refuse_export(1, ["--first_image_idx", 4], "--first_image_idx from 0 to 3")
        self.refuse(1, ["export"], "examples/kitchen/images: no such folder", "--image_dir")

    def wrong_weights(self):
        """(name, file, part of the message)"""
        mini = MINI.read_bytes()
        npz, tar = io.BytesIO(), io.BytesIO()
        np.savez(npz, a=np.zeros(3))
        with tarfile.open(fileobj=tar, mode="w") as archive:
            archive.add(self.tiny, "model.safetensors")
        yield "empty.safetensors", b"", "is empty"
        yield "text.pt", b"these are weights\n", "is plain text, beginning 'these are weights'."
        yield "page.safetensors", b"<!DOCTYPE html>\n<html>", "is a web page"
        yield ("pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
               "is a Git LFS pointer")
        yield "a.safetensors.gz", gzip.compress(mini[:9999]), "is compressed with gzip"
        yield "a.tar", tar.getvalue(), "is a tar archive"
        yield "a.npz", npz.getvalue(), "is a NumPy .npz archive"
        yield "a.png", png(noise()), "is not a checkpoint"
        yield "a.json", b'{"a": 1}', "it has no 'weight_map'"
        yield "half.safetensors", mini[:len(mini) // 2], "truncated"
        yield "head.safetensors", mini[:1000], "truncated"
        yield ("vit.safetensors",
               safetensors({"blocks.0.attn.qkv.weight": ("F32", [1], bytes(4))}),
               "holds no model of a family that is read")

    def test_weights(self):
        for name, data, part in self.wrong_weights():
            path = self.write(f"weights/{name}", data)
            self.refuse_export(1, ["--weights", path], f"{path}: " if part != "truncated" else path,
                               part)
            self.refuse(1, ["inspect", path], part)
        for name, part in (("legacy.pt", "is a legacy PyTorch file"),
                           ("script.pt", "TorchScript"),
                           ("bare.pt", "holds no model of a family that is read")):
            path = GOLDEN / "checkpoints" / name
            self.refuse_export(1, ["--weights", path], f"{path}: ", part)
        self.refuse_export(1, ["--weights", "none.pt"], "none.pt: no such file")
        self.refuse_export(1, ["--weights", "pictures"], "pictures: is a folder without a checkp")
        self.refuse_export(1, ["--weights", "weights"], "weights: is a folder with 7 checkpoints")
        self.refuse_export(1, ["--weights", "/dev/zero"], "/dev/zero: is not a regular file")

    def test_weights_that_are_not_numbers(self):
        tensors = read_safetensors(self.tiny)
        name = "aggregator.global_blocks.1.mlp.fc2.bias"
        dtype, shape, _ = tensors[name]
        for value, part in ((np.nan, f"tensor {name} holds infinite or NaN values"),
                            (-np.inf, f"tensor {name} holds infinite or NaN values"),
                            (3e38, "infinite or NaN in frame block 3")):
            values = np.full(shape, value, np.float32).tobytes()
            path = self.write("bad.st", safetensors(tensors | {name: (dtype, shape, values)}))
            self.refuse_export(1, ["--weights", path], part)

    def test_missing_tensors_are_named(self):
        tensors = read_safetensors(self.tiny)
        few = {n: t for n, t in tensors.items() if not n.endswith("ls2.gamma")}
        many = {n: t for n, t in tensors.items() if not n.endswith("bias")}
        for kept, named, rest in ((few, 6, ""), (many, 20, "and 29 more: 'vggt-attn inspect'")):
            path = self.write("part.st", safetensors(kept))
            before = self.tree()
            done = self.run_program("export", "--image_dir", "pictures", "--weights", path)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr.count(" is missing\n"), named, done.stderr)
            self.assertIn(rest, done.stderr)
            self.assertEqual(self.tree(), before)
        done = self.succeed("inspect", path)
        self.assertEqual(done.stdout.count(" is missing\n"), 49)

    def test_numbers(self):
        for name, least in NUMBERS.items():
            for value in ("-1", "x", "3x", "1.5", "1e3", "", "99999999999999999999999",
                          "9999999", *(["0"] if least == 1 else [])):
                for form in ([f"--{name}={value}"], ["--" + name.replace("_", "-"), value]):
                    self.refuse_export(
                        2, form, f"--{name}: '{value}' is no whole number from {least}",
                        "See 'vggt-attn export --help'.")
        for value in ("0", "-14", "1000000000", "wide", ""):
            self.refuse_export(2, [f"--image_size={value}"],
                               f"--image_size: '{value}' is no whole number from 1 to 4800")
        for value in (100, 7, 4214):
            self.refuse_export(1, [f"--image_size={value}"],
                               f"--image_size: image size {value} does not fit patches of 14 pixels",
                               "Give a multiple of 14 from 14 to 4200")
        for value in ("0", "4", "-1", "1-", "3-1", "1-99", "a-b", "1,,2", "1.5"):
            self.refuse_export(1, [f"--layers={value}"], "--layers: ", "which has 1 to 3")

    def test_flags(self):
        export = "See 'vggt-attn export --help'."
        for name in TEXTS + list(NUMBERS):
            self.refuse_export(2, [f"--{name}"], f"--{name} needs a value. {export}")
            self.refuse_export(2, [f"--{name}", "--quiet"], f"--{name}: ", "'--quiet'", export)
        for name in set(TEXTS) - {"image_extension", "output_dir_prefix", "precision",
                                 "capture", "sort", "family", "picture_rule"}:
            self.refuse_export(2, [f"--{name}="], f"--{name}: its value is empty. {export}")
        for value in ("", "vggt", "Pi3"):
            self.refuse_export(2, [f"--picture_rule={value}"], f"--picture_rule: '{value}' is none "
                               f"of vggt_crop, vggt_pad, pi3, da3, omega. {export}")
        for value in ("", "VGGT"):
            self.refuse_export(2, [f"--family={value}"], f"--family: '{value}' is none of vggt, "
                               f"streamvggt, pi3, da3, da3-mono, omega. {export}")
        for value in ("", "fp16", "BF16"):
            self.refuse_export(2, [f"--precision={value}"],
                               f"--precision: '{value}' is none of auto, bf16, f32. {export}")
        for name in SWITCHES:
            self.refuse_export(2, [f"--{name}=3"], f"--{name} takes no value. {export}")
        self.refuse_export(2, ["--num-image=3"],
                           "unknown flag '--num-image'; did you mean --num_images? " + export)
        self.refuse_export(2, ["--wieghts", "a"], "'--wieghts'; did you mean --weights?")
        self.refuse_export(2, ["--frobnicate"], "unknown flag '--frobnicate'. " + export)
        self.refuse_export(2, ["more"], "unknown argument 'more'. " + export)
        self.refuse_export(2, ["--\x1b[31m"], "unknown flag '--?[31m'")
        self.refuse(2, [],
                    "no command: give one of export, view, query, figure, report, geometry, inspect, preprocess, "
                    "synth-weights. See 'vggt-attn --help'.")
        self.refuse(2, ["exprot"], "unknown command 'exprot'; did you mean export?")
        self.refuse(2, ["frobnicate"], "unknown command 'frobnicate'. See 'vggt-attn --help'.")
        self.refuse(2, ["--quiet"], "unknown flag '--quiet'. See 'vggt-attn --help'.")
        self.refuse(2, ["inspect"], "path is required. See 'vggt-attn inspect --help'.")
        self.refuse(2, ["preprocess", "pictures"], "--output is required")
        self.refuse(2, ["synth-weights"], "--output is required")
        for flags, part in ((["--seed", "-1"], "--seed: '-1' is no whole number"),
                            (["--seed", 1 << 64], "is no whole number from 0"),
                            (["--preset", "vggt-2b"], "'vggt-2b' is none of vggt-1b, mini"),
                            (["--dtype", "int8"], "'INT8' is none of F32, F16, BF16")):
            self.refuse(2, ["synth-weights", "-o", "w", *flags], part)

    def test_places_that_cannot_be_written(self):
        for place in ("pictures/0.png/", "/proc/", "new/" + 300 * "a" + "/"):
            self.refuse_export(1, ["--output_dir_prefix", place],
                               f"{place}kitchen: cannot create this folder")
            self.refuse(1, ["preprocess", "pictures", "-o", place + "x"],
                        f"{place}x: cannot create this folder")
            self.refuse(1, ["synth-weights", "--preset", "tiny-conv", "-o", place + "x"],
                        f"{place}x: cannot create")
        self.refuse(1, ["synth-weights", "--preset", "tiny-conv", "--overwrite", "-o", "pictures"],
                    "pictures: is a folder")
        self.refuse(1, ["synth-weights", "--preset", "tiny-conv", "--overwrite", "-o", "/dev/null"],
                    "/dev/null: is a device")

    def test_files_that_cannot_grow(self):
        """As on a full disk: a write fails midway."""
        def limit(size):
            return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}
        self.refuse_export(1, [], "new/deep/kitchen/images/frame_0", ".png: cannot write",
                           **limit(9000))
        self.refuse_export(1, ["--no_compress", "--image_size", 140, "--save_per_head"],
                           "new/deep/kitchen/attn_maps/layer_01/heatmaps_uint8.npz: cannot write",
                           **limit(20000))
        self.refuse(1, ["preprocess", "pictures", "-o", "new/deep"],
                    "new/deep/000_0.png: cannot write", **limit(9000))
        self.refuse(1, ["synth-weights", "--preset", "tiny-conv", "-o", "w"], "w: cannot write",
                    **limit(100000))

    def test_more_than_fits_into_memory(self):
        self.refuse_export(1, ["--image_size", 4200, "--save_per_head"],
                           "GB of memory. Take fewer pictures (--num_images)")

    def test_a_stdout_that_nobody_reads(self):
        for arguments in (["export", "--image_dir", "pictures", "--image_size", 56, "--json"],
                          ["inspect", "bundled"], ["--help"], ["export", "--help"]):
            reading, writing = os.pipe()
            os.close(reading)
            done = self.run_program(*arguments, capture_output=False, stdout=writing,
                                    stderr=subprocess.PIPE)
            os.close(writing)
            self.assert_refused(1, done, "cannot write to the standard output: Broken pipe")


class Interrupted(Case):
    def test_nothing_is_left(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = self.tree()
            process = subprocess.Popen(
                [PROGRAM, "export", "--image_dir", DEMO[0].parent, "--num_images", "6",
                 "--output_dir_prefix", "new/deep/"],
                cwd=self.dir, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            with process:
                for line in process.stderr:
                    if line.startswith("running the model"):
                        break
                self.assertNotEqual(self.tree(), before)  # it is being written
                process.send_signal(number)
                self.assertEqual(process.stderr.read().splitlines()[-1],
                                 "vggt-attn: interrupted; nothing was written")
                self.assertEqual(process.stdout.read(), "")
            self.assertEqual(process.returncode, 130)
            self.assertEqual(self.tree(), before)


if __name__ == "__main__":
    unittest.main()
