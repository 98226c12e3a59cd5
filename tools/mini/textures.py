# SPDX-License-Identifier: Apache-2.0
"""Textures of the scenes: photographs, cut-outs with a clear ground, patterns made from nothing."""

import math
import subprocess

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Debian packages with photographs and drawings under free licences.
PACKAGES = ["gnome-backgrounds", "mate-backgrounds", "plasma-workspace-wallpapers",
            "ukui-wallpapers", "lomiri-wallpapers-20.04", "lomiri-wallpapers-16.04",
            "tuxpaint-stamps-default", "python3-skimage", "supertuxkart-data"]
LEVELS = 8  # of a mip pyramid


def fetch(work):
    """Downloads PACKAGES and unpacks them into work/photos; nothing is installed."""
    debs = work / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    (work / "photos").mkdir(exist_ok=True)
    for package in PACKAGES:
        if not list(debs.glob(f"{package}_*.deb")):
            subprocess.run(["apt-get", "download", package], cwd=debs, check=True)
        deb = next(debs.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", deb, work / "photos" / package], check=True)


def find_pictures(work, examples):
    """(photos and game textures, stamps with a transparent ground): paths, each picture once."""
    photos, stamps, seen = [], [], set()
    for path in sorted((work / "photos").glob("**/*.*")):
        low = str(path).lower()
        if not low.endswith((".png", ".jpg", ".jpeg", ".webp")) or path.is_symlink():
            continue
        if "tuxpaint" in low:
            if low.endswith(".png") and "_mirror" not in low and "_flip" not in low:
                stamps.append(path)
            continue
        # Plasma ships each wallpaper in many sizes: one a folder is enough.
        key = path.parent if "/contents/images" in low else path
        least = 80000 if "supertuxkart" in low else 30000
        if key in seen or path.stat().st_size < least or "normal" in low or "nm." in low:
            continue
        seen.add(key)
        photos.append(path)
    photos += sorted(examples.glob("room/images/*")) + sorted(examples.glob("single_*/images/*"))
    for name in ("llff_fern", "llff_flower"):
        photos += sorted(examples.glob(f"{name}/images/*"))[::6]
    return photos, stamps


def procedural(rng, size=384):
    """A pattern made from nothing: noise octaves, bricks, stripes, cells or scattered shapes."""
    kind = rng.integers(5)
    a, b = rng.integers(0, 256, 3), rng.integers(0, 256, 3)
    pale = rng.uniform(0.1, 0.9)  # few things at home have pure colours
    a, b = (c + (c.mean() - c) * pale for c in (a, b))
    noise = np.zeros((size, size))
    for octave in range(int(rng.integers(2, 7)) + 1):
        n = min(3 * 2**octave, size)
        img = Image.fromarray(rng.normal(size=(n, n)).astype(np.float32))
        img = img.resize((size, size), Image.BICUBIC)
        noise += np.asarray(img) * rng.uniform(0.4, 0.8) ** octave
    noise = (noise - noise.min()) / (np.ptp(noise) + 1e-6)
    mix = noise
    y, x = np.mgrid[:size, :size].astype(float)
    if kind == 1:
        h = rng.integers(16, 64)
        w = h * rng.uniform(1, 3)
        row = y // h
        joint = ((y % h) < h * 0.1) | (((x + (row % 2) * w / 2) % w) < h * 0.1)
        mix = 0.3 * noise + 0.7 * joint
    elif kind == 2:
        angle = rng.uniform(0, math.pi)
        across = (x * math.cos(angle) + y * math.sin(angle)) / rng.uniform(3, 20)
        mix = 0.3 * noise + 0.35 * (1 + np.sin(across + 3 * noise))
    elif kind == 3:
        points = rng.uniform(0, size, (int(rng.integers(10, 80)), 2))
        distance = (y[..., None] - points[:, 0]) ** 2 + (x[..., None] - points[:, 1]) ** 2
        mix = 0.3 * noise + 0.7 * rng.random(len(points))[distance.argmin(-1)]
    rgb = (a + (b - a) * np.clip(mix, 0, 1)[..., None]).astype(np.uint8)
    return scatter_shapes(rng, rgb) if kind == 4 else rgb


def scatter_shapes(rng, rgb):
    picture = Image.fromarray(rgb)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(10, 80))):
        c, r = rng.uniform(0, len(rgb), 2), rng.uniform(4, 50, 2)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape([*(c - r), *(c + r)], fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return np.asarray(picture)


def blob_mask(rng, n):
    """A random closed outline, filled: the shape of a cut-out. uint8 [n, n]."""
    t = np.linspace(0, 2 * math.pi, 90)
    r = np.full(90, 0.36)
    for k in range(1, 7):
        r += rng.normal() * 0.09 / k * np.sin(k * t + rng.uniform(0, 6.3))
    r = np.clip(r, 0.08, 0.49)
    outline = np.stack([n * (0.5 + r * np.cos(t)), n * (0.5 + r * np.sin(t))], 1)
    if rng.random() < 0.4:
        outline = outline[np.sort(rng.choice(89, int(rng.integers(3, 8)), replace=False))]
    mask = Image.new("L", (n, n), 0)
    ImageDraw.Draw(mask).polygon([tuple(p) for p in outline], fill=255)
    return np.asarray(mask)


class Bank:
    """Textures with mip pyramids in one block of memory, as raycast.cc reads them."""

    def __init__(self):
        self.parts, self.table, self.offset, self.size = [], [], 0, []

    def add(self, rgba):
        """Takes a texture, uint8 [H, W, 4]; returns its number."""
        img = Image.fromarray(rgba)
        for level in range(LEVELS):
            w, h = max(rgba.shape[1] >> level, 1), max(rgba.shape[0] >> level, 1)
            a = np.ascontiguousarray(img if level == 0 else img.resize((w, h), Image.BOX))
            self.parts.append(a.reshape(-1))
            self.table.append((self.offset, w, h))
            self.offset += a.size
        self.size.append((rgba.shape[1], rgba.shape[0]))
        return len(self.size) - 1

    def add_opaque(self, rgb):
        return self.add(np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)]))

    def seal(self):
        self.texels = np.concatenate(self.parts)
        self.table = np.array(self.table, np.int64)
        self.parts = None


def load(path, longest):
    """RGBA picture, made smaller where a side is longer than `longest`."""
    img = Image.open(path)
    img.draft("RGB", (longest * 2, longest * 2))
    img = img.convert("RGBA")
    k = longest / max(img.size)
    if k >= 1:
        return img
    size = max(int(img.width * k), 8), max(int(img.height * k), 8)
    return img.resize(size, Image.BOX if k < 0.5 else Image.BICUBIC)


def detail(rgb):
    """Mean contrast at the scale of a patch: what a match can hold on to."""
    small = Image.fromarray(rgb).convert("L").resize((160, 160), Image.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(4))
    return float(np.abs(np.asarray(small, np.float32) - np.asarray(blurred, np.float32)).mean())


def cut_out(rng, rgb):
    """A random piece of a photo with a random outline: uint8 [n, n, 4], n at most 256."""
    n = int(rng.integers(120, min(rgb.shape[:2]) * 0.8))
    y, x = rng.integers(0, rgb.shape[0] - n), rng.integers(0, rgb.shape[1] - n)
    cut = np.dstack([rgb[y : y + n, x : x + n], blob_mask(rng, n)])
    return np.asarray(Image.fromarray(cut).resize((256, 256), Image.BICUBIC)) if n > 256 else cut


def build_bank(kind, work, examples):
    """kind 'train' or 'test': disjoint photos, stamps, patterns; 'kitchen': photos of the kitchen.

    Returns the bank and the numbers of (photos, game textures and patterns, cut-outs).
    """
    rng = np.random.default_rng([0, {"train": 1, "test": 2, "kitchen": 3}[kind]])
    photos, stamps = (
        [p for i, p in enumerate(paths) if (i % 10 == 3) == (kind != "train")]
        for paths in find_pictures(work, examples)
    )
    rng.shuffle(stamps)
    kart = [p for p in photos if "supertuxkart" in str(p)]
    chosen = [kart[i] for i in rng.permutation(len(kart))[:220]]  # a sample of many alike
    photos = [p for p in photos if "supertuxkart" not in str(p)] + chosen
    if kind == "kitchen":
        photos = sorted(examples.glob("kitchen/images/*"))
    bank, ids = Bank(), ([], [], [])
    for path in photos:
        try:
            rgb = np.asarray(load(path, 800).convert("RGB"))
        except (OSError, ValueError) as error:  # one picture that Pillow cannot read is no loss
            print("skipped", path, error)
            continue
        if min(rgb.shape[:2]) < 200 or detail(rgb) < 4:  # many wallpapers are bare gradients
            continue
        if "supertuxkart" in str(path):
            ids[1].append(bank.add_opaque(rgb))
            continue
        ids[0].append(bank.add_opaque(rgb))
        ids[2].extend(bank.add(cut_out(rng, rgb)) for _ in range(3 if kind == "train" else 5))
    for path in stamps[:350]:
        img = load(path, 300)
        if min(img.size) > 40:
            ids[2].append(bank.add(np.asarray(img)))
    for _ in range(80 if kind == "train" else 15):
        ids[1].append(bank.add_opaque(procedural(rng)))
    if not ids[0]:
        raise SystemExit(f"no photos for the '{kind}' textures in {work}/photos or {examples}")
    bank.seal()
    return bank, ids
