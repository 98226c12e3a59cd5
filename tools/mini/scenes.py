# SPDX-License-Identifier: Apache-2.0
"""Random scenes, their pictures by raycast.cc, and which pixel of one picture is which of another.

World and camera axes alike: x right, y down, z forward; metres.
"""

import ctypes
import math
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np

from textures import LEVELS

HIDDEN = -32768  # no match: hidden, or outside the other picture
BOX, SPHERE, CYLINDER, QUAD = range(4)
PAIRS = [(i, j) for i in range(3) for j in range(3) if i != j]


def pair(i, j):
    """The place of the ordered pair (i, j) in PAIRS."""
    return 2 * i + (j if j < i else j - 1)


def rotation(rng, tilt):
    """About the vertical at random, then tilted by up to `tilt` radians."""

    def about(axis, angle):
        i, j = [k for k in range(3) if k != axis]
        m = np.eye(3)
        m[i, i] = m[j, j] = math.cos(angle)
        m[i, j], m[j, i] = -math.sin(angle), math.sin(angle)
        return m

    tilted = about(0, rng.uniform(-tilt, tilt)) @ about(2, rng.uniform(-tilt, tilt))
    return tilted @ about(1, rng.uniform(0, 2 * math.pi))


class Scene:
    """Primitives as raycast.cc reads them: one row of 48 floats each."""

    def __init__(self, rng, bank, ids):
        self.rng, self.bank = rng, bank
        self.photos, self.patterns, self.cut_outs = ids
        self.rows, self.balls = [], []  # balls: (centre, radius) that no camera may stand in

    def opaque_face(self, half_u, half_v):
        """[texture, u0, v0, su, sv] for a face of that half size, cut from a random texture."""
        rng = self.rng
        texture = int(rng.choice(self.photos if rng.random() < 0.65 else self.patterns))
        w, h = self.bank.size[texture]
        scale = rng.uniform(0.25, 1.3) * min(w / (2 * half_u), h / (2 * half_v))
        u, v = scale * half_u, scale * half_v
        u0 = rng.uniform(u, w - u) if u < w / 2 else w / 2
        v0 = rng.uniform(v, h - v) if v < h / 2 else h / 2
        return [texture, u0, v0, scale * (-1 if rng.random() < 0.3 else 1), scale]

    def whole_face(self, texture, half_u, half_v):
        """The whole of a texture, stretched over a face."""
        w, h = self.bank.size[texture]
        return [texture, w / 2, h / 2, w / (2 * half_u), h / (2 * half_v)]

    def random_faces(self, kind, half):
        x, y, z = half
        if kind == BOX:  # two faces an axis; texture axes as in raycast.cc
            dims = [(z, y), (z, y), (x, z), (x, z), (x, y), (x, y)]
            faces = [self.opaque_face(*d) for d in dims]
            return [faces[4]] * 6 if self.rng.random() < 0.4 else faces
        if kind == CYLINDER:
            return [self.opaque_face(math.pi * x, y), self.opaque_face(x, x)]
        return [self.opaque_face(math.pi * x, y * 1.6)]

    def add(self, kind, centre, half, turn=np.eye(3), faces=None):
        row = np.zeros(48, np.float32)
        row[0], row[1:10], row[10:13], row[13:16] = kind, turn.ravel(), centre, half
        for i, face in enumerate(faces or self.random_faces(kind, half)):
            row[16 + 5 * i : 21 + 5 * i] = face
        self.rows.append(row)

    def add_thing(self, centre, size, tilt, standing=False):
        """One random thing of about `size` metres; `standing`: its foot is at `centre`."""
        rng = self.rng
        kind = int(rng.choice([BOX, SPHERE, CYLINDER, QUAD], p=[0.4, 0.15, 0.15, 0.3]))
        half = size / 2 * rng.uniform(0.5, 1.2, 3)
        if kind == SPHERE:
            half[:] = half.mean()
            if rng.random() >= 0.6:
                half *= rng.uniform(0.7, 1.3, 3)
        elif kind == CYLINDER:
            half[2] = half[0]
        turn, faces = rotation(rng, tilt), None
        if kind == QUAD:
            texture = int(rng.choice(self.cut_outs))
            w, h = self.bank.size[texture]
            half = np.array([size / 2, size / 2 * h / w, 0.01])
            angle = rng.uniform(-0.9, 0.9)
            c, s = math.cos(angle), math.sin(angle)
            turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
            faces = [self.whole_face(texture, half[0], half[1])]
        if standing:
            centre = centre - np.array([0, half[1], 0])
        if kind != QUAD:
            self.balls.append((centre, float(half.max()) * 1.3))
        self.add(kind, centre, half, turn, faces)


def furnish_room(sc):
    """A room with a laid table, things along and on its walls. Returns (eye, target, roll) x 3."""
    rng = sc.rng
    w, d, h = rng.uniform(2, 4.5), rng.uniform(2, 4.5), rng.uniform(1.2, 1.8)
    sc.add(BOX, np.zeros(3), np.array([w, h, d]))
    top = h - rng.uniform(0.4, 0.9)  # of the table
    table = rng.uniform(0.5, 1.1, 2)
    centre, half_height = np.array([0, (top + h) / 2, 0]), (h - top) / 2
    if rng.random() < 0.6:
        sc.add(BOX, centre, np.array([table[0], half_height, table[1]]), rotation(rng, 0))
    else:
        sc.add(CYLINDER, centre, np.array([table[0], half_height, table[0]]))
    for _ in range(int(rng.integers(2, 9))):  # on the table
        x, z = rng.uniform(-0.55, 0.55, 2) * table.min()
        sc.add_thing(np.array([x, top, z]), rng.uniform(0.12, 0.6), 0, standing=True)
    for _ in range(int(rng.integers(2, 8))):  # along the walls
        a = rng.uniform(0, 2 * math.pi)
        foot = np.array([math.cos(a) * w * 0.85, h, math.sin(a) * d * 0.85])
        sc.add_thing(foot, rng.uniform(0.4, 1.5), 0, standing=True)
    for _ in range(int(rng.integers(0, 6))):  # pictures, windows
        side, axis = rng.choice([-1, 1]), int(rng.integers(2))
        half = np.array([0.02, rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.8)])
        c = np.array([side * w, rng.uniform(-0.6, 0.3) * h, rng.uniform(-0.8, 0.8) * d])
        if axis:
            half, c = half[[2, 1, 0]], np.array([rng.uniform(-0.8, 0.8) * w, c[1], side * d])
        sc.add(BOX, c, half)
    azimuth, spread = rng.uniform(0, 2 * math.pi), rng.choice([0.25, 0.6, 1.1])
    radius = rng.uniform(1.2, min(w, d) * 0.9)
    height = top - rng.uniform(0.3, 1.0)
    target = np.array([0, top - 0.15, 0]) + rng.normal(size=3) * [0.3, 0.12, 0.3]
    cameras = []
    for _ in range(3):
        a = azimuth + rng.uniform(-spread, spread)
        r = radius * rng.uniform(0.85, 1.15)
        y = np.clip(height + rng.normal() * 0.12, -h + 0.1, h - 0.1)
        eye = np.array([r * math.cos(a), y, r * math.sin(a)])
        cameras.append((eye, target + rng.normal(size=3) * 0.12, rng.normal() * 0.06))
    return cameras


def scatter_clutter(sc):
    """Things floating in a hall. Returns (eye, target, roll) x 3."""
    rng = sc.rng
    sc.add(BOX, np.zeros(3), rng.uniform(3, 6, 3))
    for _ in range(int(rng.integers(8, 18))):
        sc.add_thing(rng.uniform(-1.2, 1.2, 3), rng.uniform(0.3, 1.2), 3.0)
    azimuth, spread = rng.uniform(0, 2 * math.pi), rng.choice([0.2, 0.5, 0.9])
    radius = rng.uniform(1.6, 2.6)
    cameras = []
    for _ in range(3):
        a, e = azimuth + rng.uniform(-spread, spread), rng.uniform(-0.4, 0.4)
        way = np.array([math.cos(a) * math.cos(e), math.sin(e), math.sin(a) * math.cos(e)])
        eye = radius * rng.uniform(0.85, 1.15) * way
        cameras.append((eye, rng.normal(size=3) * 0.2, rng.normal() * 0.15))
    return cameras


def hang_photo(sc):
    """A photo as far wall, things floating before it. Returns (eye, target, roll) x 3."""
    rng = sc.rng
    sc.add(BOX, np.zeros(3), np.array([8.0, 8.0, 8.0]))
    texture = int(rng.choice(sc.photos))
    w, h = sc.bank.size[texture]
    half = np.array([1, h / w]) * rng.uniform(2.0, 3.5)
    face = sc.whole_face(texture, *half)
    sc.add(QUAD, np.array([0, 0, 3.0]), np.array([*half, 0.01]), faces=[face])
    for _ in range(int(rng.integers(0, 8))):
        z = rng.uniform(0.8, 2.8)
        x, y = (rng.uniform(-k, k) * (z + 1.2) for k in (0.5, 0.4))
        sc.add_thing(np.array([x, y, z]), rng.uniform(0.25, 0.9), 3.0)
    spread = rng.choice([0.3, 0.7, 1.3])
    base = rng.uniform(-0.5, 0.5, 2)
    cameras = []
    for _ in range(3):
        x, y = (rng.uniform(-k, k) * spread for k in (1, 0.7))
        target = np.array([*(base + rng.normal(size=2) * 0.35), 3.0])
        cameras.append((np.array([x, y, rng.uniform(-1.2, 0.2)]), target, rng.normal() * 0.2))
    return cameras


def look_at(eye, target, roll):
    """World-from-camera rotation, and the eye."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = math.cos(roll), math.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, forward], 1), eye


def random_scene(rng, bank, ids, wall_only):
    """A scene and three cameras [(rotation, eye, focal length in image widths)]."""
    sc = Scene(rng, bank, ids)
    makers = [furnish_room, scatter_clutter, hang_photo]
    make = hang_photo if wall_only else makers[int(rng.choice(3, p=[0.5, 0.2, 0.3]))]
    cameras = make(sc)
    f = rng.uniform(0.7, 1.3)
    return sc, [(*look_at(*c), f * rng.uniform(0.85, 1.2)) for c in cameras]


def build_raycaster(work):
    """Compiles raycast.cc into `work` where that is not done yet. Returns the library's path."""
    source, library = Path(__file__).with_name("raycast.cc"), work / "raycast.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        flags = "-O3 -march=native -ffast-math -std=c++17 -shared -fPIC".split()
        subprocess.run(["g++", *flags, source, "-o", library], check=True)
    return library


@lru_cache
def load_raycaster(library):
    return ctypes.CDLL(str(library))


def render(library, sc, camera, width, height, light, samples):
    """(rgb uint8 [height, width, 3], depth float32 [height, width])."""
    turn, eye, f = camera
    primitives = np.ascontiguousarray(np.stack(sc.rows), np.float32)
    lens = [f * width, width / 2, height / 2]
    view = np.concatenate([turn.ravel(), eye, lens]).astype(np.float32)
    rgb, depth = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)

    def pointer(a):
        return a.ctypes.data_as(ctypes.c_void_p)

    load_raycaster(library).render(
        pointer(primitives), len(primitives), pointer(sc.bank.texels), pointer(sc.bank.table),
        LEVELS, pointer(view), pointer(light), width, height, samples, pointer(rgb), pointer(depth))
    return rgb, depth


def correspond(depth, cameras, i, j):
    """Where view i's pixels (every second row and column) lie in view j, from the geometry."""
    h, w = depth[0].shape
    y, x = np.mgrid[0:h:2, 0:w:2] + 0.5
    (turn_i, eye_i, f_i), (turn_j, eye_j, f_j) = cameras[i], cameras[j]
    z = depth[i][::2, ::2].astype(np.float64)
    p = np.stack([(x - w / 2) / (f_i * w) * z, (y - h / 2) / (f_i * w) * z, z], -1)
    q = (p @ turn_i.T + eye_i - eye_j) @ turn_j
    z_j = np.maximum(q[..., 2], 1e-6)
    u, v = f_j * w * q[..., 0] / z_j + w / 2, f_j * w * q[..., 1] / z_j + h / 2
    ok = (q[..., 2] > 0.05) & (u > 0) & (u < w) & (v > 0) & (v < h) & (z < 1e6)
    seen = depth[j][np.clip(v, 0, h - 1).astype(int), np.clip(u, 0, w - 1).astype(int)]
    ok &= np.abs(seen - z_j) < 0.02 * z_j + 0.005
    return pack_matches(u, v, ok)


def pack_matches(u, v, ok):
    """int16 [..., 2]: places in 1/16 px, HIDDEN where not ok."""
    out = np.round(np.stack([u, v], -1).clip(-100, 2000) * 16).astype(np.int16)
    out[~ok] = HIDDEN
    return out


def make_triple(rng, bank, ids, library, width, height, wall_only):
    """Three views that share enough, uint8 [3, H, W, 3]; their matches, int16 [6, H/2, W/2, 2]."""
    while True:
        sc, cameras = random_scene(rng, bank, ids, wall_only)
        if any(np.linalg.norm(c - eye) < r + 0.1 for c, r in sc.balls for _, eye, _ in cameras):
            continue
        towards = rng.normal(size=3) + [0, -1.5, 0]
        towards /= np.linalg.norm(towards)
        light = np.array([*towards, rng.uniform(0.35, 0.8)], np.float32)
        views = [render(library, sc, c, width, height, light, samples=2) for c in cameras]
        depth = [v[1] for v in views]
        matches = np.stack([correspond(depth, cameras, i, j) for i, j in PAIRS])
        share = (matches[..., 0] != HIDDEN).mean((1, 2))
        if share.min() > 0.12 and share.mean() < 0.97:
            return np.stack([v[0] for v in views]), matches
