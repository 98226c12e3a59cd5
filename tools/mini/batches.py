# SPDX-License-Identifier: Apache-2.0
"""Batches for train.py: windows of the stored triples, with what a camera and a hand do to them."""

import numpy as np
import torch
import torch.nn.functional as F

from data import open_set
from model import MEAN, PATCH, STD
from scenes import HIDDEN, pair


class Sets:
    def __init__(self, work, names):
        self.img, self.cor = zip(*(open_set(work, n) for n in names))

    def draw(self, rng, shares):
        """(pictures, matches, number of a triple) of a set chosen with probability `shares`."""
        k = int(rng.choice(len(self.img), p=shares))
        return self.img[k], self.cor[k], int(rng.integers(len(self.img[k])))


def stored_matches(cor, n, i, j, x, y):
    """Places in view j of view i's pixels (x, y): [N, 2] in 1/16 px, or HIDDEN."""
    h, w = cor.shape[2:4]
    row, column = np.clip(y / 2, 0, h - 1).astype(int), np.clip(x / 2, 0, w - 1).astype(int)
    return np.asarray(cor[n, pair(i, j)])[row, column].astype(np.float32)


def place_windows(img, cor, n, views, size, centres, cell, rng):
    """Top left corners (x, y) of windows of `size` (w, h): without rng in the middle of each view;
    else the first at random and the others about its matches."""
    room = np.array([img.shape[3] - size[0], img.shape[2] - size[1]], float)
    corners = []
    for s, view in enumerate(views):
        if rng is None:
            o = room / 2
        elif s == 0:
            o = rng.uniform(0, 1, 2) * room
        else:
            c = stored_matches(cor, n, views[0], view, *(corners[0] + centres).T)
            c = c[c[:, 0] != HIDDEN] / 16
            if len(c) > 8:
                o = np.median(c, 0) - np.array(size) / 2 + rng.normal(size=2) * cell * 1.5
            else:
                o = rng.uniform(0, 1, 2) * room
        corners.append(np.clip(np.floor(o), 0, room))
    return corners


def frames_of(img, cor, n, views, hp, wp, zoom, rng=None, flip=False):
    """Windows of hp x wp patches, each zoom * 14 stored pixels wide, cut from `views` of triple n.

    Returns frames [S, 3, H, W] in 0..1, offsets [S, 2] of the windows in patches (row, column) and
    targets [S, S, Np, 2]: the place (x, y), in patches of frame j's window, of each patch centre of
    frame i; NaN where it is hidden or outside.
    """
    S, cell = len(views), PATCH * zoom
    w, h = round(wp * cell), round(hp * cell)
    cx, cy = np.meshgrid((np.arange(wp) + 0.5) * cell, (np.arange(hp) + 0.5) * cell)
    centres = np.stack([cx.ravel(), cy.ravel()], 1)
    corners = place_windows(img, cor, n, views, (w, h), centres, cell, rng)
    targets = np.full((S, S, hp * wp, 2), np.nan, np.float32)
    for i in range(S):
        for j in range(S):
            if i != j:
                c = stored_matches(cor, n, views[i], views[j], *(corners[i] + centres).T)
                p = (c / 16 - corners[j]) / cell
                ok = (c[:, 0] != HIDDEN) & (p > 0).all(1) & (p < [wp, hp]).all(1)
                targets[i, j, ok] = p[ok]
    frames = []
    for (x, y), view in zip(np.array(corners, int), views):
        a = torch.from_numpy(np.array(img[n, view, y : y + h, x : x + w]))
        a = a.permute(2, 0, 1).float() / 255
        if zoom != 1:
            a = F.interpolate(a[None], (hp * PATCH, wp * PATCH), mode="bilinear", antialias=True)[0]
        frames.append(a)
    frames = torch.stack(frames)
    if flip:
        frames = frames.flip(-1)
        targets = targets.reshape(S, S, hp, wp, 2)[:, :, :, ::-1].copy().reshape(S, S, hp * wp, 2)
        targets[..., 0] = wp - targets[..., 0]
    offsets = np.array(corners)[:, ::-1] / cell
    return frames, offsets, targets


def photometric(x, rng_t):
    """Each frame its own exposure, gains, gamma, blur, noise. x [B, S, 3, H, W], 0..1, in place."""
    B, S = x.shape[:2]

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=rng_t)

    whole, each, colours = (B, 1, 1, 1, 1), (B, S, 1, 1, 1), (B, S, 3, 1, 1)
    x.clamp_(0.002, 1).pow_(uniform(0.8, 1.25, *each))
    x.mul_(uniform(0.75, 1.25, *whole) * uniform(0.85, 1.15, *each) * uniform(0.94, 1.06, *colours))
    x.lerp_(x.mean(2, keepdim=True), 1 - uniform(0.4, 1.2, *whole) * uniform(0.85, 1.15, *each))
    x.lerp_(x.mean((2, 3, 4), keepdim=True), uniform(-0.2, 0.2, *each))
    for frame in x.flatten(0, 1):
        k = float(uniform(-0.6, 0.45, 1)) / 1.5
        if k > 0:
            for v in (frame, frame.transpose(1, 2)):
                v[:, 1:-1] = (1 - 2 * k) * v[:, 1:-1] + k * (v[:, 2:] + v[:, :-2])
    x.add_(torch.randn(x.shape, generator=rng_t).mul_(uniform(0.0, 0.025, *each)))
    return x.clamp_(0, 1)


def occlude(frames, targets, other, rng, hp, wp):
    """Pastes a rectangle of another picture over one frame; what lies under it counts as hidden."""
    s = int(rng.integers(len(frames)))
    h, w = rng.uniform(0.15, 0.45) * hp, rng.uniform(0.15, 0.45) * wp
    y, x = rng.uniform(0, hp - h), rng.uniform(0, wp - w)
    top, bottom, left, right = (int(v * PATCH) for v in (y, y + h, x, x + w))
    frames[s, :, top:bottom, left:right] = other[:, top:bottom, left:right]

    def under(px, py):
        return (px > x) & (px < x + w) & (py > y) & (py < y + h)

    r, c = np.divmod(np.arange(hp * wp), wp)
    targets[s, :, under(c + 0.5, r + 0.5)] = np.nan
    there = targets[:, s]
    there[under(there[..., 0], there[..., 1])] = np.nan


def scatter_windows(offsets, hp, wp, rng):
    """Gives small windows places in a larger virtual grid, so that they teach its positions too.

    They are shifted as a whole, at times each by itself. offsets [B, S, 2] in patches; returns the
    grid and the offsets in it.
    """
    offsets = np.floor(offsets).astype(int)
    if hp >= 20 or rng.random() >= 0.7:
        return (hp, wp), np.zeros_like(offsets)
    grid = (int(rng.integers(hp + 6, 27)), int(rng.integers(wp + 8, 38)))
    if grid[0] > grid[1]:
        grid = grid[::-1]
    room = np.array([grid[0] - hp, grid[1] - wp])
    offsets = np.minimum(offsets, room)
    B, S, _ = offsets.shape
    alone = rng.random((B, S, 1)) < 0.15
    together = np.floor(rng.random((B, 1, 2)) * (room + 1 - offsets.max(1, keepdims=True)))
    apart = np.floor(rng.random((B, S, 2)) * (room + 1))
    return grid, np.where(alone, apart, offsets + together).astype(int)


def make_batch(sets, shares, rng, rng_t, B, S, hp, wp):
    """frames [B, S, 3, H, W] normalised; grid; rc [B, S, Np, 2]; targets [B, S, S, Np, 2]."""
    frames, offsets, targets = [], [], []
    for _ in range(B):
        img, cor, n = sets.draw(rng, shares)
        most = min(img.shape[2] / (hp * PATCH), img.shape[3] / (wp * PATCH))
        zoom = most if rng.random() < 0.4 else rng.uniform(1, most)
        views = rng.permutation(3)[:S]
        f, o, t = frames_of(img, cor, n, views, hp, wp, zoom, rng, flip=rng.random() < 0.5)
        if rng.random() < 0.35 and frames:
            other = frames[int(rng.integers(len(frames)))][int(rng.integers(S))]
            occlude(f, t, other, rng, hp, wp)
        frames.append(f)
        offsets.append(o)
        targets.append(t)
    grid, offsets = scatter_windows(np.array(offsets), hp, wp, rng)
    r, c = np.divmod(np.arange(hp * wp), wp)
    rc = torch.from_numpy(offsets[:, :, None] + np.stack([r, c], -1))
    x = photometric(torch.stack(frames), rng_t).sub_(MEAN).div_(STD)
    return x, grid, rc, torch.from_numpy(np.stack(targets))
