# SPDX-License-Identifier: Apache-2.0
"""Executable specification of VGGT's camera, depth and point heads, in plain NumPy.

Continues vggt_reference.py in its manner: slow on purpose, every formula once, in
the order in which data flows.  Needs numpy only (Pillow through vggt_reference).

    aggregator -> taps of four layers -+-> camera head -> pose encoding -> extrinsics, intrinsics -+
                                       +-> depth head  -> depth, confidence ----------------------+-> world points
                                       +-> point head  -> world points, confidence

Shapes: S frames of H x W pixels, Hp x Wp patches of 14 px, P = 5 + Hp*Wp tokens a
frame, C channels in the aggregator, 2C in a tap; maps are [S, channels, rows, columns].
Units: translation, depth and points share one scale that the model chooses itself;
angles are radians; intrinsics are pixels of the model's input.
"""

import numpy as np

from vggt_reference import PATCH, Aggregator, Block, count_blocks, gelu, layer_norm, synthetic_tensor

VGGT_1B_LAYERS = (4, 11, 17, 23)  # counted from 0, of 24


def silent(name, value):
    """What `note` does by default: intermediates are shown to nobody."""


# --- what the heads read -----------------------------------------------------

def collect_taps(aggregator, frames, layers):
    """frames uint8 [S, H, W, 3] -> {layer: [S, P, 2C]}: a frame block's output beside the global block's.

    Both after the whole block, not normalised, special tokens included.
    """
    taps = dict.fromkeys(layers)
    for _ in aggregator.global_qk(frames, taps):
        pass
    return taps


def head_weights(weights, head, dtype=np.float32):
    """The tensors of `head` ('camera_head', ...) by the rest of their names; {} where the checkpoint has none."""
    return {k[len(head) + 1:]: np.asarray(v, dtype) for k, v in weights.items() if k.startswith(head + ".")}


# --- camera head -------------------------------------------------------------

def linear(x, w, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def silu(x):
    return x / (1.0 + np.exp(-x))


def camera_head(token, w, heads=16, iterations=4, note=silent):
    """token [S, 2C], the camera token (0) of the last layer's tap -> one [S, 9] per iteration.

    The number of heads is not to be read off any shape: VGGT has 16 at every width.
    """
    c = layer_norm(token, w["token_norm.weight"], w["token_norm.bias"], 1e-5)
    plain = layer_norm(c, 1.0, 0.0, 1e-6)  # this norm alone has 1e-6, and no weights
    note("token", c)
    trunk = [Block(w, f"trunk.{i}.", c.shape[1] // heads, 1e-5) for i in range(count_blocks(w, "trunk."))]
    pose, activated = None, []
    for i in range(iterations):
        e = linear(w["empty_pose_tokens"][0] if pose is None else pose, w, "embed_pose")
        shift, scale, gate = np.split(linear(silu(e), w, "poseLN_modulation.1"), 3, axis=-1)
        z = gate * (plain * (1.0 + scale) + shift) + c  # from c again each time: z is not carried over
        note(f"modulated_{i}", z)
        for block in trunk:
            z = block(z[None])[0]  # a sequence of S tokens, without position or mask
        note(f"trunk_{i}", z)
        z = layer_norm(z, w["trunk_norm.weight"], w["trunk_norm.bias"], 1e-5)
        delta = linear(gelu(linear(z, w, "pose_branch.fc1")), w, "pose_branch.fc2")
        pose = delta if pose is None else pose + delta
        note(f"pose_raw_{i}", pose)  # this, not the activated copy, goes into the next iteration
        activated.append(np.concatenate([pose[:, :7], np.maximum(pose[:, 7:], 0.0)], 1))
    return activated


def cameras(pose, height, width):
    """pose [S, 9]: translation (0-2), quaternion x y z w (3-6), vertical (7) and horizontal (8) field of view.

    -> extrinsic [S, 3, 4] = [R | t], X_camera = R X_world + t, axes as OpenCV has them
    (x right, y down, z forward); intrinsic [S, 3, 3] in pixels of the height x width input.
    A field of view of 0 (the ReLU's floor) gives an infinite focal length, as in the original.
    """
    t, (x, y, z, w), (fov_h, fov_w) = pose[:, :3], pose[:, 3:7].T, pose[:, 7:].T
    s = 2.0 / (x * x + y * y + z * z + w * w)  # the quaternion is not of unit length
    rotation = np.stack([
        1.0 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w),
        s * (x * y + z * w), 1.0 - s * (x * x + z * z), s * (y * z - x * w),
        s * (x * z - y * w), s * (y * z + x * w), 1.0 - s * (x * x + y * y)], -1).reshape(-1, 3, 3)
    intrinsic = np.zeros_like(rotation)
    with np.errstate(divide="ignore"):
        intrinsic[:, 0, 0] = width / 2.0 / np.tan(fov_w / 2.0)
        intrinsic[:, 1, 1] = height / 2.0 / np.tan(fov_h / 2.0)
    intrinsic[:, 0, 2], intrinsic[:, 1, 2], intrinsic[:, 2, 2] = width / 2.0, height / 2.0, 1.0
    return np.concatenate([rotation, t[:, :, None]], 2), intrinsic


# --- depth and point head ----------------------------------------------------

def conv(x, w, name, stride=1):
    """x [S, n, rows, cols] with a kernel [m, n, k, k], zeros beyond the edge, k // 2 of them; bias if there is one."""
    kernel = w[name + ".weight"]
    (S, n, rows, cols), (m, _, k, _) = x.shape, kernel.shape
    rows, cols = (rows - 1) // stride + 1, (cols - 1) // stride + 1
    x = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    y = np.zeros((S, m, rows * cols), x.dtype)
    for dy in range(k):
        for dx in range(k):
            seen = x[:, :, dy:dy + stride * rows:stride, dx:dx + stride * cols:stride]
            y += kernel[:, :, dy, dx] @ seen.reshape(S, n, -1)
    if name + ".bias" in w:
        y += w[name + ".bias"][:, None]
    return y.reshape(S, m, rows, cols)


def conv_transposed(x, w, name):
    """Kernel [n, m, k, k] (input channels first) with stride k: every pixel becomes k x k pixels of its own."""
    kernel = w[name + ".weight"]
    (S, _, rows, cols), (_, m, k, _) = x.shape, kernel.shape
    y = np.einsum("snrc,nmyx->smrycx", x, kernel, optimize=True).reshape(S, m, k * rows, k * cols)
    return y + w[name + ".bias"][:, None, None]


def bilinear_weights(n_in, n_out):
    """[n_out, n_in] resampling matrix that lays the first and last samples on each other (align_corners)."""
    at = np.arange(n_out) * ((n_in - 1) / max(n_out - 1, 1))
    low = np.minimum(at.astype(int), n_in - 1)
    m = np.zeros((n_out, n_in))
    m[np.arange(n_out), low] += 1.0 - (at - low)
    m[np.arange(n_out), np.minimum(low + 1, n_in - 1)] += at - low
    return m


def bilinear(x, rows, cols):
    down, across = bilinear_weights(x.shape[2], rows), bilinear_weights(x.shape[3], cols)
    return down.astype(x.dtype) @ x @ across.T.astype(x.dtype)


def position_embedding(channels, rows, cols, aspect):
    """[channels, rows, cols], to be added: a tenth of sin x, cos x, sin y, cos y, a quarter of the channels each.

    x and y are the centres of the cells of a rows x cols grid over the picture, in half diagonals from
    the picture's centre; `aspect` is the picture's width / height, which the grid's may miss by rounding.
    """
    frequency = 100.0 ** (-np.arange(channels // 4) / (channels // 4))
    out = []
    for n, side in ((cols, aspect), (rows, 1.0)):
        edge = side / np.hypot(aspect, 1.0) * (n - 1) / n
        angle = frequency[:, None] * np.linspace(-edge, edge, n)
        out += [np.sin(angle), np.cos(angle)]
    x, y = np.concatenate(out[:2]), np.concatenate(out[2:])
    return 0.1 * np.concatenate([np.repeat(x[:, None, :], rows, 1), np.repeat(y[:, :, None], cols, 2)])


def add_position(x, aspect):
    return x + position_embedding(*x.shape[1:], aspect).astype(x.dtype)


def relu(x):
    return np.maximum(x, 0.0)


def residual_unit(x, w, name):
    """The original's first ReLU works in place, so that what is added at the end is relu(x), not x."""
    x = relu(x)
    return x + conv(relu(conv(x, w, name + ".conv1")), w, name + ".conv2")


def dpt_head(taps, w, hp, wp, note=silent):
    """taps: four of [S, P, 2C] -> [S, outputs, 14 hp, 14 wp], before the activations.

    Layer by layer the maps have 4, 2, 1 and 1/2 (rounded up) times the patches' rows and columns.
    """
    S, aspect = len(taps[0]), wp / hp
    side = []
    for k, tap in enumerate(taps):
        x = layer_norm(tap[:, -hp * wp:], w["norm.weight"], w["norm.bias"], 1e-5)  # one norm for all four
        x = x.transpose(0, 2, 1).reshape(S, -1, hp, wp)
        x = add_position(conv(x, w, f"projects.{k}"), aspect)
        note(f"projected_{k}", x)
        if k < 2:
            x = conv_transposed(x, w, f"resize_layers.{k}")
        elif k == 3:
            x = conv(x, w, f"resize_layers.{k}", stride=2)
        side.append(conv(x, w, f"scratch.layer{k + 1}_rn"))
        note(f"side_{k}", side[k])
    x = side[3]
    for k in (3, 2, 1, 0):
        name = f"scratch.refinenet{k + 1}."
        if k < 3:
            x = x + residual_unit(side[k], w, name + "resConfUnit1")
        x = residual_unit(x, w, name + "resConfUnit2")
        rows, cols = side[k - 1].shape[2:] if k else (8 * hp, 8 * wp)
        x = conv(bilinear(x, rows, cols), w, name + "out_conv")
        note(f"fused_{k}", x)
    x = conv(x, w, "scratch.output_conv1")  # no activation after it
    note("output_conv1", x)
    x = add_position(bilinear(x, PATCH * hp, PATCH * wp), aspect)
    x = conv(relu(conv(x, w, "scratch.output_conv2.0")), w, "scratch.output_conv2.2")
    note("raw", x)
    return x


def activate_depth(raw):
    """raw [S, 2, H, W] -> depth along the optical axis [S, H, W], confidence [S, H, W] from 1 upwards."""
    return np.exp(raw[:, 0]), 1.0 + np.exp(raw[:, 1])


def activate_points(raw):
    """raw [S, 4, H, W] -> points in the cameras' world [S, H, W, 3], confidence [S, H, W] from 1 upwards."""
    xyz = raw[:, :3].transpose(0, 2, 3, 1)
    return np.sign(xyz) * np.expm1(np.abs(xyz)), 1.0 + np.exp(raw[:, 3])


# --- depth to points ---------------------------------------------------------

def unproject(depth, extrinsic, intrinsic):
    """depth [S, H, W] -> world points [S, H, W, 3].  Pixel (row v, column u) stands at (u, v): no half pixel."""
    S, H, W = depth.shape
    v, u = np.mgrid[0:H, 0:W].astype(depth.dtype)
    focal, centre = intrinsic[:, [0, 1], [0, 1]], intrinsic[:, :2, 2]
    x = (u - centre[:, 0, None, None]) * depth / focal[:, 0, None, None]
    y = (v - centre[:, 1, None, None]) * depth / focal[:, 1, None, None]
    camera = np.stack([x, y, depth], -1).reshape(S, H * W, 3)
    rotation, t = extrinsic[:, :, :3], extrinsic[:, None, :, 3]
    return ((camera - t) @ rotation).reshape(S, H, W, 3)  # rows times R: R's transpose times columns


# --- all of it ---------------------------------------------------------------

def predict(weights, frames, layers=VGGT_1B_LAYERS, dtype=np.float32, heads=16, note=silent):
    """frames uint8 [S, H, W, 3] -> the predictions by their names in the original, of the heads that `weights` has."""
    aggregator = Aggregator(weights, dtype)
    last = aggregator.depth - 1  # the camera head's; in VGGT-1B the fourth of `layers` as well
    taps = collect_taps(aggregator, frames, {*layers, last})
    for i, tap in taps.items():
        note(f"tap_{i}", tap)
    return predict_from_taps(weights, [taps[i] for i in layers], taps[last], *frames.shape[1:3], dtype, heads, note)


def predict_from_taps(weights, taps, last, height, width, dtype=np.float32, heads=16, note=silent):
    """taps: four of [S, P, 2C] for depth and points; last [S, P, 2C], of the last layer, for the camera."""
    hp, wp = height // PATCH, width // PATCH
    out = {}

    def under(head):
        return lambda name, value: note(f"{head}.{name}", value)

    if w := head_weights(weights, "camera_head", dtype):
        out["pose_enc_list"] = np.stack(camera_head(last[:, 0], w, heads, note=under("camera_head")))
        out["pose_enc"] = out["pose_enc_list"][-1]
        out["extrinsic"], out["intrinsic"] = cameras(out["pose_enc"], height, width)
    if w := head_weights(weights, "depth_head", dtype):
        out["depth"], out["depth_conf"] = activate_depth(dpt_head(taps, w, hp, wp, under("depth_head")))
    if w := head_weights(weights, "point_head", dtype):
        out["world_points"], out["world_points_conf"] = activate_points(dpt_head(taps, w, hp, wp, under("point_head")))
    if "depth" in out and "pose_enc" in out:
        out["world_points_from_depth"] = unproject(out["depth"], out["extrinsic"], out["intrinsic"])
    return out


# --- checkpoints for tests ---------------------------------------------------

def synthetic_head_shapes(dim, trunk_depth=4, features=256, out_channels=(256, 512, 1024, 1024)):
    """State-dict shapes of the three heads over an aggregator of `dim` channels; VGGT-1B's with dim=1024."""
    d = 2 * dim
    camera, dpt = {"empty_pose_tokens": (1, 1, 9)}, {}

    def norm(shapes, name, channels):
        shapes.update({name + ".weight": (channels,), name + ".bias": (channels,)})

    def layer(shapes, name, n_out, *rest, bias=True):
        shapes[name + ".weight"] = (n_out, *rest)
        if bias:
            shapes[name + ".bias"] = (n_out,)

    norm(camera, "token_norm", d)
    norm(camera, "trunk_norm", d)
    layer(camera, "embed_pose", d, 9)
    layer(camera, "poseLN_modulation.1", 3 * d, d)
    layer(camera, "pose_branch.fc1", d // 2, d)
    layer(camera, "pose_branch.fc2", 9, d // 2)
    for i in range(trunk_depth):
        b = f"trunk.{i}."
        norm(camera, b + "norm1", d)
        layer(camera, b + "attn.qkv", 3 * d, d)
        layer(camera, b + "attn.proj", d, d)
        norm(camera, b + "norm2", d)
        layer(camera, b + "mlp.fc1", 4 * d, d)
        layer(camera, b + "mlp.fc2", d, 4 * d)
        camera.update({b + "ls1.gamma": (d,), b + "ls2.gamma": (d,)})

    norm(dpt, "norm", d)
    for k, n in enumerate(out_channels):
        layer(dpt, f"projects.{k}", n, d, 1, 1)
        layer(dpt, f"scratch.layer{k + 1}_rn", features, n, 3, 3, bias=False)
        f = f"scratch.refinenet{k + 1}."
        for unit in ("resConfUnit1", "resConfUnit2")[k == 3:]:  # the fourth has but the second
            layer(dpt, f + unit + ".conv1", features, features, 3, 3)
            layer(dpt, f + unit + ".conv2", features, features, 3, 3)
        layer(dpt, f + "out_conv", features, features, 1, 1)
    a, b, _, c = out_channels
    layer(dpt, "resize_layers.0", a, a, 4, 4)
    layer(dpt, "resize_layers.1", b, b, 2, 2)
    layer(dpt, "resize_layers.3", c, c, 3, 3)
    layer(dpt, "scratch.output_conv1", features // 2, features, 3, 3)
    layer(dpt, "scratch.output_conv2.0", 32, features // 2, 3, 3)

    shapes = {"camera_head." + k: s for k, s in camera.items()}
    for head, outputs in (("depth_head.", 2), ("point_head.", 4)):
        shapes.update({head + k: s for k, s in dpt.items()})
        layer(shapes, head + "scratch.output_conv2.2", outputs, 32, 1, 1)
    return shapes


def synthetic_head_weights(seed=0, **shape_args):
    return {k: synthetic_tensor(k, s, seed) for k, s in synthetic_head_shapes(**shape_args).items()}
