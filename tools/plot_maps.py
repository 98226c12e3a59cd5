#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws where one patch of an export's query picture looks, as an overlay on every picture.

    plot_maps.py attn_first2all_demo -o maps.png --layer 6 --head mean --row 12 --col 18

The pictures are drawn as the model saw them. Needs numpy and Pillow.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from classic_export import read_layers

PATCH = 14
GAP, TITLE = 12, 26  # pixels: between the pictures; for the line of text above each
FRAME = (40, 220, 60)
# Dark to bright in even steps, for readers who do not see every colour too.
COLOURS = np.array([[60, 10, 90], [120, 28, 109], [187, 55, 84], [237, 105, 37], [251, 180, 26],
                    [252, 255, 164]])
TURNS = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
         5: Image.TRANSPOSE, 6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}


def as_the_model_saw(path, transform, size):
    """The picture turned, cut, resized, cropped and padded with white; stretched where no transform is known."""
    picture = Image.open(path).convert("RGB")
    turn = TURNS.get((transform or {}).get("orientation"))
    if turn is not None:
        picture = picture.transpose(turn)
    if not transform:
        return picture.resize(size, Image.BICUBIC)
    frame = Image.new("RGB", size, "white")
    cut = {side: transform.get(f"cut_{side}", 0) for side in ("left", "top", "right", "bottom")}
    resized = picture.crop((cut["left"], cut["top"], picture.width - cut["right"],
                            picture.height - cut["bottom"]))
    resized = resized.resize((transform["resized_width"], transform["resized_height"]),
                             Image.BICUBIC)
    left, top = transform.get("crop_left", 0), transform["crop_top"]
    kept = resized.crop((left, top, resized.width - transform.get("crop_right", 0),
                         top + transform["crop_height"]))
    frame.paste(kept, (transform["pad_left"], transform["pad_top"]))
    return frame


def query_maps(layer, head, row, column):
    """Maps of the query at that place of the maps' grid: float [S, H, W]; 1 is the vmax99."""
    meta = layer.metadata
    maps = layer.maps()[row * meta["W_ds"] + column] / 255.0
    if not meta["per_head_data"]:
        if head:
            raise SystemExit("this export holds the mean of the heads only: leave --head out")
        return maps
    if head:
        return maps[choose("head", head, 1, len(maps)) - 1]
    # Each head has its own scale: back to probabilities before they are averaged.
    scales = np.array(meta["per_head_vmax99"]).reshape(-1, 1, 1, 1)
    return (maps * scales).mean(0) / meta["layer_vmax99"]


def overlay(frame, heat, meta):
    """Lays heat [H, W] over the frame: the colour and how much it covers both follow the value."""
    heat = Image.fromarray(np.pad(np.clip(heat, 0, 1), 1, "edge").astype(np.float32))
    # An entry stands in the middle of its patch, not of the stride x stride patches up to the next.
    span = [(1.5 - 0.5 / meta[s], 1.5 + (meta[n] - 0.5) / meta[s])
            for s, n in (("stride_w", "W_p"), ("stride_h", "H_p"))]
    (left, right), (top, bottom) = span
    heat = heat.resize(frame.size, Image.BICUBIC, (left, top, right, bottom))
    value = np.clip(np.asarray(heat), 0, 1)
    colour = np.stack([np.interp(value, np.linspace(0, 1, len(c)), c) for c in COLOURS.T], -1)
    alpha = 0.9 * np.sqrt(value)[..., None]
    return Image.fromarray(((1 - alpha) * np.asarray(frame) + alpha * colour).astype(np.uint8))


def sheet(titled):
    """(title, picture) pairs, three in a row."""
    width, height = titled[0][1].size
    columns, rows = min(3, len(titled)), -(-len(titled) // 3)
    size = GAP + columns * (width + GAP), GAP + rows * (TITLE + height + GAP)
    paper = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(paper)
    try:
        font = ImageFont.truetype("DejaVuSans.ttf", 17)
    except OSError:
        font = ImageFont.load_default()
    for i, (title, picture) in enumerate(titled):
        x, y = GAP + i % columns * (width + GAP), GAP + i // columns * (TITLE + height + GAP)
        draw.text((x, y), title, "black", font)
        paper.paste(picture, (x, y + TITLE))
    return paper


def choose(what, value, first, last):
    """`value`, or the middle if it is None."""
    value = (first + last + 1) // 2 if value is None else value
    if not first <= value <= last:
        raise SystemExit(f"--{what} {value}: expected {first} to {last}")
    return value


def title(path, source):
    """The file that a frame was taken from, as far as the export says."""
    if not source:
        return path.stem
    return source["file"] + (f", {source['time']:.2f} s" if "time" in source else "")


def head_number(text):
    return None if text == "mean" else int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="the export's folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--layer", type=int, help="by its number (default: the last)")
    parser.add_argument("--head", type=head_number, help="from 1, or mean (default)")
    parser.add_argument("--row", type=int, help="of the query in the maps' grid (default: middle)")
    parser.add_argument("--col", type=int, help="of the query in the maps' grid (default: middle)")
    args = parser.parse_args()

    layers = {int(name.split("_")[1]): layer for name, layer in read_layers(args.export).items()}
    number = args.layer or max(layers)
    if number not in layers:
        raise SystemExit(f"--layer {number}: this export has {', '.join(map(str, layers))}")
    meta = layers[number].metadata
    row = choose("row", args.row, 0, meta["H_ds"] - 1)
    column = choose("col", args.col, 0, meta["W_ds"] - 1)
    size = meta["W_p"] * PATCH, meta["H_p"] * PATCH
    transforms = meta.get("transforms", [None] * meta["S"])
    heats = query_maps(layers[number], args.head, row, column)
    sources = meta.get("sources", [None] * meta["S"])
    titled = [(title(path, source), overlay(as_the_model_saw(path, transform, size), heat, meta))
              for path, source, transform, heat in zip(layers[number].pictures(), sources,
                                                       transforms, heats)]
    x, y = column * meta["stride_w"] * PATCH, row * meta["stride_h"] * PATCH
    patch = [x - 2, y - 2, x + PATCH + 1, y + PATCH + 1]
    ImageDraw.Draw(titled[0][1]).rectangle(patch, outline=FRAME, width=2)
    head = f"head {args.head}" if args.head else "mean of the heads"
    titled[0] = (f"layer {number}, {head}: patch in row {row}, column {column}", titled[0][1])
    sheet(titled).save(args.output)


if __name__ == "__main__":
    main()
