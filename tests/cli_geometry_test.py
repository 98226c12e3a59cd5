#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `export --geometry` writes, read as docs/formats.md tells: cli_geometry_test.py PROGRAM."""

import json
import unittest

import numpy as np

from cli_case import Case


class Geometry(Case):
    def setUp(self):
        super().setUp()
        self.succeed("synth-weights", "--preset", "tiny-conv", "--heads", "-o", "heads")

    def predict(self, *arguments, out="out"):
        return self.export("--weights", "heads", "--precision", "f32", "--geometry", *arguments, out=out)

    def test_predictions_have_the_originals_names_and_shapes(self):
        folder = self.predict("--geometry_points")
        predictions = np.load(folder / "geometry" / "predictions.npz")
        # Four pictures of 70×56 become frames of 56×42.
        shapes = {"pose_enc": (4, 9), "pose_enc_list": (4, 4, 9), "extrinsic": (4, 3, 4),
                  "intrinsic": (4, 3, 3), "depth": (4, 42, 56), "depth_conf": (4, 42, 56),
                  "world_points": (4, 42, 56, 3), "world_points_conf": (4, 42, 56)}
        self.assertEqual({name: values.shape for name, values in predictions.items()}, shapes)
        for name, values in predictions.items():
            self.assertEqual(values.dtype, np.float32, name)
            self.assertTrue(np.isfinite(values).all(), name)
        self.assertTrue((predictions["depth"] > 0).all())
        self.assertTrue((predictions["depth_conf"] > 1).all())

    def test_the_folder_says_the_same_of_the_pictures_as_they_are_stored(self):
        folder = self.predict() / "geometry"
        predictions = np.load(folder / "predictions.npz")
        described = json.loads((folder / "cameras.json").read_text())
        self.assertEqual(described["source"], "predicted by VGGT architecture")
        self.assertNotIn("world_points", predictions)
        for i, frame in enumerate(described["frames"]):
            depth = np.load(folder / f"frame_{i:02}.npz")
            np.testing.assert_array_equal(depth["depth"], predictions["depth"][i])
            np.testing.assert_array_equal(depth["confidence"], predictions["depth_conf"][i])
            extrinsic = predictions["extrinsic"][i]
            np.testing.assert_allclose(frame["R"], extrinsic[:, :3], atol=1e-5)
            np.testing.assert_allclose(frame["t"], extrinsic[:, 3], atol=1e-6)
            # 70 columns have become 56; rows were scaled by 42 / 56, the size nearest to that.
            focal = predictions["intrinsic"][i, 0, 0]
            np.testing.assert_allclose(frame["K"][0][0], focal * 70 / 56, rtol=1e-5)

    def test_all_layers_run_whatever_maps_are_wanted(self):
        usual = np.load(self.predict() / "geometry" / "predictions.npz")
        for number, few in enumerate((["--layers", "1"], ["--no_heatmaps", "--save_qk"])):
            other = np.load(self.predict(*few, out=f"few{number}") / "geometry" / "predictions.npz")
            for name, values in usual.items():
                np.testing.assert_array_equal(other[name], values)

    def test_the_lens_ends_at_what_is_predicted(self):
        folder = self.predict("--layers_lens", "1-3") / "geometry"
        usual = np.load(folder / "predictions.npz")
        lens = [np.load(folder / f"lens_layer_{layer:02}.npz") for layer in (1, 2, 3)]
        for name, values in usual.items():
            np.testing.assert_array_equal(lens[2][name], values)
        self.assertFalse(np.array_equal(lens[0]["depth"], lens[1]["depth"]))

    def test_threads_do_not_matter(self):
        one, two = (np.load(self.predict("--threads", n, out=f"threads{n}") / "geometry" / "predictions.npz")
                    for n in (1, 2))
        for name, values in one.items():
            np.testing.assert_array_equal(two[name], values)

    def test_the_summary_tells_of_it(self):
        arguments = ["export", "--image_dir", "pictures", "--weights", "heads", "--image_size", 56,
                     "--geometry"]
        said = self.succeed(*arguments)
        self.assertIn("\ngeometry: 4 cameras, 4 depth maps, ", said.stdout)
        self.assertIn("predicting cameras and depth", said.stderr)
        report = json.loads(self.succeed(*arguments, "--overwrite", "--json").stdout)
        self.assertEqual((report["geometry"]["cameras"], report["geometry"]["depth_maps"]), (4, 4))
        self.assertGreater(report["prediction_flops"], 1e6)
        self.assertGreater(report["seconds"]["predict"], 0)

    def test_inspect_names_heads(self):
        said = self.succeed("inspect", "heads").stdout
        self.assertIn("  head      camera_head: 69 tensors, all found\n", said)
        self.assertIn("  head      depth_head: 62 tensors, all found\n", said)
        self.assertIn("  head      point_head: 62 tensors, all found\n", said)
        self.assertNotIn("ignored", said)

    def test_what_cannot_be_is_refused(self):
        export = ["export", "--image_dir", "pictures", "--output_dir_prefix", ""]
        self.refuse(1, [*export, "--weights", self.tiny, "--geometry"],
                    "the checkpoint has no camera_head: no tensor is named camera_head.")
        self.refuse(2, [*export, "--geometry_points"], "--geometry_points requires --geometry")
        self.refuse(2, [*export, "--layers_lens", "1"], "--layers_lens requires --geometry")
        heads = [*export, "--weights", "heads", "--geometry", "--geometry_layers"]
        self.refuse(2, [*heads, "1,2,3"], "names 3 layers where four are needed")
        self.refuse(1, [*heads, "1-4"],
                    "--geometry_layers: there is no layer 4 in this model, which has 1 to 3")
        self.assertFalse((self.dir / "kitchen").exists())


if __name__ == "__main__":
    unittest.main()
