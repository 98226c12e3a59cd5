#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/capture_qk.py on a small PyTorch model, against the program's own store:
capture_qk_test.py PROGRAM."""

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

sys.path.insert(0, str(ROOT / "tools"))
import capture_qk  # noqa: E402
import tiny_vggt  # noqa: E402

torch.set_num_threads(1)  # of what is so small, more take longer
GRID = (4, 5)
KINDS = ("global", "frame", "encoder")


class Fused(tiny_vggt.Attention):
    """Rotates without a module, and leaves the rest to PyTorch's fused function."""

    def forward(self, x, pos=None):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.turned:
            q, k = tiny_vggt.Rope().forward(q, pos), tiny_vggt.Rope().forward(k, pos)
        x = torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=0.5)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


def fused_attention(q, k, v, scale):
    return torch.softmax(q @ k.transpose(-2, -1) * scale, -1) @ v


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
        model.load_state_dict(capture_qk.read_safetensors(self.weights))
        return model

    def record(self, model, folder="out", batch=None, **arguments):
        arguments = {"images": self.images, "grid": GRID} | arguments
        with torch.no_grad(), capture_qk.record(model, self.dir / folder, **arguments):
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
        self.assertNotIn("forward", vars(self.model.aggregator.global_blocks[0].attn))
        self.assertEqual(sorted(p.name for p in self.dir.glob(".*")), [])

    def test_chosen_layers_of_one_picture(self):
        folder = self.record(self.model, images=self.images[:1], batch=self.batch[:, :1],
                             capture=("frame", "global"), layers=[2], attends={"global": "causal"},
                             special_tokens={"frame": list("abcde")}, name="one")
        description = self.describe(folder)
        self.assertEqual((description["frames"], description["image_set_name"]), (1, "one"))
        blocks = description["blocks"]
        self.assertEqual([layer["name"] for layer in blocks["global"]["layers"]], ["layer_02"])
        self.assertEqual(blocks["global"]["attends"], "causal")
        self.assertEqual(blocks["frame"]["special_tokens"], list("abcde"))
        self.assertEqual(tensors(folder / "frame_02.safetensors")["k"].shape, (2, 25, 64))

    def test_extras_are_what_the_modules_make(self):
        seen = {}
        block = self.model.aggregator.global_blocks[1]
        hooks = [block.attn.qkv.register_forward_hook(
                     lambda m, i, output: seen.update(qkv=output[0].double().numpy())),
                 block.register_forward_hook(
                     lambda m, i, output: seen.update(x=output[0].double().numpy()))]
        folder = self.record(self.model, order=[2, 0, 1])
        for hook in hooks:
            hook.remove()
        got = tensors(folder / "global_02.safetensors")
        v = seen["qkv"].reshape(75, 3, 2, 64)[:, 2].swapaxes(0, 1)
        weight = block.attn.proj.weight.detach().double().numpy()
        x = seen["x"]
        lengths = np.linalg.norm(x, axis=1)
        expected = {
            "x_norm": lengths,
            "x_unit_sum": (x / lengths[:, None]).reshape(3, 25, 128)[:, 5:].sum(1),
            "v_norm": np.linalg.norm(v, axis=2),
            "wov_norm": [np.linalg.norm(v[h] @ weight[:, 64 * h:64 * h + 64].T, axis=1)
                         for h in range(2)]}
        for name in EXTRAS:  # float16 rounds by up to 2^-11
            np.testing.assert_allclose(got[name], expected[name], rtol=5e-4, atol=1e-5)
        description = self.describe(folder)
        self.assertEqual(description["order"], [2, 0, 1])
        self.assertEqual(description["blocks"]["global"]["channels"], 128)

    def test_what_a_model_lacks_is_left_out(self):
        class Pair(tiny_vggt.Block):
            """Returns something else beside its tokens, which the model leaves."""

            def forward(self, x, pos=None):
                return super().forward(x, pos), None

            def __call__(self, *given):
                return super().__call__(*given)[0]

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
        # What steers the attention is hidden from it: it is the caller who knows.
        with self.assertRaisesRegex(capture_qk.CaptureError, r"global_blocks\.0.*cannot be seen"):
            self.record(self.model)
        attention = self.model.aggregator.global_blocks[1].attn
        del attention.rope
        attention.rope = lambda x, pos: x  # what a function does is not seen
        with self.assertRaisesRegex(capture_qk.CaptureError, "cannot be seen"):
            self.record(self.model, layers=[2])
        attention.rope = None
        folder = self.record(self.model, rope={"global": "none"})
        self.assertEqual(self.describe(folder)["blocks"]["global"]["rope"], {"type": "none"})
        self.assertIn("forward", vars(self.model.aggregator.global_blocks[0].attn))

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

    def test_what_the_fused_function_is_given(self):
        with mock.patch.object(torch.nn.functional, "scaled_dot_product_attention",
                               fused_attention, create=True):
            model = self.build(attention=Fused)
            for turned, expected in ((False, "none"), (True, "applied")):
                Fused.turned = turned
                folder = self.record(model, expected, capture=("global", "frame"))
                for kind in ("global", "frame"):
                    block = self.describe(folder)["blocks"][kind]
                    self.assertEqual((block["rope"], block["scale"]), ({"type": expected}, 0.5))
            self.assertIs(torch.nn.functional.scaled_dot_product_attention, fused_attention)
        a, b = (tensors(self.dir / f / "qk" / "frame_01.safetensors")["q"]
                for f in ("none", "applied"))
        self.assertGreater(np.abs(a[:, 5:] - b[:, 5:]).max(), 0.1)

    def test_half_precision(self):
        model = self.build().bfloat16()
        norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
        self.assertGreater(len(norms), 0)
        with mock.patch.object(torch.nn.functional, "interpolate",
                               lambda x, f=torch.nn.functional.interpolate, **k:
                               f(x.float(), **k).to(x.dtype)), \
                mock.patch.object(tiny_vggt.Rope, "forward",
                                  lambda self, x, p, f=tiny_vggt.Rope.forward:
                                  f(self, x, p).to(x.dtype)):
            folder = self.record(model, batch=self.batch.bfloat16())
        description = self.describe(folder)
        self.assertEqual(description["precision"], "bf16")
        self.assertEqual(description["blocks"]["global"]["rope"]["type"], "2d")

    def refuse(self, pattern, *arguments, **keywords):
        before = self.tree()
        with self.subTest(pattern), self.assertRaisesRegex(capture_qk.CaptureError, pattern):
            self.record(*arguments, **keywords)
        self.assertEqual(self.tree(), before)

    def test_refusals(self):
        model = self.model
        self.refuse("no attention module .*global_blocks.* aggregator.*attn", model,
                    patterns={"global": r"decoder\.(\d+)\.attn"})
        self.refuse("Modules with 'qkv': none", torch.nn.Linear(1, 1))
        self.refuse("capture=.'head'.: expected some of global", model, capture=["head"])
        self.refuse(r"layers=\[3\]: the global blocks are 1, 2", model, layers=[3])
        self.refuse(r"saw 1 sequence of 75 tokens, expected 1 sequence of 2 × \(20 or more\)",
                    model, images=self.images[:2])
        self.refuse("3 pictures of 6×5 patches", model, grid=(6, 5))
        self.refuse("saw 2 sequences of 75 tokens", model, batch=self.batch.repeat(2, 1, 1, 1, 1))
        self.refuse("saw 6 sequences of 25", model, batch=self.batch.repeat(2, 1, 1, 1, 1),
                    capture=["frame"])
        self.refuse("infinite or NaN", model, batch=self.batch * np.nan)
        self.refuse("names 2, but 5 tokens precede", model, special_tokens={"global": ["a", "b"]})
        self.refuse("rope.'global'. is 'twice'", model, rope={"global": "twice"})
        self.refuse(r"order=\[0, 0, 1\]: expected each number from 0 to 2 once", model,
                    order=[0, 0, 1])
        with self.assertRaises(FileNotFoundError):
            self.record(model, images=[self.dir / "none.png"] * 3)
        with torch.no_grad():
            big = self.build()
            big.aggregator.global_blocks[1].attn.k_norm.weight.mul_(1e6)
        self.refuse("global_blocks.1.attn: k holds .*, which float16 cannot hold", big)
        with torch.no_grad():
            big = self.build()
            big.aggregator.global_blocks[1].attn.qkv.weight[256:].mul_(1e5)
        self.refuse("global_blocks.1.attn: v_norm holds .*, which float16 cannot hold", big)
        with self.assertRaisesRegex(capture_qk.CaptureError, "did not run"), capture_qk.record(
                model, self.dir / "out", images=self.images, grid=GRID):
            pass
        with self.assertRaisesRegex(capture_qk.CaptureError, "ran twice"), capture_qk.record(
                model, self.dir / "out", images=self.images, grid=GRID), torch.no_grad():
            model(self.batch)
            model(self.batch)
        self.assertFalse((self.dir / "out").exists())

    def test_overwriting(self):
        self.record(self.model)
        (self.dir / "out" / "old").write_text("")
        self.refuse("out: exists already", self.model)
        self.record(self.model, overwrite=True)
        self.assertFalse((self.dir / "out" / "old").exists())
        self.refuse("seen: holds no recorded", self.model, "seen", overwrite=True)

    def test_picture_sizes(self):
        known = [path for path in (ROOT / "tests" / "golden" / "codec").iterdir()
                 if path.suffix in (".png", ".jpg", ".webp")]
        checked = sum(map(self.check_size, known))
        self.assertGreater(checked, 40)
        for path in (ROOT / "examples" / "demo" / "images").iterdir():
            self.assertEqual(capture_qk.picture_size(path), (780, 520))
        self.assertIsNone(capture_qk.picture_size(self.write("a.gif", b"GIF89a")))

    def check_size(self, path):
        """As the program decodes it."""
        done = self.run_program("preprocess", path, "-o", f"size/{path.name}", "--image_size", 56)
        if done.returncode != 0:
            return False
        with self.subTest(path.name):
            said = done.stdout.split(": ")[-1].split(" -> ")[0]
            self.assertEqual("{}×{}".format(*capture_qk.picture_size(path)), said)
        return True

    def command(self, *arguments):
        """Runs the command with a package vggt that holds the small model."""
        def load_images(paths):
            return self.batch[0, :len(paths)]
        modules = {name: types.ModuleType(name) for name in
                   ("vggt", "vggt.models", "vggt.models.vggt", "vggt.utils", "vggt.utils.load_fn")}
        modules["vggt.models.vggt"].VGGT = tiny_vggt.VGGT
        modules["vggt.utils.load_fn"].load_and_preprocess_images = load_images
        said = io.StringIO()
        with mock.patch.dict(sys.modules, modules), contextlib.redirect_stdout(said), \
                mock.patch.object(sys, "argv", ["capture_qk.py", *map(str, arguments)]), \
                contextlib.chdir(self.dir):
            capture_qk.main()
        return said.getvalue()

    def test_the_command(self):
        torch.save({"model": capture_qk.read_safetensors(self.weights), "epoch": 1},
                   self.dir / "model.pt")
        native = self.native()
        for checkpoint in ("dino.safetensors", "model.pt"):
            said = self.command("--image_dir", "seen", "--checkpoint", checkpoint, "--num_images",
                                3, "--device", "cpu", "--overwrite")
            self.assertIn("wrote attn_first2all_seen", said)
            folder = self.dir / "attn_first2all_seen" / "qk"
            self.assert_near(folder, native, ["global_01.safetensors", "global_02.safetensors"])
            got, expected = self.describe(folder), self.describe(native)
            for key in ("blocks", "transforms", "image_sizes", "image_paths", "sources"):
                self.assertEqual(got[key], expected[key], key)
            self.assertIn(checkpoint, got["model"]["text"])
        with self.assertRaisesRegex(capture_qk.CaptureError, "lacks 1 tensors, such as aggregator"):
            state = capture_qk.read_safetensors(self.weights)
            del state["aggregator.camera_token"]
            torch.save(state, self.dir / "part.pt")
            self.command("--image_dir", "seen", "--checkpoint", "part.pt", "--device", "cpu",
                         "--output", "part")
        done = subprocess.run([sys.executable, ROOT / "tools" / "capture_qk.py", "--image_dir",
                               "seen", "--checkpoint", "model.pt"], cwd=self.dir, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("capture_qk.py: the package vggt cannot be imported", done.stderr)

    def test_the_program_chooses_among_the_models_of_a_training_state(self):
        state = capture_qk.read_safetensors(self.weights)
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
                         capture_qk.vggt_transforms(sizes, 140))


if __name__ == "__main__":
    unittest.main()
