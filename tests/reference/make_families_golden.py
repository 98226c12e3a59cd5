# SPDX-License-Identifier: Apache-2.0
"""Writes golden cases for VGGT's relatives: tiny models of each family, and their passes through small pictures.

    python3 make_families_golden.py OUT                     writes them
    python3 make_families_golden.py OUT --check             runs the specifications in float32, prints the errors;
                                                            fails if one is above 1e-5 of the largest value
    python3 make_families_golden.py OUT --checkpoints DIR   writes the models as DIR/FAMILY.MODEL.safetensors

OUT/FAMILY/MODEL.json       {name: shape} of a model's tensors; their values are family_reference.py's
                            synthetic_tensor() of seed 1
OUT/FAMILY/CASE/args.json   `model`, a file; `times`, numbers by which the values of some tensors are multiplied;
                            `reference`, of Depth Anything 3, where the model does not choose
OUT/FAMILY/CASE/trace.npz   frames_u8, what run() notes (family_reference.py), and the final tokens

Everything is computed in float64 and stored in float32. Of each block q and k are stored; of the last one of a kind
also its output, and q and k before RoPE where RoPE turns them.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import family_reference as family
import da3_reference
import omega_reference
import pi3_reference
import streamvggt_reference
import vggt_reference as ref
from make_golden import picture
from make_heads_golden import save

SEED = 1
FAMILIES = {"streamvggt": streamvggt_reference, "pi3": pi3_reference, "da3": da3_reference, "omega": omega_reference}
MODELS = {
    "streamvggt/tiny": dict(dim=32, depth=2, head_dim=16),
    "pi3/tiny": dict(dim=64, depth=4, head_dim=16, dino_depth=2, grid=4),
    "da3/tiny": dict(dim=32, depth=6, head_dim=16, start=2, grid=3),
    "da3/swiglu": dict(dim=32, depth=6, head_dim=16, start=3, swiglu=True, grid=4),
    "da3/mono": dict(dim=64, depth=2, grid=5),
    "omega/tiny": dict(dim=32, depth=4, head_dim=16, dino_depth=2, registers=3),
    "omega/unmasked": dict(dim=32, depth=3, head_dim=16, dino_depth=1, masks=False),
}
# Of tokens so small the epsilon of the first norm is most of the variance: another one is seen at once.
QUIET = 2.0 ** -9
# FAMILY/CASE: model, frames, rows and columns of patches, and what else args.json says
CASES = {
    "streamvggt/three": ("tiny", 3, 2, 3, {}),
    "streamvggt/one": ("tiny", 1, 3, 2, {}),
    "pi3/three": ("tiny", 3, 2, 3, {}),
    "pi3/one": ("tiny", 1, 3, 2, {}),
    "pi3/quiet": ("tiny", 1, 2, 1, {"times": {
        "encoder.register_tokens": QUIET, "register_token": QUIET}}),
    "da3/three": ("tiny", 3, 2, 3, {}),
    "da3/three_kept": ("tiny", 3, 2, 3, {"reference": 0}),
    "da3/two": ("tiny", 2, 3, 2, {}),
    "da3/one": ("tiny", 1, 3, 3, {}),
    "da3/quiet": ("tiny", 1, 2, 3, {"times": {
        da3_reference.PREFIX + name: QUIET for name in ("cls_token", "pos_embed", "camera_token")}}),
    "da3/swiglu_four": ("swiglu", 4, 3, 2, {}),
    "da3/mono_two": ("mono", 2, 2, 3, {}),
    "omega/three": ("tiny", 3, 2, 3, {}),
    "omega/one": ("tiny", 1, 3, 2, {}),
    "omega/quiet": ("tiny", 1, 2, 3, {"times": {
        "aggregator.patch_embed.storage_tokens": QUIET, "aggregator.register_token": QUIET}}),
    "omega/unmasked_two": ("unmasked", 2, 3, 2, {}),
}


def shapes_of(model):
    return FAMILIES[model.split("/")[0]].synthetic_shapes(**MODELS[model])


def pictures(case):
    _, count, rows, columns, _ = CASES[case]
    patch = getattr(FAMILIES[case.split("/")[0]], "PATCH", ref.PATCH)
    return np.stack([np.asarray(picture(columns * patch, rows * patch, count - i)) for i in range(count)])


def weights_of(case):
    model, options = CASES[case][0], CASES[case][-1]
    weights = family.synthetic_weights(shapes_of(f"{case.split('/')[0]}/{model}"), SEED)
    return weights | {k: (weights[k] * factor).astype(np.float32) for k, factor in options.get("times", {}).items()}


def run(case, frames, dtype):
    """The pass that a case asks for: what is in its trace.npz."""
    options = {k: v for k, v in CASES[case][-1].items() if k != "times"}
    trace = {"frames_u8": frames}
    trace["tokens"] = FAMILIES[case.split("/")[0]].run(weights_of(case), frames, dtype, trace.__setitem__, **options)
    return {k: v for k, v in trace.items() if stored(k, trace)}


def stored(name, trace):
    kind, _, rest = name.partition("_")
    index, _, what = rest.partition("_")
    if what in ("q", "k") or not index.isdigit():
        return True
    turned = not what.endswith("_unrotated") or not np.array_equal(trace[name], trace[name.removesuffix("_unrotated")])
    blocks = [int(k.split("_")[1]) for k in trace if k.startswith(kind) and k.endswith("_x")]
    return turned and int(index) == max(blocks)


def write(out):
    for model in MODELS:
        path = out / f"{model}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(shapes_of(model), indent=1).replace("\n  ", " ").replace("\n ]", " ]"))
    for case, (model, _, _, _, options) in CASES.items():
        (out / case).mkdir(exist_ok=True)
        (out / case / "args.json").write_text(json.dumps({"model": f"../{model}.json"} | options, indent=2))
        arrays = run(case, pictures(case), np.float64)
        save(out / case / "trace.npz", arrays)


def check(out):
    for case in CASES:
        wanted = np.load(out / case / "trace.npz")
        got = run(case, wanted["frames_u8"], np.float32)
        assert got.keys() == set(wanted), case
        whole = [k for k in wanted if wanted[k].dtype.kind != "f"]
        assert all(np.array_equal(got[k], wanted[k]) for k in whole), case
        errors = {k: np.abs(got[k] - wanted[k]).max() / np.abs(wanted[k]).max() for k in wanted if k not in whole}
        worst = max(errors, key=errors.get)
        print(f"{case:24}{len(wanted):4} arrays, largest error / largest value {errors[worst]:.1e} in {worst}")
        assert all(error < 1e-5 for error in errors.values()), case


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--check", action="store_true")
    args.add_argument("--checkpoints", type=Path, metavar="DIR")
    a = args.parse_args()
    if a.check:
        return check(a.out)
    if a.checkpoints:
        a.checkpoints.mkdir(parents=True, exist_ok=True)
        for model in MODELS:
            path = a.checkpoints / f"{model.replace('/', '.')}.safetensors"
            ref.write_safetensors(path, family.synthetic_weights(shapes_of(model), SEED))
        return
    write(a.out)


if __name__ == "__main__":
    main()
