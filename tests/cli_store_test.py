#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `export --save_qk` writes, read as docs/formats.md tells: cli_store_test.py PROGRAM."""

import json
import re
import subprocess
import unittest

import numpy as np

from cli_case import PROGRAM, ROOT, Case, load, noise, png, read_safetensors

CAMERA = ["camera", "register_1", "register_2", "register_3", "register_4"]


def load_qk(path):
    """q and k of a layer as float32 [heads, tokens, channels]."""
    out = []
    for name in "qk":
        dtype, shape, data = read_safetensors(path)[name]
        assert dtype == "F16"
        out.append(np.frombuffer(data, "<f2").reshape(shape).astype(np.float32))
    return out


def describe(folder):
    return json.loads((folder / "qk" / "attention.json").read_text())


def positions(description, blocks):
    """[tokens, 2] of all frames, and of the tokens of none."""
    rows, columns = description["grid"]["H_p"], description["grid"]["W_p"]
    cells = np.stack(np.mgrid[:rows, :columns], -1).reshape(-1, 2) + blocks["rope"]["first_patch"]
    frame = np.concatenate([np.zeros((len(blocks["special_tokens"]), 2)), cells])
    scene = np.zeros((len(blocks.get("scene_tokens", [])), 2))
    return np.concatenate([np.tile(frame, (description["frames"], 1)), scene])


def rotate(x, yx, base):
    quarter = x.shape[-1] // 4
    frequencies = base ** (-np.arange(quarter) / quarter)
    out = []
    for axis, half in enumerate(np.split(x, 2, -1)):
        angle = yx[:, axis, None] * frequencies
        a, b = half[..., :quarter], half[..., quarter:]
        out += [a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)]
    return np.concatenate(out, -1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Store(Case):
    def export_qk(self, *arguments, out="out"):
        return self.export("--save_qk", "--precision", "f32", *arguments, out=out)

    def check_against_maps(self, folder, layer):
        """The classic export follows from the store, but for what float16 loses."""
        metadata, levels = load(folder, layer)
        description = describe(folder)
        blocks = description["blocks"]["global"]
        entry = next(e for e in blocks["layers"] if e["index"] == layer - 1)
        yx = positions(description, blocks)
        q, k = (rotate(x, yx, blocks["rope"]["base"])
                for x in load_qk(folder / "qk" / entry["file"]))
        frames, rows, columns = metadata["S"], metadata["H_p"], metadata["W_p"]
        special = len(blocks["special_tokens"])
        self.assertEqual(q.shape, (blocks["heads"], frames * (special + rows * columns),
                                   blocks["head_dim"]))
        cells = np.arange(rows * columns).reshape(rows, columns)
        cells = special + cells[::metadata["stride_h"], ::metadata["stride_w"]].ravel()
        keys = np.concatenate([cells + f * (special + rows * columns) for f in range(frames)])
        p = softmax(q[:, cells] @ k[:, keys].swapaxes(-1, -2) * blocks["scale"])  # [h, q, keys]
        if metadata["per_head_data"]:
            p, vmax = p.swapaxes(0, 1), np.array(metadata["per_head_vmax99"])[:, None]
        else:
            p, vmax = p.mean(0), metadata["layer_vmax99"]
        expected = np.clip(p / (vmax + 1e-8), 0, 1) * 255
        off = np.abs(expected.reshape(levels.shape) - levels)
        # Half a level is rounding; the largest p lie near vmax, errors are 2^-11 of q and k.
        self.assertLess(off.max(), 2)
        self.assertLess((off > 0.55).mean(), 1e-2)

    def test_every_byte(self):
        folder = self.export_qk("--save_per_head")
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["attn_maps", "images", "qk"])
        names = [f"global_{i:02}.safetensors" for i in (1, 2, 3)]
        self.assertEqual(sorted(p.name for p in (folder / "qk").iterdir()),
                         ["attention.json", *names])
        description = describe(folder)
        self.assertEqual(list(description), [
            "format", "format_version", "generator", "image_set_name", "model", "precision",
            "frames", "grid", "image_paths", "image_sizes", "transforms", "sources", "order",
            "blocks"])
        metadata, _ = load(folder, 1)
        for key in ("generator", "model", "precision", "image_paths", "image_sizes", "transforms",
                    "sources"):
            self.assertEqual(description[key], metadata[key], key)
        self.assertEqual((description["format"], description["format_version"]),
                         ("vggt-attn-qk", 2))
        self.assertEqual((description["image_set_name"], description["frames"]), ("out", 4))
        self.assertEqual(description["grid"], {"H_p": 3, "W_p": 4})
        self.assertEqual(description["blocks"], {"global": {
            "heads": 4, "head_dim": 16, "scale": 0.25, "special_tokens": CAMERA, "attends": "all",
            "rope": {"type": "2d", "base": 100, "first_patch": 1}, "channels": 64,
            "layers": [{"index": i, "name": f"layer_{i + 1:02}", "file": name,
                        "extras": ["x_norm", "x_unit_sum", "v_norm", "wov_norm"]}
                       for i, name in enumerate(names)]}})
        self.assertEqual(description["order"], [0, 1, 2, 3])
        file = (folder / "qk" / names[0]).read_bytes()
        size = int.from_bytes(file[:8], "little")
        values = 4 * 4 * 17 * 16
        self.assertEqual(size % 8, 0)
        self.assertEqual(json.loads(file[8:8 + size]), {
            "q": {"dtype": "F16", "shape": [4, 68, 16], "data_offsets": [0, 2 * values]},
            "k": {"dtype": "F16", "shape": [4, 68, 16], "data_offsets": [2 * values, 4 * values]},
            **{name: {"dtype": dtype, "shape": shape,
                      "data_offsets": [4 * values + begin, 4 * values + end]}
               for name, dtype, shape, begin, end in (
                   ("x_norm", "F32", [68], 0, 272),
                   ("x_unit_sum", "F32", [4, 64], 272, 1296),
                   ("v_norm", "F16", [4, 68], 1296, 1840),
                   ("wov_norm", "F16", [4, 68], 1840, 2384))}})
        self.assertEqual(len(file), 8 + size + 4 * values + 2384)
        for layer in (1, 2, 3):
            self.check_against_maps(folder, layer)

    def test_the_documentation_reads_it(self):
        folder = self.export_qk("--no_heatmaps")
        text = (ROOT / "docs" / "formats.md").read_text()
        code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
                    if block.startswith("import json, pathlib"))
        path = folder / "qk" / "global_02.safetensors"
        names = {}
        exec(code.replace("attn_first2all_kitchen/qk/global_12.safetensors", str(path)), names)
        for name, expected in zip("qk", load_qk(path)):
            np.testing.assert_array_equal(names[name].astype(np.float32), expected)

    def test_the_documentation_reads_extras(self):
        """Its snippet, with a reader of safetensors files in place of the library's."""
        folder = self.export_qk("--no_heatmaps")
        text = (ROOT / "docs" / "formats.md").read_text()
        code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
                    if "x_unit_sum" in block)
        path = folder / "qk" / "global_02.safetensors"
        types = {"F16": "<f2", "F32": "<f4"}
        tensors = {name: np.frombuffer(data, types[dtype]).reshape(shape)
                   for name, (dtype, shape, data) in read_safetensors(path).items()}
        names = {"np": np, "load_file": lambda _: tensors}
        exec(code.replace("25 * 37", "3 * 4"), names)
        self.assertEqual(names["cosine"].shape, (4, 4))
        self.assertTrue((np.abs(names["cosine"]) < 1).all())
        self.assertGreater(names["cosine"].min(), -1)
        self.assertTrue((tensors["v_norm"] > 0).all() and (tensors["x_norm"] > 0).all())
        self.assertEqual(names["silent"].shape, (4, 68))

    def test_the_order_is_that_of_the_pictures(self):
        folder = self.export_qk("--no_heatmaps", "--first_image_idx", 2)
        self.assertEqual(describe(folder)["order"], [2, 0, 1, 3])

    def test_a_store_of_version_1_is_read(self):
        """As releases wrote it up to 0.1."""
        folder = self.export_qk("--no_heatmaps")
        ask = ("query", folder, "--row", 1, "--col", 1, "-o", "row.npy")
        self.succeed(*ask)
        answer = (self.dir / "row.npy").read_bytes()
        description = describe(folder)
        description["format_version"] = 1
        del description["order"], description["blocks"]["global"]["channels"]
        for layer in description["blocks"]["global"]["layers"]:
            del layer["extras"]
            path = folder / "qk" / layer["file"]
            kept = {name: entry for name, entry in read_safetensors(path).items() if name in "qk"}
            header, at = {}, 0
            for name, (dtype, shape, data) in kept.items():
                header[name] = {"dtype": dtype, "shape": shape,
                                "data_offsets": [at, at + len(data)]}
                at += len(data)
            text = json.dumps(header).encode()
            text += b" " * (-len(text) % 8)
            path.write_bytes(len(text).to_bytes(8, "little") + text
                             + b"".join(data for _, _, data in kept.values()))
        (folder / "qk" / "attention.json").write_text(json.dumps(description))
        (self.dir / "row.npy").unlink()
        self.succeed(*ask)
        self.assertEqual((self.dir / "row.npy").read_bytes(), answer)
        said = self.succeed("inspect", folder).stdout
        self.assertIn("queries and keys of 3 global blocks", said)
        self.assertNotIn("x_norm", said)

    def test_without_maps_it_is_the_same(self):
        both, alone = self.export_qk(out="both"), self.export_qk("--no_heatmaps", out="alone")
        self.assertEqual(sorted(p.name for p in alone.iterdir()), ["images", "qk"])
        self.assertEqual(sorted(p.name for p in (alone / "images").iterdir()),
                         sorted(p.name for p in (both / "images").iterdir()))
        for path in (alone / "qk").glob("*.safetensors"):
            self.assertEqual(path.read_bytes(), (both / "qk" / path.name).read_bytes())
        self.assertEqual(describe(alone), describe(both) | {"image_set_name": "alone"})
        # Watching changes no map.
        plain = self.export("--precision", "f32", out="plain")
        np.testing.assert_array_equal(load(plain, 3)[1], load(both, 3)[1])

    def test_an_export_without_maps_is_replaced_only_when_asked(self):
        folder = self.export_qk("--no_heatmaps")
        self.refuse(1, ["export", "--image_dir", "pictures", "--output_dir_prefix", "",
                        "--image_set_name", "out"], "out: exists already. Use --overwrite")
        before = {p.relative_to(folder) for p in folder.rglob("*")}
        self.export_qk("--no_heatmaps", "--overwrite", "--layers", 2)
        after = {p.relative_to(folder) for p in folder.rglob("*")}
        self.assertEqual({p.name for p in before - after},
                         {"global_01.safetensors", "global_03.safetensors"})
        self.assertEqual(after - before, set())

    def test_other_blocks(self):
        dino = self.dir / "dino.safetensors"
        subprocess.run([PROGRAM, "synth-weights", "--preset", "tiny-dino", "-o", dino], check=True,
                       capture_output=True)
        folder = self.export_qk("--weights", dino, "--capture", "encoder,frame,global",
                                "--layers", 2)
        blocks = describe(folder)["blocks"]
        self.assertEqual(list(blocks), ["global", "frame", "encoder"])
        self.assertEqual([[layer["file"] for layer in b["layers"]] for b in blocks.values()],
                         [["global_02.safetensors"], ["frame_02.safetensors"],
                          ["encoder_01.safetensors", "encoder_02.safetensors"]])
        self.assertEqual([b["attends"] for b in blocks.values()], ["all", "frame", "frame"])
        self.assertEqual(blocks["frame"]["rope"], {"type": "2d", "base": 100, "first_patch": 1})
        self.assertEqual(blocks["encoder"]["rope"], {"type": "none"})
        self.assertEqual(blocks["encoder"]["special_tokens"], ["cls", *CAMERA[1:]])
        self.check_against_maps(folder, 2)
        # Only what is asked for: the encoder alone needs no other block.
        report = json.loads(self.succeed(
            "export", "--image_dir", "pictures", "--weights", dino, "--image_size", 56, "--json",
            "--precision", "f32", "--save_qk", "--no_heatmaps", "--capture", "encoder").stdout)
        self.assertEqual(report["qk"]["blocks"], {"encoder": 2})
        alone = self.dir / report["output"]
        for path in (alone / "qk").glob("*.safetensors"):
            self.assertEqual(path.read_bytes(), (folder / "qk" / path.name).read_bytes())
        self.assertEqual(len(list((alone / "qk").iterdir())), 3)

    def test_strides_leave_the_store_whole(self):
        whole, some = self.export_qk(out="whole"), self.export_qk("--stride_h", 2, "--stride_w", 3)
        for path in (whole / "qk").glob("*.safetensors"):
            self.assertEqual(path.read_bytes(), (some / "qk" / path.name).read_bytes())
        self.assertEqual(load(some, 1)[0]["W_ds"], 2)
        self.check_against_maps(some, 2)

    def test_one_picture_tall_pictures_and_padding(self):
        self.check_against_maps(self.export_qk("--num_images", 1, out="one"), 3)
        for i, (width, height) in enumerate([(70, 200), (70, 56), (56, 56)]):
            self.write(f"mixed/{i}.png", png(noise(width, height, seed=i)))
        folder = self.export_qk("--image_dir", "mixed", out="mixed_out")
        description = describe(folder)
        self.assertEqual(description["grid"], {"H_p": 4, "W_p": 4})
        self.assertEqual([t["crop_top"] for t in description["transforms"]], [49, 0, 0])
        self.assertEqual([t["pad_top"] for t in description["transforms"]], [0, 7, 0])
        self.check_against_maps(folder, 1)

    def test_what_is_said(self):
        common = ["export", "--image_dir", "pictures", "--weights", self.tiny, "--image_size", 56,
                  "--save_qk", "--overwrite"]
        said = self.succeed(*common, "--capture", "global,frame").stdout
        self.assertIn(": 3 layers, mean of 4 heads, 4 pictures", said)
        self.assertIn("queries and keys: 3 global, 3 frame blocks, ", said)
        said = self.succeed(*common, "--no_heatmaps").stdout
        self.assertIn(": 3 layers, 4 pictures", said)
        report = json.loads(self.succeed(*common, "--json").stdout)
        folder = self.dir / report["output"]
        self.assertEqual((report["heatmaps"], report["qk"]["blocks"]), (True, {"global": 3}))
        self.assertEqual(report["qk"]["bytes"],
                         sum(p.stat().st_size for p in (folder / "qk").iterdir()))
        self.assertEqual(report["bytes_written"],
                         sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()))
        report = json.loads(self.succeed(*common[:-2], "--overwrite", "--json").stdout)
        self.assertIsNone(report["qk"])

    def test_inspect(self):
        both = self.export_qk("--capture", "global,frame", out="both")
        said = self.succeed("inspect", both).stdout
        self.assertIn("both/attn_maps: attention maps of 'both'\n", said)
        for kind in ("global", "frame"):
            self.assertRegex(said, rf"  store     queries and keys of 3 {kind} blocks: 4 heads of "
                                   r"16, RoPE 2d, \d+\.?\d* kB\n")
        self.assertIn("layer_03, 99th percentile", said)
        alone = self.export_qk("--no_heatmaps", "--layers", 2, out="alone")
        for path in (alone, alone / "qk"):
            said = self.succeed("inspect", path).stdout
            self.assertIn("alone/qk: queries and keys of 'alone'\n", said)
            self.assertIn("queries and keys of 1 global block: ", said)
            self.assertNotIn("percentile", said)
        (alone / "qk" / "global_02.safetensors").unlink()
        self.assertIn("RoPE 2d, files are missing\n", self.succeed("inspect", alone).stdout)

    def test_refusals(self):
        export = "See 'vggt-attn export --help'."
        self.refuse_export(2, ["--no_heatmaps"], f"--no_heatmaps requires --save_qk. {export}")
        self.refuse_export(2, ["--capture", "frame"], f"--capture requires --save_qk. {export}")
        for value, word in (("globl", "globl"), ("global;frame", "global;frame"), ("", ""),
                            ("global,", ""), ("frame,head", "head")):
            self.refuse_export(2, ["--save_qk", f"--capture={value}"],
                               f"--capture: '{word}' is none of global, frame, encoder. {export}")
        self.refuse_export(1, ["--save_qk", "--capture", "encoder"],
                           "--capture encoder: this model's encoder is a bare convolution")
        self.refuse_export(1, ["--save_qk", "--no_heatmaps", "--layers", 4], "1 to 3")


if __name__ == "__main__":
    unittest.main()
