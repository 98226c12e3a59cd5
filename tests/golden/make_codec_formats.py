#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds TIFF, BMP, GIF, AVIF and HEIC to codec/, as make_codec.py does for the others.

    python3 make_codec_formats.py        # needs numpy, Pillow 13 and pillow-heif 1.8

What is expected is what Pillow makes of them, but for 16-bit grey, which it clips, and for 16-bit planes,
of which it reads one byte in two.
"""

import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

OUT = Path(__file__).parent / "codec"
W, H = 29, 19
RNG = np.random.default_rng(5)
pillow_heif.register_heif_opener()


def photo():
    y, x = np.mgrid[0:H, 0:W]
    noise = RNG.integers(0, 40, (H, W, 3))
    return Image.fromarray((np.stack([x * 6, y * 10, 180 - x * 5], -1) + noise).astype(np.uint8))


PHOTO = photo()
ALPHA = PHOTO.copy()
ALPHA.putalpha(Image.fromarray((np.mgrid[0:H, 0:W][1] * 9).clip(0, 255).astype(np.uint8)))


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def packed(samples, bits, order="<"):
    """Rows of samples [h, w, …] as TIFF and BMP store them, before padding."""
    for row in samples.reshape(len(samples), -1):
        if bits >= 8:
            yield row.astype(f"{order}u{bits // 8}").tobytes()
        else:
            yield np.packbits((row[:, None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)).tobytes()


def tiff(bits, samples, photometric, blocks, order="<", **tags):
    """`blocks` are the bytes of strips or tiles; tags: a number of TIFF to shorts."""
    tile = "t322" in tags
    offsets, counts = (324, 325) if tile else (273, 279)
    entries = {256: [W], 257: [H], 258: [bits] * samples, 259: [1], 262: [photometric], 277: [samples],
               offsets: [0] * len(blocks), counts: [len(b) for b in blocks]}
    entries |= {int(tag[1:]): values for tag, values in tags.items()}
    place = 8 + 2 + 12 * len(entries) + 4
    start = place + sum(4 * len(v) for v in entries.values() if len(v) > 1)
    entries[offsets] = [start + sum(map(len, blocks[:i])) for i in range(len(blocks))]
    directory, beside = struct.pack(order + "H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        longs = tag in (273, 279, 324, 325)
        data = struct.pack(f"{order}{len(values)}{'I' if longs else 'H'}", *values)
        directory += struct.pack(order + "HHI", tag, 4 if longs else 3, len(values))
        if len(data) > 4:
            directory += struct.pack(order + "I", place + len(beside))
            beside += data.ljust(4 * len(values), b"\0")
        else:
            directory += data.ljust(4, b"\0")
    beside = beside.ljust(start - place, b"\0")
    mark = b"II" if order == "<" else b"MM"
    return struct.pack(order + "2sHI", mark, 42, 8) + directory + bytes(4) + beside + b"".join(blocks)


def whole(samples, bits, order="<"):
    return [b"".join(packed(samples, bits, order))]


def tiffs():
    def noise(*shape, bits=8):
        return RNG.integers(0, 1 << bits, (H, W, *shape))

    for bits in (2, 4, 16):
        yield f"grey{bits}", tiff(bits, 1, 1, whole(noise(bits=bits), bits))
    yield "grey1_white", tiff(1, 1, 0, whole(noise(bits=1), 1))
    yield "grey16_white", tiff(16, 1, 0, whole(noise(bits=16), 16, ">"), ">")
    yield "grey_alpha", tiff(8, 2, 1, whole(noise(2), 8), t338=[2])
    yield "palette4", tiff(4, 1, 3, whole(noise(bits=4), 4), t320=RNG.integers(0, 65536, 48).tolist())
    yield "rgb16", tiff(16, 3, 2, whole(noise(3, bits=16), 16, ">"), ">")
    yield "rgb16_planes", tiff(16, 3, 2, [whole(plane, 16)[0] for plane in np.moveaxis(noise(3, bits=16), 2, 0)],
                               t284=[2])
    yield "rgbx", tiff(8, 4, 2, whole(noise(4), 8), t338=[0])
    yield "rgba_unnamed", tiff(8, 4, 2, whole(noise(4), 8))
    yield "rgba_premultiplied", tiff(8, 4, 2, whole(noise(4), 8), t338=[1])
    yield "cmyk16", tiff(16, 4, 5, whole(noise(4, bits=16), 16))
    padded = np.zeros((32, 32, 3), int)
    padded[:H, :W] = noise(3)
    tiles = [padded[y:y + 16, x:x + 16] for y in (0, 16) for x in (0, 16)]
    yield "tiles", tiff(8, 3, 2, [whole(t, 8)[0] for t in tiles], t322=[16], t323=[16])
    yield "tiles_planes", tiff(8, 3, 2, [whole(t[..., c], 8)[0] for c in range(3) for t in tiles], t322=[16],
                               t323=[16], t284=[2])
    planes = noise(3)
    yield "strips_planes", tiff(8, 3, 2, [whole(planes[y:y + 8, :, c], 8)[0] for c in range(3) for y in (0, 8, 16)],
                                t278=[8], t284=[2])
    for orientation in range(1, 9):
        yield f"turned{orientation}", tiff(8, 3, 2, whole(noise(3), 8), t274=[orientation])
    yield "lzw", saved(PHOTO, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "deflate", saved(ALPHA, "TIFF", compression="tiff_adobe_deflate")
    yield "packbits", saved(PHOTO.quantize(8), "TIFF", compression="packbits")
    yield "jpeg", saved(PHOTO, "TIFF", compression="jpeg", quality=85)
    yield "cmyk", saved(PHOTO.convert("CMYK"), "TIFF", compression="zstd")
    yield "fax", saved(PHOTO.convert("1"), "TIFF", compression="group4")
    yield "big", saved(PHOTO.convert("L"), "TIFF", big_tiff=True)


def bmp(bits, rows, compression=0, palette=b"", masks=(), top_down=False, header=40):
    if header == 12:
        info = struct.pack("<IHHHH", 12, W, H, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, W, -H if top_down else H, 1, bits, compression, 0, 0, 0, 0, 0)
        info = (info + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(info) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + info + palette + rows


def bmp_rows(samples, bits):
    return b"".join(row.ljust(-(-len(row) // 4) * 4, b"\0") for row in packed(samples, bits))


def bmps():
    colours = RNG.integers(0, 256, (256, 4)).astype(np.uint8)
    for bits in (1, 4, 8):
        indices = RNG.integers(0, 1 << bits, (H, W))
        palette = colours[:1 << bits]
        yield f"palette{bits}", bmp(bits, bmp_rows(indices, bits), palette=palette.tobytes())
        yield f"os2_{bits}", bmp(bits, bmp_rows(indices, bits), palette=palette[:, :3].tobytes(), header=12)
    yield "rgb", saved(PHOTO, "BMP")
    yield "top_down", bmp(32, bmp_rows(RNG.integers(0, 1 << 32, (H, W)), 32), top_down=True)
    sixteen = bmp_rows(RNG.integers(0, 1 << 16, (H, W)), 16)
    yield "rgb555", bmp(16, sixteen)
    yield "rgb565", bmp(16, sixteen, 3, masks=(0xF800, 0x7E0, 0x1F), header=56)
    yield "rgba", saved(ALPHA, "BMP")
    yield "rgba_masks", bmp(32, bmp_rows(RNG.integers(0, 1 << 32, (H, W)), 32), 3,
                            masks=(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=108)
    # In turn: a run, pixels as they are, and in the last row a jump.
    runs8 = b"".join(bytes([20, y, 0, 9, *range(9), 0, 0, 0]) for y in range(H - 1))
    yield "rle8", bmp(8, runs8 + bytes([5, 1, 0, 2, 20, 0, 4, 2, 0, 0, 0, 1]), 1, palette=colours.tobytes())
    runs4 = b"".join(bytes([20, 0x12 + y, 0, 9, 1, 35, 69, 103, 128, 0, 0, 0]) for y in range(H))
    yield "rle4", bmp(4, runs4 + b"\0\1", 2, palette=colours[:16].tobytes())


def gif_moved(gif, screen, corner, transparent=None):
    """The same frame elsewhere on a canvas of another size."""
    palette_end = 13 + (3 << (gif[10] & 7) + 1)
    assert gif[palette_end] == ord(","), "there is an extension"
    control = b"" if transparent is None else b"!\xf9\4" + bytes([1, 0, 0, transparent, 0])
    return (b"GIF89a" + struct.pack("<HH", *screen) + gif[10:palette_end] + control + b","
            + struct.pack("<HH", *corner) + gif[palette_end + 5:])


def gifs():
    indexed = PHOTO.quantize(16)
    plain = saved(indexed, "GIF", interlace=0)
    yield "plain", plain
    yield "interlaced", saved(indexed, "GIF", interlace=1)
    yield "grey", saved(PHOTO.convert("L"), "GIF")
    yield "transparent", saved(ALPHA, "GIF")
    yield "moved", gif_moved(plain, (40, 30), (5, 7))
    yield "moved_transparent", gif_moved(plain, (40, 30), (5, 7), 3)
    yield "beyond", gif_moved(plain, (10, 10), (5, 7), 3)
    yield "animated", saved(indexed, "GIF", save_all=True, append_images=[indexed.transpose(Image.Transpose.ROTATE_180)])


def avifs():
    for subsampling in ("4:2:0", "4:2:2", "4:4:4"):
        yield subsampling.replace(":", ""), saved(PHOTO, "AVIF", subsampling=subsampling, quality=60)
    yield "limited", saved(PHOTO, "AVIF", range="limited", quality=60)
    yield "grey", saved(PHOTO.convert("L"), "AVIF", quality=60)
    yield "alpha", saved(ALPHA, "AVIF", quality=60)
    for orientation in range(2, 9):
        yield f"turned{orientation}", saved(PHOTO, "AVIF", exif=turned(orientation), quality=60)
    yield "animated", saved(PHOTO, "AVIF", save_all=True, quality=60,
                            append_images=[PHOTO.transpose(Image.Transpose.ROTATE_180)])


def heics():
    for chroma in (420, 422, 444):
        yield str(chroma), saved(PHOTO, "HEIF", chroma=chroma, quality=60)
    yield "grey", saved(PHOTO.convert("L"), "HEIF", quality=60)
    yield "alpha", saved(ALPHA, "HEIF", quality=60)
    for orientation in range(2, 9):
        yield f"turned{orientation}", saved(PHOTO, "HEIF", exif=turned(orientation), quality=60)


def decode(path):
    if path.name == "rgb16_planes.tif":
        planes = np.frombuffer(path.read_bytes()[-6 * W * H:], "<u2").reshape(3, H, W)
        return Image.fromarray(np.moveaxis(planes >> 8, 0, 2).astype(np.uint8))
    if path.name == "grey16_white.tif":  # which Pillow does not read
        return Image.fromarray(255 - grey16(np.frombuffer(path.read_bytes()[-2 * W * H:], ">u2").reshape(H, W)))
    image = Image.open(path)
    if image.mode.startswith("I;16"):
        return Image.fromarray(grey16(np.asarray(image)))
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255,) * 4), image)
    return image.convert("RGB")


def grey16(values):
    return ((values.astype(int) + 128) // 257).astype(np.uint8)


for extension, files in dict(tif=tiffs(), bmp=bmps(), gif=gifs(), avif=avifs(), heic=heics()).items():
    for stem, data in files:
        path = OUT / f"{stem}.{extension}"
        path.write_bytes(data)
        decode(path).convert("RGB").save(f"{path}.expected.png", optimize=True)
