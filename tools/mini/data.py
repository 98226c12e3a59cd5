#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training data for vggt-mini: triples of views with dense correspondences.

    data.py fetch   unpacks photo packages from Debian (apt-get download)
    data.py make    ray-casts the scenes and flow-matches the photo sequences

Three sources, one format:
  * ray-cast scenes: rooms with a laid table, floating clutter, photo walls with cut-outs before
    them, textured with photos and procedural patterns; their matches are exact;
  * the same with held-out textures, and walls of kitchen photos (both for evaluation only);
  * photo sequences (llff_fern, llff_flower), matched by DIS optical flow, checked both ways.

A set NAME is two arrays: NAME_img.npy  uint8 [N, 3 views, H, W, 3]
                          NAME_cor.npy  int16 [N, 6 ordered pairs, H/2, W/2, 2]
Entry (y, x) of pair (i, j), see scenes.pair, is where pixel (2y, 2x) of view i lies in view j, as
(x, y) in 1/16 px, or scenes.HIDDEN.
"""

import argparse
import multiprocessing
import time
from pathlib import Path

import numpy as np
from PIL import Image

from scenes import HIDDEN, PAIRS, build_raycaster, make_triple, pack_matches
from textures import build_bank, fetch

SMALL, LARGE = (336, 252), (518, 350)  # width, height
# name: number of triples, size, textures, photo walls only, seed
SCENES = {
    "test_synth": (60, SMALL, "test", False, 101),
    "test_synth_large": (16, LARGE, "test", False, 102),
    "test_kitchen": (40, SMALL, "kitchen", True, 103),
    "test_kitchen_large": (16, LARGE, "kitchen", True, 104),
    "train": (5000, SMALL, "train", False, 1),
    "train_large": (400, LARGE, "train", False, 2),
}
# name: number of triples, size, folder of the examples, seed
SEQUENCES = {
    "fern": (120, SMALL, "llff_fern", 1),
    "flower": (120, SMALL, "llff_flower", 2),
    "fern_large": (40, LARGE, "llff_fern", 3),
    "flower_large": (40, LARGE, "llff_flower", 4),
}


def add_folder_arguments(parser):
    """--work and --examples, alike in all programs here."""
    root = Path(__file__).resolve().parents[2]
    parser.add_argument("--work", type=Path, default=root / "build-mini",
                        help="folder of everything that is made (default: build-mini/)")
    parser.add_argument("--examples", type=Path, default=root / "examples",
                        help="the VGGT repository's examples/: kitchen/, llff_fern/ … "
                             "(default: examples/ here)")


def open_set(work, name, mode="r"):
    return [np.load(work / "sets" / f"{name}_{k}.npy", mmap_mode=mode) for k in ("img", "cor")]


def allocate(work, name, n, size):
    w, h = size
    (work / "sets").mkdir(parents=True, exist_ok=True)
    shapes = {"img": ((n, 3, h, w, 3), np.uint8), "cor": ((n, 6, h // 2, w // 2, 2), np.int16)}
    for k, (shape, dtype) in shapes.items():
        np.lib.format.open_memmap(work / "sets" / f"{name}_{k}.npy", "w+", dtype, shape).flush()


class SceneMaker:
    """Fills triple n of a set, in worker processes that share the textures through fork."""

    def __init__(self, work, name, textures, library):
        _, self.size, _, self.wall_only, self.seed = SCENES[name]
        self.work, self.name, self.textures, self.photo_library = work, name, textures, library

    def __call__(self, n):
        img, cor = open_set(self.work, self.name, "r+")
        rng = np.random.default_rng([self.seed, n])
        img[n], cor[n] = make_triple(rng, *self.textures, self.photo_library, *self.size,
                                         self.wall_only)


_maker = None  # the workers' SceneMaker: set before the fork, as it is too large to send


def _fill(n):
    _maker(n)


def make_scenes(work, name, n, textures, library):
    global _maker
    start = time.time()
    allocate(work, name, n, SCENES[name][1])
    _maker = SceneMaker(work, name, textures, library)
    with multiprocessing.get_context("fork").Pool() as pool:
        for _ in pool.imap_unordered(_fill, range(n), chunksize=20):
            pass
    print(f"{name}: {n} triples, {time.time() - start:.0f} s", flush=True)


def read_sequence(folder, size):
    """The folder's pictures as uint8 [H, W, 3], width scaled, height cropped or padded."""
    w, h = size
    frames = []
    for path in sorted(folder.glob("images/*")):
        img = Image.open(path).convert("RGB")
        full = round(img.height * w / img.width)
        a = np.asarray(img.resize((w, full), Image.BICUBIC))
        if full >= h:
            top = (full - h) // 2
            frames.append(a[top : top + h])
        else:
            frames.append(np.pad(a, ((0, h - full), (0, 0), (0, 0)), mode="edge"))
    return frames


class FlowMatcher:
    def __init__(self, frames):
        import cv2  # here, as the ray-cast sets do without it

        self.cv2, self.cache = cv2, {}
        self.grey = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames]
        self.dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def flow(self, a, b):
        if (a, b) not in self.cache:
            self.cache[a, b] = self.dis.calc(self.grey[a], self.grey[b], None)
        return self.cache[a, b]

    def match(self, a, b):
        """Matches in frame b of frame a's every second row and column, if the way back agrees."""
        forward, backward = self.flow(a, b), self.flow(b, a)
        h, w = forward.shape[:2]
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        u, v = x + forward[..., 0], y + forward[..., 1]
        back = self.cv2.remap(backward, u, v, self.cv2.INTER_LINEAR, borderValue=(1e4, 1e4))
        ok = np.hypot(*(back + forward).transpose(2, 0, 1)) < 1.2
        ok &= (u > 0) & (v > 0) & (u < w) & (v < h)
        return pack_matches(u + 0.5, v + 0.5, ok)[::2, ::2]


def make_sequence(work, examples, name, n):
    """Triples of neighbouring photos of a sequence."""
    _, size, folder, seed = SEQUENCES[name]
    rng = np.random.default_rng(seed)
    frames = read_sequence(examples / folder, size)
    if len(frames) < 3:
        raise SystemExit(f"{examples / folder}/images: {len(frames)} pictures, 3 or more needed")
    matcher = FlowMatcher(frames)
    allocate(work, name, n, size)
    img, cor = open_set(work, name, "r+")
    done = 0
    for _ in range(1000 * n):
        first = int(rng.integers(len(frames)))
        steps = np.concatenate([[0], rng.permutation(np.arange(1, 6))[:2]])
        triple = (first + steps) % len(frames)
        if np.ptp(triple) > 6 or len(set(triple)) < 3:
            continue
        rng.shuffle(triple)
        matches = np.stack([matcher.match(triple[i], triple[j]) for i, j in PAIRS])
        if (matches[..., 0] != HIDDEN).mean((1, 2)).min() < 0.3:
            continue
        img[done], cor[done] = np.stack([frames[i] for i in triple]), matches
        done += 1
        if done == n:
            print(f"{name}: {n} triples", flush=True)
            return
    raise SystemExit(f"{examples / folder}: its pictures share too little to be matched")


def make(work, examples, scale):
    work.mkdir(parents=True, exist_ok=True)
    library = build_raycaster(work)
    for kind in ("test", "kitchen", "train"):
        textures = build_bank(kind, work, examples)
        print(f"{kind}: {[len(i) for i in textures[1]]} photos, patterns, cut-outs", flush=True)
        for name, (n, _, textures_of, _, _) in SCENES.items():
            if textures_of == kind:
                make_scenes(work, name, max(2, round(n * scale)), textures, library)
    for name, (n, *_) in SEQUENCES.items():
        make_sequence(work, examples, name, max(2, round(n * scale)))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["fetch", "make"])
    parser.add_argument("--scale", type=float, default=1.0, help="size of all sets (default: 1)")
    add_folder_arguments(parser)
    args = parser.parse_args()
    if args.task == "fetch":
        fetch(args.work)
    else:
        make(args.work, args.examples, args.scale)


if __name__ == "__main__":
    main()
