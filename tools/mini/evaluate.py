#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers and pictures for a trained vggt-mini; writes WORK/eval.txt and WORK/kitchen_*.png.

Score: share of the seen patches whose arg-max of head-mean global attention (as exported: softmax
over the patches of all frames, then cut down to the target frame) is at most one patch from the
true patch, row and column; in brackets: the true patch itself. Layers count from 1.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import model as M
from batches import Sets, frames_of, photometric
from data import add_folder_arguments
from model import MEAN, PATCH, SPECIAL, STD

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
import vggt_reference as ref  # noqa: E402

# Row and column of query patches in kitchen/images/00.png: beacon, scoop, wheel, bag, cloth.
POINTS = [(3, 17), (14, 29), (13, 23), (7, 30), (20, 20)]


def load(path):
    weights = M.read_safetensors(path)
    net = M.Aggregator(**M.config_of(weights))
    prefix = len("aggregator.")
    net.load_state_dict({k[prefix:]: torch.from_numpy(v) for k, v in weights.items()})
    return net.eval()


def normalize(frames):
    """uint8 [S, H, W, 3] -> what the model takes, [S, 3, H, W]."""
    return (torch.from_numpy(frames.copy()).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


@torch.no_grad()
def queries_and_keys(net, x):
    """x [S, 3, H, W] normalised -> {layer: (q, k)}, each [h, S*P, d]."""
    layers = range(len(net.global_blocks))
    _, qk = net(x[None], want="qk", layers=layers, finish_last=False)
    return {i: (q[0].float(), k[0].float()) for i, (q, k) in qk.items()}


def attention_maps(net, x):
    """Head-mean attention of frame 0's patches: {layer: [Np, S, Np]}."""
    S, _, H, W = x.shape
    Np = H // PATCH * (W // PATCH)
    out = {}
    for i, qk in queries_and_keys(net, x).items():
        q, k = (t.view(t.shape[0], S, -1, t.shape[-1])[:, :, SPECIAL:] for t in qk)
        mean = 0
        for query, key in zip(q[:, 0], k.flatten(1, 2)):  # head by head: the rows are many
            mean = mean + torch.softmax(query @ key.T * q.shape[-1] ** -0.5, -1) / len(q)
        out[i] = mean.view(Np, S, Np).numpy()
    return out


def raw_matches(x, target, n=4):
    """What raw patches can do: the patch of frame `target` for each of frame 0, by two measures.

    On the n x n lowest DCT coefficients of each colour: distance, and correlation without the mean.
    """
    S, _, H, W = x.shape
    hp, wp = H // PATCH, W // PATCH
    steps = (np.arange(PATCH) + 0.5)[None] * np.arange(n)[:, None]
    basis = np.cos(np.pi * steps / PATCH) / np.sqrt(PATCH / 2)
    basis[0] /= np.sqrt(2)
    p = x.numpy().reshape(S, 3, hp, PATCH, wp, PATCH).transpose(0, 2, 4, 1, 3, 5)
    p = p.reshape(S, hp * wp, 3, PATCH, PATCH)
    d = np.einsum("ui,sncij,vj->sncuv", basis, p, basis).reshape(S, hp * wp, 3, n * n)
    a, b = d[0].reshape(hp * wp, -1), d[target].reshape(hp * wp, -1)
    distance = (a**2).sum(-1)[:, None] + (b**2).sum(-1) - 2 * a @ b.T
    contrast = d[..., 1:].reshape(S, hp * wp, -1)
    contrast = contrast / (np.linalg.norm(contrast, axis=-1, keepdims=True) + 0.3)
    correlation = contrast[0] @ contrast[target].T
    return {"DCT distance": distance.argmin(1), "DCT correlation": correlation.argmax(1)}


class Tally:
    """Collects hits of each layer and of the raw matchers in one frame at a time."""

    def __init__(self):
        self.hits, self.count = {}, 0

    def add(self, maps, x, target, queries, truth):
        """truth [n, 2]: places (x, y), in patches of frame `target`, of the patches `queries`."""
        found = {f"layer {i + 1}": m[:, target].argmax(1) for i, m in maps.items()}
        found |= raw_matches(x, target)
        wp = x.shape[-1] // PATCH
        for name, patches in found.items():
            place = np.stack(np.divmod(patches[queries], wp)[::-1], -1)
            miss = np.abs(place - np.floor(truth)).max(-1)
            self.hits.setdefault(name, []).append(np.stack([miss <= 1, miss == 0]))
        self.count += len(truth)

    def lines(self, title, patches):
        """The report; a hit by chance is 9 in `patches`."""
        if not self.count:
            return
        yield f"{title}: {self.count} patches; chance {9 / patches:.3f}"
        for name, hits in self.hits.items():
            near, exact = np.concatenate(hits, 1).mean(1)
            yield f"    {name:16s} {near:.3f}  ({exact:.3f})"


def score_set(net, work, name, hp, wp, jitter, views=3):
    """jitter: each frame has its own exposure, colours, gamma, blur and noise, as in training."""
    sets = Sets(work, [name])
    img, cor = sets.img[0], sets.cor[0]
    rng_t = torch.Generator().manual_seed(99)
    tally = Tally()
    for n in range(len(img)):
        frames, _, targets = frames_of(img, cor, n, range(views), hp, wp, 1.0)
        x = ((photometric(frames[None], rng_t)[0] if jitter else frames) - MEAN) / STD
        maps = attention_maps(net, x)
        for j in range(1, views):
            truth = targets[0, j]
            seen = np.flatnonzero(~np.isnan(truth[:, 0]))
            tally.add(maps, x, j, seen, truth[seen])
    how = "colours of their own" if jitter else "colours alike"
    return tally.lines(f"{name}, {wp} x {hp} patches, {views} frames, {how}", hp * wp)


def sift_matches(a, b):
    """Sure matches (x, y) of two photos: SIFT, ratio test, epipolar geometry by RANSAC."""
    import cv2  # here, as all else does without it

    sift = cv2.SIFT_create(4000, contrastThreshold=0.02)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (a, b)]
    (points_a, d_a), (points_b, d_b) = (sift.detectAndCompute(g, None) for g in grey)
    nearest = cv2.BFMatcher().knnMatch(d_a, d_b, k=2)
    sure = [p for p, q in nearest if p.distance < 0.75 * q.distance]
    a = np.float32([points_a[p.queryIdx].pt for p in sure])
    b = np.float32([points_b[p.trainIdx].pt for p in sure])
    if len(a) < 15:
        return a[:0], b[:0]
    _, ok = cv2.findFundamentalMat(a, b, cv2.FM_RANSAC, 1.5, 0.999)
    return a[ok.ravel() > 0], b[ok.ravel() > 0]


def score_photos(net, paths, gap):
    """Real photos, up to five frames `gap` apart; truth from SIFT in the first two."""
    tally = Tally()
    patches = 0
    for first in range(0, len(paths) - gap, max(gap, 3)):
        frames = ref.preprocess(paths[first : first + 5 * gap : gap])
        a, b = sift_matches(frames[0], frames[1])
        if len(a) < 10:
            continue
        x = normalize(frames)
        hp, wp = x.shape[-2] // PATCH, x.shape[-1] // PATCH
        patches = hp * wp
        column, row = (a // PATCH).astype(int).clip(0, [wp - 1, hp - 1]).T
        tally.add(attention_maps(net, x), x, 1, row * wp + column, b / PATCH)
    return tally.lines(f"kitchen photos, frames {gap} apart, truth from SIFT", patches)


def overlay(frame, heat):
    """heat [hp, wp] in 0..1, laid over a frame uint8 [H, W, 3]: dark red to white."""
    h, w = frame.shape[:2]
    a = Image.fromarray((heat * 255).astype(np.uint8)).resize((w, h), Image.BILINEAR)
    a = np.asarray(a)[..., None] / 255.0
    colour = np.clip(3 * a - [0, 1, 2], 0, 1) * 255
    return (frame * 0.55 * (1 - a) + colour * a).astype(np.uint8)


def draw_maps(net, paths, stem):
    """One picture a layer, rows: POINTS in the first frame; columns: the frames.

    All cells share one scale, the layer's 99th percentile, as in the export.
    """
    frames = ref.preprocess(paths)
    hp, wp = frames.shape[1] // PATCH, frames.shape[2] // PATCH
    for layer, maps in attention_maps(net, normalize(frames)).items():
        maps = np.clip(maps / np.quantile(maps, 0.99), 0, 1)
        rows = []
        for r, c in POINTS:
            heats = maps[r * wp + c].reshape(-1, hp, wp)
            cells = [overlay(f, m) for f, m in zip(frames, heats)]
            y, x = r * PATCH, c * PATCH
            patch = cells[0][y : y + PATCH, x : x + PATCH].copy()
            cells[0][max(y - 2, 0) : y + PATCH + 2, x - 2 : x + PATCH + 2] = (0, 255, 0)
            cells[0][y : y + PATCH, x : x + PATCH] = patch
            rows.append(np.concatenate(cells, 1))
        sheet = Image.fromarray(np.concatenate(rows))
        sheet.resize((sheet.width * 3 // 5, sheet.height * 3 // 5), Image.LANCZOS).save(
            f"{stem}_layer{layer + 1}.png")


def check_reference(path, net, photos):
    """The saved file in the NumPy specification against this PyTorch model."""
    weights = M.read_safetensors(path)
    shapes = ref.synthetic_shapes(**M.config_of(weights))
    same = {k: v.shape for k, v in weights.items()} == shapes
    frames = ref.preprocess(photos[:2])[:, : 12 * PATCH, : 16 * PATCH]
    mine = queries_and_keys(net, normalize(frames))
    worst = 0.0
    for i, qk in enumerate(ref.Aggregator(weights).global_qk(frames)):
        worst = max(worst, *(np.abs(a - b.numpy()).max() for a, b in zip(qk, mine[i])))
    yield (f"against vggt_reference.py: names and shapes {'equal' if same else 'DIFFER'}, "
           f"largest difference of q and k {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the .safetensors file that train.py wrote")
    add_folder_arguments(parser)
    args = parser.parse_args()
    net = load(args.weights)
    photos = sorted((args.examples / "kitchen" / "images").iterdir())
    parts = [partial(check_reference, args.weights, net, photos)]
    for name in ("test_kitchen", "test_synth"):
        parts += [partial(score_set, net, args.work, name, 18, 24, jitter=True),
                  partial(score_set, net, args.work, name, 18, 24, jitter=False),
                  partial(score_set, net, args.work, name + "_large", 25, 37, jitter=True)]
    parts += [partial(score_photos, net, photos, gap) for gap in (1, 2, 3, 5)]
    with open(args.work / "eval.txt", "w") as out:
        for part in parts:
            for line in part():
                print(line, flush=True)
                print(line, file=out)
    draw_maps(net, photos[:25:5], args.work / "kitchen_wide")
    draw_maps(net, photos[:5], args.work / "kitchen_near")


if __name__ == "__main__":
    main()
