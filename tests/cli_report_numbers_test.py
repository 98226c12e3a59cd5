#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""heads.csv and frames.npz of a report, computed again from stored queries and keys:
cli_report_numbers_test.py PROGRAM."""

import csv
import subprocess
import sys
import unittest

import numpy as np

from cli_case import ROOT, Case
from cli_store_test import describe, load_qk, positions, rotate, softmax


def entropy(a):
    return -(a * np.log(a, where=a > 0, out=np.zeros_like(a))).sum(-1)


def head_numbers(a, before, frames, frame, place, special, cells):
    """The columns of one head, of probabilities [tokens, tokens], and its masses of frames.
    frame, place: of each token, where it stands; the place of a token of no frame is -1."""
    token = np.arange(len(a))
    patch = place >= special
    rows = token[patch]
    same_frame, key_patch = frame[rows, None] == frame, patch[None, :]
    same_cell = (place[rows, None] == place) & ~same_frame
    distance = np.linalg.norm(cells[place[rows, None]] - cells[place], axis=-1)
    a, before = a[rows], before[rows]
    own = a * (same_frame & key_patch)
    numbers = {
        "entropy": entropy(a),
        "effective_keys": np.exp(entropy(a)),
        "top1_mass": a.max(-1),
        "top10_mass": np.sort(a)[:, -10:].sum(-1),
        "special_mass": (a * ~key_patch).sum(-1),
        "own_mass": own.sum(-1),
        "cross_mass": (a * (~same_frame & key_patch)).sum(-1),
        "first_frame_mass": (a * ((frame == 0) & key_patch)).sum(-1),
        "same_cell_mass": (a * same_cell).sum(-1),
        "self_mass": a[np.arange(len(rows)), rows],
        "mean_distance": (own * distance).sum(-1) / own.sum(-1),
        "rope_share": np.abs(a - before).sum(-1) / 2,
    }
    groups = np.stack([a[:, patch & (frame == f)].sum(-1) for f in range(frames)]
                      + [a[:, ~patch].sum(-1)], -1)
    masses = np.stack([groups[frame[rows] == f].mean(0) for f in range(frames)])
    return {name: values.mean() for name, values in numbers.items()}, masses


class ReportNumbers(Case):
    def test_of_an_export(self):
        self.succeed("synth-weights", "--preset", "tiny-dino", "-o", "dino.safetensors")
        folder = self.export("--weights", "dino.safetensors", "--save_qk", "--no_heatmaps",
                             "--capture", "global,frame,encoder")
        self.assertEqual(self.check(folder), 3)

    def test_of_frames_that_look_back(self):
        self.check(self.made("causal"))

    def test_of_tokens_of_no_frame(self):
        self.check(self.made("scene"))

    def made(self, kind):
        subprocess.run([sys.executable, ROOT / "tests" / "make_export.py", self.dir, kind],
                       check=True)
        return self.dir / kind

    def check(self, folder):
        """The numbers follow from the store. Returns how many kinds of blocks it has."""
        self.succeed("report", folder, "--out", "report", "--only", "layers", "--rows", "all")
        data = self.dir / "report" / "data"
        with open(data / "heads.csv", newline="") as file:
            table = {(r["block"], int(r["layer_index"]), int(r["head_index"])): r
                     for r in csv.DictReader(file)}
        frames_npz = np.load(data / "frames.npz")
        description = describe(folder)
        frames = description["frames"]
        seen = 0
        for kind, blocks in description["blocks"].items():
            special = len(blocks["special_tokens"])
            grid = description["grid"]["H_p"], description["grid"]["W_p"]
            cells = np.concatenate([np.zeros((special, 2)),
                                    np.stack(np.mgrid[:grid[0], :grid[1]], -1).reshape(-1, 2)])
            scene = len(blocks.get("scene_tokens", []))
            frame = np.repeat(np.arange(frames), len(cells))
            place = np.concatenate([np.tile(np.arange(len(cells)), frames), np.full(scene, -1)])
            hidden = {"frame": frame[:, None] != frame, "causal": frame[:, None] < frame,
                      "all": False}[blocks["attends"]]
            frame = np.concatenate([frame, np.full(scene, frames)])
            for at, layer in enumerate(blocks["layers"]):
                q, k = (x.astype(np.float64) for x in load_qk(folder / "qk" / layer["file"]))

                def attention(q, k):
                    return softmax(np.where(hidden, -np.inf, q @ k.swapaxes(-1, -2)
                                            * blocks["scale"]))

                a = before = attention(q, k)
                if blocks["rope"]["type"] == "2d":
                    yx, base = positions(description, blocks), blocks["rope"]["base"]
                    a = attention(rotate(q, yx, base), rotate(k, yx, base))
                for head in range(blocks["heads"]):
                    row = table[kind, layer["index"], head]
                    self.assertEqual((int(row["layer"]), int(row["head"])),
                                     (layer["index"] + 1, head + 1))
                    numbers, masses = head_numbers(a[head], before[head], frames, frame, place,
                                                   special, cells)
                    for name, value in numbers.items():
                        # Logits are float32 sums: a relative 1e-5 of probabilities.
                        np.testing.assert_allclose(float(row[name]), value, 1e-5, 1e-7,
                                                   err_msg=f"{kind} {layer['name']} {head} {name}")
                    np.testing.assert_allclose(frames_npz[kind][at, head], masses, 1e-5, 1e-7)
                    seen += 1
        self.assertEqual(seen, len(table))
        return len(description["blocks"])


if __name__ == "__main__":
    unittest.main()
