#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes codec/: small pictures of every kind and, as NAME.expected.png, what Pillow makes of them.

    python3 make_codec.py        # needs numpy and Pillow 9.4 with WebP
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).parent / "codec"
W, H = 29, 19
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG colour type
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_rows(samples, depth):
    """samples [h, w, channels] as PNG rows, each after the filter byte 0."""
    for row in samples:
        flat = row.reshape(-1)
        if depth == 16:
            yield b"\0" + flat.astype(">u2").tobytes()
        else:
            bits = (flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1
            yield b"\0" + np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def png(colour, depth, interlaced=False, extra=b"", seed=0, after_idat=b""):
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 1 << depth, (H, W, CHANNELS[colour]))
    if interlaced:
        passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7]
        rows = b"".join(b"".join(packed_rows(p, depth)) for p in passes if p.size)
    else:
        rows = b"".join(packed_rows(samples, depth))
    header = struct.pack(">IIBBBBB", W, H, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9))
            + after_idat + chunk(b"IEND", b""))


def palette(entries, alpha=False):
    rgb = np.random.default_rng(7).integers(0, 256, entries * 3, np.uint8).tobytes()
    return chunk(b"PLTE", rgb) + (chunk(b"tRNS", bytes(range(0, 256, 256 // entries))[:entries]) if alpha else b"")


def photo():
    y, x = np.mgrid[0:H, 0:W]
    noise = np.random.default_rng(3).integers(0, 60, (H, W, 3))
    return Image.fromarray((np.stack([x * 6, y * 10, 180 - x * 5], -1) + noise).astype(np.uint8))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cases():
    for depth in (1, 2, 4, 8):
        yield f"grey{depth}.png", png(0, depth)
        yield f"palette{depth}.png", png(3, depth, extra=palette(1 << depth))
    yield "palette_short.png", png(3, 8, extra=palette(100))  # indices beyond the palette
    for name, colour in dict(rgb=2, grey_alpha=4, rgba=6).items():
        for depth in (8, 16):
            yield f"{name}{depth}.png", png(colour, depth)
    for name, colour, depth in (("grey1", 0, 1), ("rgb8", 2, 8), ("rgba16", 6, 16)):
        yield f"{name}_interlaced.png", png(colour, depth, interlaced=True)
    yield "palette4_interlaced.png", png(3, 4, interlaced=True, extra=palette(16))
    yield "palette8_trns.png", png(3, 8, extra=palette(256, alpha=True))
    yield "grey8_trns.png", png(0, 8, extra=chunk(b"tRNS", b"\0\x55"))
    yield "rgb8_trns.png", png(2, 8, extra=chunk(b"tRNS", bytes(6)))
    yield "rgb8_gamma.png", png(2, 8, extra=chunk(b"gAMA", struct.pack(">I", 100000)))
    actl = chunk(b"acTL", struct.pack(">II", 2, 0))
    fctl = [chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, W, H, 0, 0, 1, 10, 0, 0)) for n in (0, 1)]
    second = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(bytes((3 * W + 1) * H)))
    yield "animated.png", png(2, 8, extra=actl + fctl[0], after_idat=fctl[1] + second)
    # All alphas against 16 colours: 256 x 16 pixels.
    ramp = np.zeros((16, 256, 4), np.uint8)
    ramp[..., :3] = (np.arange(16)[:, None, None] * 17 + [0, -3, 5]).clip(0, 255)
    ramp[..., 3] = np.arange(256)
    yield "rgba_ramp.png", saved(Image.fromarray(ramp), "PNG")

    a = photo()
    alpha = a.copy()
    alpha.putalpha(Image.fromarray((np.mgrid[0:H, 0:W][1] * 9).clip(0, 255).astype(np.uint8)))
    cmyk = Image.merge("CMYK", [*a.split(), a.split()[0].transpose(Image.Transpose.ROTATE_180)])
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"{name}.jpg", saved(a, "JPEG", quality=85, subsampling=sampling)
    yield "progressive.jpg", saved(a, "JPEG", quality=85, progressive=True)
    yield "grey.jpg", saved(a.convert("L"), "JPEG", quality=85)
    yield "cmyk.jpg", saved(cmyk, "JPEG", quality=85)
    # The last byte of the Adobe segment says how the inks are coded: 2 is YCCK.
    adobe = bytearray(saved(cmyk, "JPEG", quality=85))
    adobe[adobe.index(b"Adobe") + 11] = 2
    yield "ycck.jpg", bytes(adobe)
    yield "lossy.webp", saved(a, "WEBP", quality=80)
    yield "lossless.webp", saved(a, "WEBP", lossless=True)
    yield "lossy_alpha.webp", saved(alpha, "WEBP", quality=80)
    yield "lossless_alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True)
    yield "animated.webp", saved(alpha, "WEBP", save_all=True, lossless=True,
                                 append_images=[alpha.transpose(Image.Transpose.ROTATE_180)])


def decode(path):
    image = Image.open(path)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255,) * 4), image)
    return image.convert("RGB")


OUT.mkdir(exist_ok=True)
for name, data in cases():
    (OUT / name).write_bytes(data)
    decode(OUT / name).save(OUT / f"{name}.expected.png", optimize=True)
