# SPDX-License-Identifier: Apache-2.0
"""Writes golden cases: pictures, checkpoints, and what the export must make of them.

    python3 make_golden.py OUT [--seed N]

OUT/preprocess/   pictures of many kinds (NAME.*) and, as NAME.expected.png, the
                  RGB pixels that the model must see (before the division by 255)
OUT/models/       tiny checkpoints: conv (bare patch convolution) in safetensors
                  F32, F16, BF16 and as a PyTorch .pt where torch is installed
                  (plain, {'model': ...} with 'module.' prefixes, and sliced,
                  transposed views); dino (two DINOv2 blocks)
OUT/export/CASE/  args.json, images/, and the export: attn_maps/ as the format says
OUT/trace/        every intermediate of one small forward pass, float64, one .npy
                  each, to bisect a wrong number
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import vggt_reference as ref

CONV = dict(dim=64, depth=3, head_dim=16)
DINO = dict(dim=128, depth=2, head_dim=64, dino_depth=2)


def picture(w, h, seed):
    """Smooth colour fields, hard edges and fine texture: all that a resampler can get wrong."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w] / max(w, h)
    rgb = np.zeros((h, w, 3))
    for c in range(3):
        fx, fy, ph = rng.uniform(2, 9, 3)
        rgb[..., c] = 0.5 + 0.35 * np.sin(fx * x + ph) * np.cos(fy * y - ph)
    for _ in range(12):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0, h / max(w, h)), rng.uniform(0.02, 0.12)
        inside = (np.abs(x - cx) < r) & (np.abs(y - cy) < r * rng.uniform(0.3, 1.0))
        rgb[inside] = rng.uniform(0, 1, 3)
    checker = (((x * 64).astype(int) + (y * 64).astype(int)) % 2 == 0) & (y > 0.7 * h / max(w, h))
    rgb[checker] = 1 - rgb[checker]
    return Image.fromarray((rgb.clip(0, 1) * 255).astype(np.uint8))


def preprocess_cases(out, seed):
    out.mkdir(parents=True)

    def save(name, img, **kw):
        path = out / name
        img.save(path, **kw)
        return path

    a = picture(640, 427, seed)
    alpha = Image.fromarray((np.mgrid[0:427, 0:640][1] / 640 * 255).astype(np.uint8))
    rgba = a.copy()
    rgba.putalpha(alpha)
    grey16 = Image.fromarray((np.asarray(a.convert("L"), np.uint16) * 257))
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer would turn it; the export, like Pillow's open(), does not
    singles = [
        save("rgb.png", a),
        save("rgba.png", rgba),
        save("palette.png", a.quantize(64)),
        save("grey.png", a.convert("L")),
        save("grey_alpha.png", rgba.convert("LA")),
        save("one_bit.png", a.convert("1")),
        save("upscale_small.png", picture(97, 61, seed + 1)),
        save("downscale_large.png", picture(1830, 1211, seed + 2).filter(ImageFilter.GaussianBlur(2))),
        save("portrait.png", picture(420, 700, seed + 3)),
        save("panorama.png", picture(1400, 300, seed + 4)),
        save("exact_518x350.png", picture(518, 350, seed + 5)),
        save("half_even_height.png", picture(518, 343, seed + 6)),  # 24.5 patches: rounds to 24
        save("baseline_420.jpg", a, quality=88, subsampling=2),
        save("baseline_444.jpg", a, quality=95, subsampling=0),
        save("progressive.jpg", a, quality=85, progressive=True),
        save("grey.jpg", a.convert("L"), quality=90),
        save("cmyk.jpg", a.convert("CMYK"), quality=90),
        save("exif_rotated.jpg", a, quality=90, exif=exif.tobytes()),
    ]
    for path in singles:
        Image.fromarray(ref.preprocess([path])[0]).save(f"{out}/{path.name}.expected.png")
    mixed = [out / n for n in ("rgb.png", "panorama.png", "portrait.png")]
    for path, frame in zip(mixed, ref.preprocess(mixed)):
        Image.fromarray(frame).save(f"{out}/mixed.{path.stem}.expected.png")
    (out / "mixed.json").write_text(json.dumps([p.name for p in mixed]))
    save("grey16.png", grey16)  # no expectation: Pillow clips 16-bit grey; scaling by 1/257 is the sane reading


def to_bf16_bits(a):
    bits = a.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_safetensors_as(path, weights, dtype):
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for k, v in weights.items():
        raw = (v.astype("<f2") if dtype == "F16" else to_bf16_bits(v)).tobytes()
        header[k] = {"dtype": dtype, "shape": list(v.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        blobs.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def checkpoints(out, seed):
    out.mkdir(parents=True)
    conv, dino = ref.synthetic_weights(seed=seed, **CONV), ref.synthetic_weights(seed=seed, **DINO)
    ref.write_safetensors(out / "conv.f32.safetensors", conv)
    ref.write_safetensors(out / "dino.f32.safetensors", dino)
    for dtype in ("F16", "BF16"):
        write_safetensors_as(out / f"conv.{dtype.lower()}.safetensors", conv, dtype)
    try:
        import torch
    except ImportError:
        print("no torch: .pt checkpoints left out")
    else:
        from collections import OrderedDict
        t = OrderedDict((k, torch.from_numpy(v.copy())) for k, v in conv.items())
        torch.save(t, out / "conv.pt")
        torch.save({"model": OrderedDict(("module." + k, v) for k, v in t.items()), "epoch": 3}, out / "conv.wrapped.pt")
        big = {k: torch.empty(v.shape[::-1] if v.dim() == 2 else v.shape).copy_(v.t() if v.dim() == 2 else v)
               for k, v in t.items()}
        torch.save({k: (v.t() if v.dim() == 2 else v) for k, v in big.items()}, out / "conv.strided.pt")
        torch.save(OrderedDict((k, v.half()) for k, v in t.items()), out / "conv.f16.pt")
        torch.save(t, out / "conv.legacy.pt", _use_new_zipfile_serialization=False)  # must be refused, clearly
    return {"conv": conv, "dino": dino}


def export_case(out, name, model, weights, sizes, seed, per_head=False, stride=(1, 1), first=0):
    case = out / name
    images = case / "input"
    images.mkdir(parents=True)
    for i, (w, h) in enumerate(sizes):
        picture(w, h, seed * 100 + i).save(images / f"{i:03d}.png")
    paths = sorted(images.iterdir())
    order = [paths[first]] + [p for i, p in enumerate(paths) if i != first]
    (case / "args.json").write_text(json.dumps(dict(
        model=model, images="input", num_images=len(paths), per_head=per_head,
        stride_h=stride[0], stride_w=stride[1], first_image_idx=first), indent=2))
    (case / "images").mkdir()
    for i, p in enumerate(order):
        shutil.copy(p, case / "images" / f"frame_{i:02d}.png")
    frames = ref.preprocess(order)
    S, H, W, _ = frames.shape
    hp, wp = H // ref.PATCH, W // ref.PATCH
    agg = ref.Aggregator(weights)
    root = case / "attn_maps"
    manifest = {"image_set_name": name, "layers": []}
    for i, (q, k) in enumerate(agg.global_qk(frames)):
        probs = ref.first_to_all(q, k, S, hp, wp, agg.special, *stride)
        maps, vmax, heads = ref.export_layer(probs, per_head)
        layer = f"layer_{i + 1:02d}"
        (root / layer).mkdir(parents=True)
        np.savez_compressed(root / layer / "heatmaps_uint8.npz", heatmaps=maps)
        meta = dict(S=S, H_p=hp, W_p=wp, stride_h=stride[0], stride_w=stride[1],
                    H_ds=maps.shape[-2], W_ds=maps.shape[-1], layer_vmax99=vmax,
                    normalized_by="per_head_vmax99" if per_head else "layer_vmax99", per_head_data=per_head,
                    npz_path=f"{layer}/heatmaps_uint8.npz",
                    image_paths=[f"../images/frame_{j:02d}.png" for j in range(S)],
                    image_sizes=[dict(width=Image.open(p).width, height=Image.open(p).height) for p in order])
        if per_head:
            meta |= dict(num_heads=probs.shape[1], per_head_vmax99=heads)
        (root / f"{layer}_metadata.json").write_text(json.dumps(meta, indent=2))
        manifest["layers"].append(dict(index=i, name=layer, metadata_path=f"{layer}_metadata.json", layer_vmax99=vmax))
    (root / "layers_manifest.json").write_text(json.dumps(manifest, indent=2))


class WatchedBlock(ref.Block):
    """A block that keeps its q and k [heads, frames * tokens, d] as they are before RoPE, and what
    a store holds beside them."""

    kept = {}
    frames, special = 2, 5  # in all stages

    def __init__(self, weights, prefix, head_dim, eps):
        super().__init__(weights, prefix, head_dim, eps)
        kind, index = prefix.strip(".").split(".")  # global_blocks, frame_blocks or the encoder's
        self.name = f"{kind.removesuffix('blocks').strip('_') or 'encoder'}_{index}"

    def qkv(self, x, yx):
        for name, value in zip("qk", super().qkv(x, None)):
            self.kept[f"{self.name}_{name}_unrotated"] = np.concatenate(list(value), 1)
        return super().qkv(x, yx)

    def finish(self, x, q, k, v):
        out = super().finish(x, q, k, v)
        for name, value in self.extras(v, out, self.frames, self.special).items():
            self.kept[f"{self.name}_{name}"] = value
        return out


def trace(out, weights):
    """One forward pass of the dino model on two 70 x 98 frames, every step saved as .npy."""
    out.mkdir(parents=True)
    ref.Block = WatchedBlock
    agg = ref.Aggregator(weights, np.float64)
    frames = np.stack([np.asarray(picture(98, 70, s)) for s in (7, 8)])

    def dump(name, value):
        np.save(out / f"{name}.npy", np.ascontiguousarray(value))

    dump("frames_u8", frames)
    x = ((frames / 255.0 - ref.MEAN) / ref.STD).transpose(0, 3, 1, 2)
    dump("normalized", x)
    dump("patch_tokens", agg.patch_tokens(x))
    for i, (q, k) in enumerate(agg.global_qk(frames)):
        dump(f"global_{i}_q", q)
        dump(f"global_{i}_k", k)
        dump(f"global_{i}_first_to_all", ref.first_to_all(q, k, 2, 5, 7, agg.special))
    for name, value in WatchedBlock.kept.items():
        if not (name.startswith("global") and name.endswith("unrotated")):  # from global_i_q, _k
            dump(name, value)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--seed", type=int, default=1)
    a = args.parse_args()
    preprocess_cases(a.out / "preprocess", a.seed)
    models = checkpoints(a.out / "models", a.seed)
    e, s = a.out / "export", a.seed
    same, tall, mixed = [(640, 427)] * 3, [(420, 700)] * 2, [(640, 427), (700, 300), (500, 500)]
    export_case(e, "conv_average", "conv", models["conv"], same, s, stride=(2, 3))
    export_case(e, "conv_per_head", "conv", models["conv"], same, s, per_head=True, stride=(3, 4), first=2)
    export_case(e, "conv_full_grid", "conv", models["conv"], [(640, 300)] * 2, s)
    export_case(e, "dino_per_head", "dino", models["dino"], tall, s, per_head=True, stride=(4, 4))
    export_case(e, "dino_mixed_sizes", "dino", models["dino"], mixed, s, stride=(4, 3))
    export_case(e, "conv_single_image", "conv", models["conv"], [(640, 427)], s, per_head=True, stride=(4, 4))
    trace(a.out / "trace", models["dino"])


if __name__ == "__main__":
    main()
