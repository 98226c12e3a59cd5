#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pil_resize/: IN.png and, as IN_to_WxH.png, what Pillow's bicubic resize makes of it.

    python3 make_pil_resize.py        # needs numpy and Pillow
"""

from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).parent / "pil_resize"
# Of noise and of hard black and white, which over- and undershoot most.
CASES = {
    (61, 43): [(97, 61), (20, 15), (61, 10), (61, 90), (30, 43), (1, 1), (5, 120), (60, 42), (62, 44)],
    (1, 1): [(7, 5), (1, 30)],
    (1, 37): [(14, 14), (1, 5), (3, 37)],
    (2000, 2): [(14, 1), (2001, 3), (1, 2)],
    (3, 1500): [(28, 9), (2, 1499)],
}

OUT.mkdir(exist_ok=True)
for (w, h), sizes in CASES.items():
    rng = np.random.default_rng(w * 7919 + h)
    pixels = np.where(rng.random((h, w, 1)) < 0.7, rng.integers(0, 2, (h, w, 3)) * 255,
                      rng.integers(0, 256, (h, w, 3))).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.save(OUT / f"{w}x{h}.png", optimize=True)
    for size in sizes:
        resized = image.resize(size, Image.Resampling.BICUBIC)
        resized.save(OUT / f"{w}x{h}_to_{size[0]}x{size[1]}.png", optimize=True)
