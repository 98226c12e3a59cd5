# SPDX-License-Identifier: Apache-2.0
"""Writes golden cases for the prediction heads: a tiny checkpoint with heads, and what it must predict.

    python3 make_heads_golden.py OUT [--seed N]     writes them; OUT/../preprocess holds make_golden.py's pictures
    python3 make_heads_golden.py OUT --check        reads them back, runs the reference in float32, prints the errors

OUT/tiny.safetensors   5 + 5 blocks of 16 channels behind a bare patch convolution; camera, depth and point head
OUT/CASE/args.json     what to run: `model`; `layers`, counted from 0, whose taps depth and point head read (the
                       camera head reads the last layer's); `camera_heads` of the trunk (VGGT-1B: 16); then either
                       `images` and `image_size`, the width they are resized to, or `tokens`, a file, and the
                       `height` and `width` of the frames they stand for; `heads` where not all are run;
                       `map_stride`: of maps, only every n-th row and column is in outputs.npz
OUT/CASE/outputs.npz   predictions by their names in the original, without the batch axis
OUT/CASE/trace.npz     intermediates of the case `pixels`: frames_u8, the taps, the camera head's steps and, of
                       picture 1 (from 0) alone, since that head sees each picture by itself, the depth head's

Cases: pixels, three pictures on 3 x 5 patches; full_width, one on 25 x 37, as VGGT would see it; tokens, one
of 5 x 4 (taller than wide, which `images` never become), whose field of view begins below 0; no_camera,
two such, the first with one that ends there: it becomes 0, the focal length infinite.
Everything is computed in float64 and stored in float32.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import vggt_heads_reference as heads
import vggt_reference as ref

AGGREGATOR = dict(dim=16, depth=5, head_dim=8)
HEADS = dict(dim=16, trunk_depth=2, features=16, out_channels=(8, 12, 16, 20))
COMMON = dict(model="../tiny.safetensors", layers=[0, 2, 3, 4], camera_heads=4)
PICTURES = ["rgb.png", "exact_518x350.png", "half_even_height.png"]
MAPS = ("depth", "depth_conf", "world_points", "world_points_conf", "world_points_from_depth")
CASES = {
    "pixels": dict(images=[f"../../preprocess/{p}" for p in PICTURES], image_size=70),
    "full_width": dict(images=[f"../../preprocess/{PICTURES[0]}"], image_size=518, map_stride=11),
    "tokens": dict(tokens="inputs.npz", height=70, width=56),
    "no_camera": dict(tokens="inputs.npz", height=70, width=56, heads=["camera_head"]),
}
TOKENS = dict(tokens=(1, 94), no_camera=(2, 170))  # pictures; a seed found by looking at the fields of view


def run(case, args, dtype, note=heads.silent):
    """The predictions that args.json in the folder `case` asks for, from the files it names."""
    weights = ref.read_safetensors(case / args["model"])
    if "heads" in args:
        weights = {k: v for k, v in weights.items() if k.split(".")[0] in args["heads"]}
    if "images" in args:
        frames = ref.preprocess([case / p for p in args["images"]], args["image_size"])
        note("frames_u8", frames)
        out = heads.predict(weights, frames, args["layers"], dtype, args["camera_heads"], note)
    else:
        taps = {int(k.split("_")[1]): v.astype(dtype) for k, v in np.load(case / args["tokens"]).items()}
        out = heads.predict_from_taps(weights, [taps.get(i) for i in args["layers"]], taps[max(taps)],
                                      args["height"], args["width"], dtype, args["camera_heads"], note)
    n = args.get("map_stride", 1)
    return {k: v[:, ::n, ::n] if k in MAPS else v for k, v in out.items()}


def synthetic_taps(layers, pictures, seed):
    shape = (pictures, 5 + 5 * 4, 2 * HEADS["dim"])
    return {f"layer_{i}": ref.synthetic_tensor(f"tokens.layer_{i}", shape, seed) for i in layers}


def save(path, arrays):
    np.savez_compressed(path, **{k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in arrays.items()})


def write_case(out, name):
    case, args = out / name, COMMON | CASES[name]
    case.mkdir()
    (case / "args.json").write_text(json.dumps(args, indent=2))
    if "tokens" in args:
        layers = args["layers"] if "heads" not in args else args["layers"][-1:]
        np.savez_compressed(case / args["tokens"], **synthetic_taps(layers, *TOKENS[name]))
    trace = {}
    predictions = run(case, args, np.float64, trace.__setitem__)
    save(case / "outputs.npz", predictions)
    if name == "pixels":
        save(case / "trace.npz", {k: v[1:2] if k.startswith("depth_head.") else v
                                  for k, v in trace.items() if not k.startswith("point_head.")})


def check(out):
    for case in sorted(p.parent for p in out.glob("*/args.json")):
        predictions = run(case, json.loads((case / "args.json").read_text()), np.float32)
        wanted = np.load(case / "outputs.npz")
        assert predictions.keys() == set(wanted), case
        for k, v in predictions.items():
            finite = np.isfinite(wanted[k])
            assert v.shape == wanted[k].shape and np.array_equal(v[~finite], wanted[k][~finite]), (case, k)
            error = np.abs(v[finite] - wanted[k][finite]).max() / np.abs(wanted[k][finite]).max()
            print(f"{case.name:12}{k:26}{str(v.shape):20}largest error / largest value {error:.1e}")


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--check", action="store_true")
    a = args.parse_args()
    if a.check:
        return check(a.out)
    a.out.mkdir(parents=True)
    weights = ref.synthetic_weights(seed=a.seed, **AGGREGATOR) | heads.synthetic_head_weights(seed=a.seed, **HEADS)
    ref.write_safetensors(a.out / "tiny.safetensors", weights)
    for name in CASES:
        write_case(a.out, name)


if __name__ == "__main__":
    main()
