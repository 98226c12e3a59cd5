#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vggt_attn.record and its command on a small VGGT in PyTorch, against the program's own store:
record_vggt_test.py PROGRAM."""

import contextlib
import io
import json
import subprocess
import sys
import types
import unittest
from unittest import mock

import numpy as np
import torch
from cli_case import PROGRAM, ROOT, Case, noise, png, read_safetensors

sys.path.insert(0, str(ROOT / "python"))
import tiny_vggt  # noqa: E402

from vggt_attn.errors import Error  # noqa: E402
from vggt_attn.torch import pictures, record, vggt_command  # noqa: E402

torch.set_num_threads(1)  # of what is so small, more take longer
KINDS = ("global", "frame", "encoder")


def tensors(path):
    types = {"F16": "<f2", "F32": "<f4"}
    return {name: np.frombuffer(data, types[dtype]).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(path).items()}


NORMS = ("v_norm", "wov_norm")
EXTRAS = ("x_norm", "x_unit_sum", *NORMS)


class Capture(Case):
    def setUp(self):
        super().setUp()
        pixels = [noise(70, 56, seed) for seed in range(3)]  # what the model sees, at that size
        self.images = [self.write(f"seen/{i}.png", png(p)) for i, p in enumerate(pixels)]
        self.batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)[None] / 255
        self.weights = self.dir / "dino.safetensors"
        subprocess.run([PROGRAM, "synth-weights", "--preset", "tiny-dino", "-o", self.weights],
                       check=True, capture_output=True)
        self.model = self.build()

    def build(self, **extents):
        model = tiny_vggt.VGGT(**extents).eval()
        model.load_state_dict(vggt_command.read_safetensors(self.weights))
        return model

    def record(self, model, folder="out", batch=None, **arguments):
        arguments = {"images": self.images} | arguments
        with torch.no_grad(), record(model, self.dir / folder, **arguments):
            model(self.batch if batch is None else batch)
        return self.dir / folder / "qk"

    def describe(self, folder):
        return json.loads((folder / "attention.json").read_text())

    def native(self, *arguments):
        self.succeed("export", "--image_dir", "seen", "--weights", self.weights, "--image_size",
                     70, "--precision", "f32", "--output_dir_prefix", "", "--image_set_name",
                     "native", "--num_images", 3, "--save_qk", "--no_heatmaps", *arguments)
        return self.dir / "native" / "qk"

    def assert_near(self, got, expected, files):
        for file in files:
            a, b = tensors(got / file), tensors(expected / file)
            self.assertEqual(list(a), ["q", "k", *EXTRAS])
            self.assertEqual(list(b), list(a))
            # In float32 sums of some hundred products; vectors are about 10 long, 20 are summed.
            for name, most in (("x_norm", 1e-4), ("x_unit_sum", 1e-4)):
                self.assertEqual(a[name].dtype, np.float32)
                np.testing.assert_allclose(a[name], b[name], rtol=0, atol=most)
            for name in ("q", "k", *NORMS):
                self.assertEqual(a[name].dtype, np.float16)
                self.assertEqual(a[name].shape, b[name].shape)
                x, y = a[name].astype(float), b[name].astype(float)
                # Both round to float16 what differs by the order of float32 sums: by one step at
                # most where values are large.
                step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(y), 2.0 ** -14))) - 10)
                self.assertTrue((np.abs(x - y) <= step + 5e-5).all(), f"{file}, {name}")
                self.assertLess((x != y).mean(), 0.02, f"{file}, {name}")

    def test_equals_the_native_store(self):
        native = self.native("--capture", ",".join(KINDS))
        before = self.model(self.batch)
        folder = self.record(self.model, capture=KINDS)
        files = sorted(path.name for path in native.glob("*.safetensors"))
        self.assertEqual(sorted(path.name for path in folder.glob("*.safetensors")), files)
        self.assertEqual(len(files), 6)
        self.assert_near(folder, native, files)
        got, expected = self.describe(folder), self.describe(native)
        for block in got["blocks"].values():
            self.assertLess(block.pop("row_error"), 2e-3)
        self.assertEqual(got["blocks"], expected["blocks"])
        for key in ("format", "format_version", "precision", "frames", "grid", "image_paths",
                    "image_sizes", "sources", "order"):
            self.assertEqual(got[key], expected[key], key)
        self.assertEqual(got["format_version"], 2)
        said = self.succeed("inspect", self.dir / "out").stdout
        self.assertIn("out/qk: queries and keys of 'out'\n  model     VGGT\n", said)
        self.assertIn("queries and keys of 2 encoder blocks: 2 heads of 64, RoPE none, ", said)
        self.assertEqual(said.count("  with x_norm, x_unit_sum, v_norm, wov_norm\n"), 3)
        copies = [(folder / path).read_bytes() for path in got["image_paths"]]
        self.assertEqual(copies, [path.read_bytes() for path in self.images])
        # Nothing is left in the model.
        torch.testing.assert_close(self.model(self.batch), before, rtol=0, atol=0)
        self.assertEqual(sorted(p.name for p in self.dir.glob(".*")), [])

    def test_chosen_layers_of_one_picture(self):
        folder = self.record(self.model, images=self.images[:1], batch=self.batch[:, :1],
                             capture=("frame", "global"), layers=[2],
                             special_tokens={"frame": list("abcde")}, name="one")
        description = self.describe(folder)
        self.assertEqual((description["frames"], description["image_set_name"]), (1, "one"))
        blocks = description["blocks"]
        self.assertEqual([layer["name"] for layer in blocks["global"]["layers"]], ["layer_02"])
        self.assertEqual(blocks["frame"]["special_tokens"], list("abcde"))
        self.assertEqual(tensors(folder / "frame_02.safetensors")["k"].shape, (2, 25, 64))

    def test_what_a_model_lacks_is_left_out(self):
        class Pair(tiny_vggt.Block):
            """Returns its tokens in something else, of which the recorder knows nothing."""

            def forward(self, x, pos=None):
                return {"tokens": super().forward(x, pos)}

            def __call__(self, *given):
                return super().__call__(*given)["tokens"]

        blocks = self.model.aggregator.global_blocks
        blocks[0].attn.proj = torch.nn.Sequential(blocks[0].attn.proj)  # as adapters wrap it
        blocks[1].__class__ = Pair
        folder = self.record(self.model)
        layers = self.describe(folder)["blocks"]["global"]["layers"]
        self.assertEqual([layer["extras"] for layer in layers],
                         [["x_norm", "x_unit_sum", "v_norm"], ["v_norm", "wov_norm"]])
        self.assertEqual(list(tensors(folder / "global_02.safetensors")), ["q", "k", *NORMS])
        said = self.succeed("inspect", self.dir / "out").stdout
        self.assertIn("with x_norm (1 of 2 layers), x_unit_sum (1 of 2 layers), v_norm, "
                      "wov_norm (1 of 2 layers)\n", said)
        self.succeed("query", self.dir / "out", "--row", 1, "--col", 1)

    def test_a_model_without_rope(self):
        for block in self.model.aggregator.global_blocks:
            block.attn.rope = None
            block.attn.forward = lambda x, pos=None, attn=block.attn: type(attn).forward(attn, x)
        folder = self.record(self.model)
        self.assertEqual(self.describe(folder)["blocks"]["global"]["rope"], {"type": "none"})
        attention = self.model.aggregator.global_blocks[1].attn
        del attention.rope
        attention.rope = lambda x, pos: x.flip(-1)  # what a function does is seen in what is attended
        del attention.forward
        folder = self.record(self.model, "function", layers=[2])
        self.assertEqual(self.describe(folder)["blocks"]["global"]["rope"], {"type": "applied"})

    def test_an_unknown_rope_is_recorded_as_applied(self):
        plain = self.record(self.model, "plain", capture=["frame"])
        turn = tiny_vggt.Rope.forward
        with mock.patch.object(tiny_vggt.Rope, "forward", lambda self, x, p: turn(self, x, 2 * p)):
            folder = self.record(self.model, capture=["frame"])
        self.assertEqual(self.describe(folder)["blocks"]["frame"]["rope"], {"type": "applied"})
        a, b = (tensors(f / "frame_01.safetensors")["q"] for f in (plain, folder))
        np.testing.assert_array_equal(a[:, :5], b[:, :5])  # special tokens are not turned
        self.assertGreater(np.abs(a[:, 5:25] - b[:, 5:25]).mean(), 0.1)
        applied = self.record(self.model, "told", capture=["frame"], rope={"frame": "applied"})
        q = torch.from_numpy(a[None].astype(np.float32))
        positions = torch.tensor([[0, 0]] * 5 + [[r, c] for r in range(1, 5) for c in range(1, 6)])
        turned = tiny_vggt.Rope()(q, positions.repeat(3, 1)[None])[0].numpy()
        np.testing.assert_allclose(tensors(applied / "frame_01.safetensors")["q"], turned,
                                   atol=4e-3)

    def test_not_a_number(self):
        with self.assertRaisesRegex(Error, "infinite or NaN|is no number"):
            self.record(self.model, batch=self.batch * np.nan)
        with torch.no_grad():
            big = self.build()
            big.aggregator.global_blocks[1].attn.k_norm.weight.mul_(1e6)
        with self.assertRaisesRegex(Error, "global_blocks.1.attn: k holds .*float16 cannot hold"):
            self.record(big)
        self.assertFalse((self.dir / "out").exists())

    def test_picture_sizes(self):
        known = [path for path in (ROOT / "tests" / "golden" / "codec").iterdir()
                 if path.suffix in (".png", ".jpg", ".webp")]
        checked = sum(map(self.check_size, known))
        self.assertGreater(checked, 40)
        for path in (ROOT / "examples" / "demo" / "images").iterdir():
            self.assertEqual(pictures.picture_size(path.read_bytes()), (780, 520))
        self.assertIsNone(pictures.picture_size(b"GIF89a"))

    def check_size(self, path):
        """As the program decodes it."""
        done = self.run_program("preprocess", path, "-o", f"size/{path.name}", "--image_size", 56)
        if done.returncode != 0:
            return False
        with self.subTest(path.name):
            said = done.stdout.split(": ")[-1].split(" -> ")[0]
            self.assertEqual("{}×{}".format(*pictures.picture_size(path.read_bytes())), said)
        return True

    def command(self, *arguments):
        """Runs the command with a package vggt that holds the small model."""
        def load_images(paths):
            return self.batch[0, :len(paths)]
        modules = {name: types.ModuleType(name) for name in
                   ("vggt", "vggt.models", "vggt.models.vggt", "vggt.utils", "vggt.utils.load_fn")}
        modules["vggt.models.vggt"].VGGT = tiny_vggt.VGGT
        modules["vggt.utils.load_fn"].load_and_preprocess_images = load_images
        said, told = io.StringIO(), io.StringIO()
        with mock.patch.dict(sys.modules, modules), contextlib.redirect_stdout(said), \
                contextlib.redirect_stderr(told), contextlib.chdir(self.dir):
            status = vggt_command.main(list(map(str, arguments)))
        return status, said.getvalue(), told.getvalue()

    def test_the_command(self):
        torch.save({"model": vggt_command.read_safetensors(self.weights), "epoch": 1},
                   self.dir / "model.pt")
        native = self.native()
        for checkpoint in ("dino.safetensors", "model.pt"):
            status, said, _ = self.command("--image_dir", "seen", "--checkpoint", checkpoint, "--num_images",
                                3, "--device", "cpu", "--overwrite")
            self.assertEqual(status, 0)
            self.assertIn("wrote attn_first2all_seen", said)
            folder = self.dir / "attn_first2all_seen" / "qk"
            self.assert_near(folder, native, ["global_01.safetensors", "global_02.safetensors"])
            got, expected = self.describe(folder), self.describe(native)
            for block in got["blocks"].values():
                del block["row_error"]
            for key in ("blocks", "transforms", "image_sizes", "image_paths", "sources"):
                self.assertEqual(got[key], expected[key], key)
            self.assertIn(checkpoint, got["model"]["text"])
        state = vggt_command.read_safetensors(self.weights)
        del state["aggregator.camera_token"]
        torch.save(state, self.dir / "part.pt")
        self.write("text.pt", b"weights")
        self.write("text.safetensors", b"weights")
        for checkpoint, message in (
                ("part.pt", "part.pt: lacks 1 tensors, such as aggregator.camera_token"),
                ("text.pt", "text.pt: is no checkpoint"),
                ("text.safetensors", "text.safetensors: is no safetensors file"),
                ("none.pt", "none.pt: does not exist. Give the weights by --checkpoint.")):
            status, _, told = self.command("--image_dir", "seen", "--checkpoint", checkpoint,
                                           "--device", "cpu", "--output", "part")
            self.assertEqual(status, 1)
            self.assertIn(message, told)
            self.assertEqual(told.count("\n"), 1, told)
            self.assertFalse((self.dir / "part").exists())
        for flags, message in ((("--layers", "1,,2"), "--layers: expected numbers from 1"),
                               (("--layers", "0"), "--layers: expected numbers from 1"),
                               (("--device", "nowhere"), "--device: "),
                               (("--num_images", "0"), "--num_images: expected 1 or more"),
                               (("--capture", "all"), "--capture: expected some of")):
            told = io.StringIO()
            with contextlib.redirect_stderr(told), self.assertRaises(SystemExit) as ended:
                vggt_command.main(["--image_dir", "seen", "--checkpoint", "model.pt", *flags])
            self.assertEqual(ended.exception.code, 2)
            self.assertIn(message, told.getvalue())
        status, _, told = self.command("--image_dir", "seen", "--checkpoint", "model.pt")
        self.assertEqual(status, 1)
        self.assertIn("attn_first2all_seen: exists already. Use --overwrite", told)
        done = subprocess.run([sys.executable, ROOT / "tools" / "capture_qk.py", "--image_dir",
                               "seen", "--checkpoint", "model.pt", "--output", "new"],
                              cwd=self.dir, text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is now: python -m vggt_attn.torch", done.stderr)
        self.assertIn("the package vggt cannot be imported", done.stderr)

    def test_too_little_memory_is_told_in_one_line(self):
        for error in (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nSee"),
                      RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
                      MemoryError()):
            with mock.patch.object(tiny_vggt.Aggregator, "forward", side_effect=error):
                status, _, told = self.command("--image_dir", "seen", "--checkpoint", self.weights,
                                               "--device", "cpu", "--output", "full")
            self.assertEqual((status, told), (1, (
                "vggt_attn.torch: cpu: memory does not suffice. Take fewer pictures "
                "(--num_images), or another --device.\n")))
        self.assertEqual(list(self.dir.glob("*full*")), [])

    def test_models_are_built_without_random_weights(self):
        from torch.nn.init import trunc_normal_
        with vggt_command._uninitialised():
            weight = torch.zeros(4)
            trunc_normal_(weight, std=1.0)
            torch.nn.init.normal_(weight)
            self.assertTrue((weight == 0).all())
        trunc_normal_(weight, std=1.0)
        self.assertFalse((weight == 0).any())

    def test_the_program_chooses_among_the_models_of_a_training_state(self):
        state = vggt_command.read_safetensors(self.weights)
        other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
        torch.save({"model": other, "ema": {"module": state}, "step": 7}, self.dir / "state.pt")
        arguments = ("export", "--image_dir", "seen", "--image_size", 56, "--save_qk",
                     "--no_heatmaps", "--precision", "f32", "--weights", "state.pt")
        self.assert_refused(1, self.run_program(*arguments), "state.pt: holds several models. "
                            "Choose one with --weights_key: ema.module, model")
        self.succeed(*arguments, "--weights_key", "ema.module", "--output_dir_prefix", "a_")
        self.succeed(*arguments[:-1], self.weights, "--output_dir_prefix", "b_")
        for layer in (1, 2):
            a, b = ((self.dir / f"{x}_kitchen" / "qk" / f"global_0{layer}.safetensors").read_bytes()
                    for x in "ab")
            self.assertEqual(a, b)

    def test_transforms_are_the_programs(self):
        sizes = [(160, 107), (175, 75), (125, 125), (105, 175), (140, 91)]
        for i, (width, height) in enumerate(sizes):
            self.write(f"mixed/{i}.png", png(noise(width, height, i)))
        self.succeed("export", "--image_dir", "mixed", "--weights", self.tiny, "--save_qk",
                     "--no_heatmaps", "--image_size", 140, "--output_dir_prefix", "")
        self.assertEqual(self.describe(self.dir / "kitchen" / "qk")["transforms"],
                         pictures.vggt_transforms(sizes, 140))


if __name__ == "__main__":
    unittest.main()
