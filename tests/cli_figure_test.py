#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`vggt-attn figure` as its users call it: cli_figure_test.py PROGRAM."""

import csv
import json
import re
import shutil
import unittest
import xml.etree.ElementTree as ElementTree

import numpy as np

from cli_case import Case


def recipe_in(svg):
    metadata = re.search(r"<metadata>(.*?)</metadata>", svg, re.DOTALL)[1]
    return json.loads(ElementTree.fromstring(f"<a>{metadata}</a>").text)


class Figure(Case):
    def setUp(self):
        super().setUp()
        self.folder = self.export("--save_qk", "--precision", "f32", "--save_per_head")

    def recipe(self, name="recipe.json", **keys):
        file = self.dir / name
        file.write_text(json.dumps({"export": self.folder.name, "queries": "2.3", **keys}))
        return file

    def figure(self, extension, **keys):
        """The file that a recipe makes."""
        out = self.dir / f"figure.{extension}"
        self.succeed("figure", self.recipe(**keys), "-o", out, "--overwrite")
        return out

    def test_every_kind_of_file(self):
        for extension, magic in [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("svg", b"<?xml")]:
            file = self.figure(extension)
            self.assertTrue(file.read_bytes().startswith(magic))

    def test_figures_are_as_wide_as_asked(self):
        svg = ElementTree.parse(self.figure("svg", width=85)).getroot()
        self.assertRegex(svg.get("width"), r"^(85(\.0*)?mm|240\.9\d*(pt)?)$")
        header = self.figure("png", width=100, dpi=100).read_bytes()
        self.assertEqual(int.from_bytes(header[16:20], "big"), round(100 / 25.4 * 100))

    def test_a_figure_holds_its_recipe(self):
        text = self.figure("svg", definition="cosine", layer=2).read_text()
        self.assertIn("cosine", text)
        recipe = recipe_in(text)
        self.assertEqual(recipe["queries"], "2.3")
        self.assertEqual(recipe["export"], self.folder.name)
        self.assertNotIn(str(self.dir), text)
        again = self.dir / "again.json"
        again.write_text(json.dumps(recipe))
        self.succeed("figure", again, "-o", self.dir / "again.svg")
        self.assertEqual((self.dir / "again.svg").read_text(), text)

    def test_a_figure_tells_no_path(self):
        other = self.dir / "deep" / self.folder.name
        shutil.copytree(self.folder, other)
        text = self.figure("svg", export=str(self.folder), other=str(other)).read_text()
        self.assertNotIn(str(self.dir), text)
        recipe = recipe_in(text)
        self.assertEqual(recipe["export"], f"{self.dir.name}/out")
        self.assertEqual(recipe["other"], "deep/out")

    def test_nothing_names_the_checkpoint(self):
        for extension in ["svg", "png", "pdf"]:
            self.assertNotIn(b"safetensors", self.figure(extension).read_bytes())

    def test_numbers_are_those_of_a_query(self):
        rows = self.dir / "rows.npy"
        self.succeed("query", self.folder, "--layer", "all", "--head", "all", "--row", 2, "--col",
                     3, "-o", rows)
        numbers = self.figure("npy", definition="model", view="matrix", frame=0)
        np.testing.assert_array_equal(np.load(numbers), np.load(rows)[:, :, :1])
        with open(self.figure("csv", definition="model", layer=1, head=2), newline="") as file:
            table = [row for row in csv.DictReader(file) if row["token"] == "patch"]
        values = np.array([float(row["value"]) for row in table], np.float32)
        np.testing.assert_array_equal(values, np.load(rows)[0, 1].ravel())
        self.assertEqual(table[0]["query"], "2.3")

    def test_two_exports(self):
        other = self.export("--save_qk", "--precision", "bf16", "--save_per_head", out="other")
        for compare in ["side", "difference"]:
            self.figure("png", other=other.name, compare=compare, definition="model")
        difference = np.load(self.figure("npy", other=other.name, compare="difference",
                                         definition="model"))
        np.testing.assert_array_equal(difference[2], difference[0] - difference[1])
        small = self.export("--num_images", 1, out="small")
        self.refuse(1, ["figure", self.recipe(other=small.name, compare="difference"), "-o",
                        self.dir / "x.png"], "recipe.json", "compare: ")

    def test_layers_that_cannot_be_read_are_named(self):
        metadata = self.folder / "attn_maps" / "layer_02_metadata.json"
        metadata.write_text(metadata.read_text().replace('"H_ds": ', '"H_ds": -'))
        for extension in ["csv", "npy", "svg"]:
            out = self.dir / f"left.{extension}"
            told = self.succeed("figure", self.recipe(definition="stored", view="layers"), "-o", out)
            self.assertIn("left out, because they cannot be read: layers 2\n", told.stderr)
            told = self.succeed("figure", self.recipe(definition="stored", layer=1), "-o", out,
                                "--overwrite")
            self.assertEqual(told.stderr, "")

    def test_lines_need_matches(self):
        def drawn(**keys):
            text = self.figure("svg", definition="model", **keys).read_text()
            return re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)

        nothing = drawn(matches=0)
        self.assertEqual(drawn(matches=0, lines=1), nothing)
        self.assertNotEqual(drawn(lines=1), drawn())
        self.assertNotEqual(drawn(), nothing)

    def test_paths_are_those_seen_from_the_recipe(self):
        (self.dir / "recipes").mkdir()
        recipe = self.dir / "recipes" / "one.json"
        recipe.write_text(json.dumps({"export": f"../{self.folder.name}", "queries": ["2.3"]}))
        self.succeed("figure", recipe, "-o", self.dir / "x.pdf")

    def test_what_is_wrong_with_a_recipe(self):
        out = self.dir / "x.png"
        for keys, words in [({"gamma": "nan"}, "gamma: 'nan' is no number"),
                            ({"colour": "jet"}, "colour: is no key"),
                            ({"layer": 99}, "layer: "),
                            ({"queries": ["99.0"]}, "queries: "),
                            ({"queries": []}, "queries: "),
                            ({"queries": {"row": 1}}, "queries: "),
                            ({"definition": "softmax"}, "definition: 'softmax' is none of")]:
            self.refuse(1, ["figure", self.recipe(**keys), "-o", out], "recipe.json", words)
        for text in ["", "[]", "{", '{"export": "a", "export": "b"}']:
            broken = self.write("broken.json", text)
            self.refuse(1, ["figure", broken, "-o", out], "broken.json")
        self.refuse(1, ["figure", self.recipe(export="nowhere"), "-o", out], "nowhere")
        self.refuse(1, ["figure", self.dir / "none.json", "-o", out], "none.json")

    def test_usage(self):
        recipe, out = self.recipe(), self.dir / "x.svg"
        self.refuse(2, ["figure", recipe], "--output")
        self.refuse(2, ["figure", recipe, "-o", self.dir / "x.gif"], "x.gif")
        self.refuse(2, ["figure"], "recipe")
        self.succeed("figure", recipe, "-o", out)
        self.refuse(1, ["figure", recipe, "-o", out], "--overwrite")


if __name__ == "__main__":
    unittest.main()
