#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes golden/pictures/: what the picture rules of families of models give.

    make_picture_golden.py ../golden/pictures      # needs numpy, Pillow and opencv-python-headless

The committed files were made with Pillow 12.0.0 and OpenCV 5.0.0 (4.11.0 gives the same bytes).
From 12.2 on, Pillow resizes columns before rows where that is less work, which changes bytes.
OpenCV is asked to do without Intel's IPP, whose cubic depends on the processor.

    plans.txt            a line a case: rule, target (0: the rule's own), patch, number of pictures,
                         width and height of each; for each frame the KEYS of its transform
                         (docs/formats.md), or "refused"
    WxH.png              pictures, some with alpha
    resize/A_to_WxH_K.png  a picture resized by K: lanczos (Pillow), area and cubic (OpenCV)
    RULE_SET.png         a set's frames, one below the other
    alpha/NAME.png       a picture of golden/codec that has alpha, by convert("RGB")
"""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

OWN_TARGET = {"vggt_crop": 518, "vggt_pad": 518, "da3": 504, "omega": 512}
WITHOUT_ALPHA = ("pi3", "da3")
KEYS = ("resized_width", "resized_height", "crop_top", "crop_height", "pad_top", "pad_left",
        "model_width", "model_height", "cut_left", "cut_top", "cut_right", "cut_bottom",
        "crop_left", "crop_right")
MOST_PATCHES = 600  # of a side of Pi3's; longer ones are refused here


class NoPatches(Exception):
    """A picture of this shape becomes no frame, or too long a one."""


def checked(width, height):
    if min(width, height) < 1:
        raise NoPatches
    return width, height


def longest_to(size, target):
    """DA3: the longest side becomes the target."""
    scale = target / float(max(size))
    return size if scale == 1 else tuple(max(1, round(side * scale)) for side in size)


def nearest(side, patch):
    """The nearest multiple; of two that are equally near, the larger."""
    return math.floor((2 * side + patch) / (2 * patch)) * patch


def pi3_size(width, height, most, patch):
    scale = math.sqrt(most / (width * height))
    w, h = width * scale, height * scale
    k, m = round(w / patch), round(h / patch)
    while k * patch * m * patch > most:
        if k / m > w / h:
            k -= 1
        else:
            m -= 1
    if max(k, m) > MOST_PATCHES:
        raise NoPatches
    return max(k, 1) * patch, max(m, 1) * patch


def plan(rule, size, target, patch, first):
    """(left, top, right, bottom) of what is kept of the picture, the size to resize that to."""
    width, height = size
    box = (0, 0, width, height)
    side = target or OWN_TARGET.get(rule)
    if rule == "vggt_crop":
        return box, checked(side, round(height * (side / width) / patch) * patch)
    if rule == "vggt_pad":
        if width >= height:
            return box, checked(side, round(height * (side / width) / patch) * patch)
        return box, checked(round(width * (side / height) / patch) * patch, side)
    if rule == "pi3":
        return box, pi3_size(*first, target * target if target else 255000, patch)
    if rule == "da3":
        return box, checked(*(nearest(each, patch) for each in longest_to(size, side)))
    if height / width < 0.5:
        left = (width - 2 * height) // 2
        box = (left, 0, left + 2 * height, height)
    elif height / width > 2:
        top = (height - 2 * width) // 2
        box = (0, top, width, top + 2 * width)
    aspect = (box[3] - box[1]) / (box[2] - box[0])
    wide = math.sqrt((side // patch) ** 2 / aspect)
    high = (side // patch) ** 2 / wide
    return box, (max(1, round(wide)) * patch, max(1, round(high)) * patch)


def transforms(rule, sizes, target, patch):
    plans = [plan(rule, size, target, patch, sizes[0]) for size in sizes]
    side = target or OWN_TARGET.get(rule)
    out = []
    for size, (box, (width, height)) in zip(sizes, plans):
        kept = min(height, side) if rule == "vggt_crop" else height
        out.append({"original_width": size[0], "original_height": size[1],
                    "resized_width": width, "resized_height": height,
                    "crop_top": (height - kept) // 2, "crop_height": kept,
                    "cut_left": box[0], "cut_top": box[1],
                    "cut_right": size[0] - box[2], "cut_bottom": size[1] - box[3]})
    least = rule == "da3"
    model_width = (min if least else max)(t["resized_width"] for t in out)
    model_height = (min if least else max)(t["crop_height"] for t in out)
    if rule == "vggt_pad":
        model_width = model_height = side
    for t in out:
        if least:
            t["crop_left"] = (t["resized_width"] - model_width) // 2
            t["crop_right"] = t["resized_width"] - model_width - t["crop_left"]
            t["crop_top"] = (t["resized_height"] - model_height) // 2
            t["crop_height"] = model_height
        t["pad_left"] = 0 if least else (model_width - t["resized_width"]) // 2
        t["pad_top"] = (model_height - t["crop_height"]) // 2
        t["model_width"], t["model_height"] = model_width, model_height
    return out


def by_opencv(image, size):
    if image.size == size:
        return image
    grows = size[0] > image.width or size[1] > image.height
    kind = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
    return Image.fromarray(cv2.resize(np.asarray(image), size, interpolation=kind))


def frames(rule, images, target, patch):
    flat = []
    for image in images:
        if image.mode == "RGBA" and rule not in WITHOUT_ALPHA:
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(white, image)
        flat.append(image.convert("RGB"))
    out = []
    for image, t in zip(flat, transforms(rule, [i.size for i in flat], target, patch)):
        size = t["resized_width"], t["resized_height"]
        if rule == "da3":
            resized = by_opencv(by_opencv(image, longest_to(image.size, target or 504)), size)
        else:
            cut = image.crop((t["cut_left"], t["cut_top"], image.width - t["cut_right"],
                              image.height - t["cut_bottom"]))
            kind = Image.Resampling.LANCZOS if rule == "pi3" else Image.Resampling.BICUBIC
            resized = cut.resize(size, kind)
        left, top = t.get("crop_left", 0), t["crop_top"]
        kept = resized.crop((left, top, resized.width - t.get("crop_right", 0),
                             top + t["crop_height"]))
        frame = Image.new("RGB", (t["model_width"], t["model_height"]), "white")
        frame.paste(kept, (t["pad_left"], t["pad_top"]))
        out.append(np.asarray(frame))
    return np.concatenate(out)


def picture(width, height, alpha=False):
    """Hard black and white, which over- and undershoot most, among noise."""
    rng = np.random.default_rng(width * 7919 + height)
    shape = (height, width, 4 if alpha else 3)
    pixels = np.where(rng.random((height, width, 1)) < 0.7, rng.integers(0, 2, shape) * 255,
                      rng.integers(0, 256, shape))
    return Image.fromarray(pixels.astype(np.uint8))


PICTURES = {"61x43": (61, 43), "43x61": (43, 61, True), "150x30": (150, 30), "1x1": (1, 1),
            "16x90": (16, 90), "112x84": (112, 84, True)}
SETS = {"one": ["61x43"], "alpha": ["43x61"], "pixel": ["1x1"], "whole": ["112x84"],
        "mixed": ["61x43", "43x61", "150x30", "112x84"], "tall_first": ["16x90", "61x43"]}
TARGETS = {"vggt_crop": (56, 14), "vggt_pad": (56, 14), "pi3": (70, 14), "da3": (56, 14),
           "omega": (64, 16)}
# To fewer pixels by whole numbers and by others, to as many, to more.
RESIZES = {"lanczos": [("61x43", 97, 61), ("61x43", 20, 15), ("61x43", 61, 10), ("1x1", 7, 5),
                       ("150x30", 14, 28), ("61x43", 61, 43), ("16x90", 28, 9)],
           "area": [("61x43", 20, 15), ("61x43", 61, 10), ("112x84", 56, 42), ("112x84", 28, 28),
                    ("112x84", 112, 21), ("150x30", 1, 1), ("150x30", 149, 29), ("1x1", 1, 1),
                    ("61x43", 61, 43), ("16x90", 5, 88), ("112x84", 37, 84)],
           "cubic": [("61x43", 97, 61), ("61x43", 62, 42), ("61x43", 20, 90), ("1x1", 7, 5),
                     ("16x90", 28, 91), ("150x30", 151, 1), ("61x43", 61, 43), ("112x84", 3, 85)]}


def sizes_to_plan(rng):
    """Lists of sizes: usual ones, ties, and shapes that become long or nothing."""
    single = [(640, 480), (4032, 3024), (3024, 4032), (1920, 1080), (518, 343), (518, 357), (1, 1),
              (1, 7), (7, 1), (1, 2), (3000, 1), (1, 3000), (73, 1), (74, 1), (504, 371),
              (504, 370), (504, 378), (371, 504), (780, 520), (9000, 20), (9000, 125), (125, 9000),
              (999, 500), (1000, 500), (1001, 500), (500, 1001), (518, 518), (512, 512),
              (505, 505), (12, 5000), (5000, 60), (350, 9), (40, 39), (1300, 731), (7, 504),
              (504, 7), (504, 6)]
    single += [tuple(int(2 ** x) for x in rng.uniform(0, 12, 2)) for _ in range(40)]
    several = [[tuple(int(x) for x in rng.integers(100, 2000, 2)) for _ in range(int(n))]
               for n in rng.integers(2, 6, 16)]
    return [[size] for size in single] + several


def main():
    out = Path(sys.argv[1])
    (out / "resize").mkdir(parents=True, exist_ok=True)
    (out / "alpha").mkdir(exist_ok=True)
    cv2.ipp.setUseIPP(False)
    rng = np.random.default_rng(5)
    plans = []
    for sizes in sizes_to_plan(rng):
        for rule, (small, patch) in TARGETS.items():
            for target in (0, small):
                try:
                    planned = transforms(rule, sizes, target, patch)
                except NoPatches:
                    planned = None
                plans.append((rule, target, patch, sizes, planned))
    lines = []
    for rule, target, patch, sizes, planned in plans:
        line = [rule, target, patch, len(sizes), *(side for size in sizes for side in size)]
        line += ["refused"] if planned is None else [t.get(k, 0) for t in planned for k in KEYS]
        lines.append(" ".join(map(str, line)) + "\n")
    (out / "plans.txt").write_text("".join(lines))

    images = {name: picture(*size) for name, size in PICTURES.items()}
    for name, image in images.items():
        image.save(out / f"{name}.png", optimize=True)
    for kind, cases in RESIZES.items():
        for name, width, height in cases:
            image = images[name].convert("RGB")
            if kind == "lanczos":
                resized = image.resize((width, height), Image.Resampling.LANCZOS)
            else:
                how = cv2.INTER_AREA if kind == "area" else cv2.INTER_CUBIC
                resized = Image.fromarray(cv2.resize(np.asarray(image), (width, height),
                                                     interpolation=how))
            resized.save(out / "resize" / f"{name}_to_{width}x{height}_{kind}.png", optimize=True)
    for path in sorted((Path(__file__).parents[1] / "golden/codec").iterdir()):
        if path.suffix == ".heic" or ".expected." in path.name:
            continue
        try:
            image = Image.open(path)
        except UnidentifiedImageError:  # 16-bit grey whose 0 is white
            continue
        if image.mode == "RGBA":
            image.convert("RGB").save(out / "alpha" / f"{path.name}.png", optimize=True)
    for rule, (target, patch) in TARGETS.items():
        for name, members in SETS.items():
            try:
                pixels = frames(rule, [images[m] for m in members], target, patch)
            except NoPatches:
                sys.exit(f"set {name} of {rule} has no frames")
            Image.fromarray(pixels).save(out / f"{rule}_{name}.png", optimize=True)


if __name__ == "__main__":
    main()
