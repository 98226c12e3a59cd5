# SPDX-License-Identifier: Apache-2.0
"""How families of models fit pictures, in sizes; src/image/picture_rules.h says what each does.

Sizes are computed in the families' own order of operations, which decides what is a tie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Size = tuple[int, int]  # width, height
Transform = dict[str, int]  # docs/formats.md

RULES = ("vggt_crop", "vggt_pad", "pi3", "da3", "omega")
FAMILY_RULES = {
    "vggt": "vggt_crop",
    "fastvggt": "vggt_crop",
    "streamvggt": "vggt_crop",
    "pi3": "pi3",
    "da3": "da3",
    "omega": "omega",
}
_MOST_PATCHES = 300  # of a target
_PI3_PIXELS = 255_000
_MISSING_IS_0 = ("cut_left", "cut_top", "cut_right", "cut_bottom", "crop_left", "crop_right")


def own_patch(rule: str | None) -> int:
    """The side of a patch of the family's models, in pixels."""
    return 16 if rule == "omega" else 14


def planned(rule: str, sizes: Sequence[Size], target: int, patch: int) -> list[Transform] | None:
    """How ``rule`` fits pictures of these sizes.

    Args:
        rule: one of `RULES`.
        sizes: of each picture, in the model's order.
        target: pixels, as the rule takes them; 0: the family's own.
        patch: pixels of a side.

    Returns:
        None if a picture is so long that no patch is left, or too many.
    """
    first = None
    distinct: dict[Size, Transform] = {}
    for size in sizes:
        if size in distinct:
            continue
        one = _alone(rule, size, target, patch, first)
        if one is None:
            return None
        first = first or one
        distinct[size] = one
    _join(list(distinct.values()), crops=rule == "da3")
    for one in distinct.values():
        for key in _MISSING_IS_0:
            if one[key] == 0:
                del one[key]
    return [dict(distinct[size]) for size in sizes]


def fitting(
    rule: str, sizes: Sequence[Size], grid: tuple[int, int], patch: int
) -> list[Transform] | None:
    """How ``rule`` makes ``grid`` (rows, columns) of these pictures, at whatever target; or None.

    The family's own target goes before others.
    """
    targets = range(patch, (_MOST_PATCHES + 1) * patch, patch)
    if rule == "pi3":  # whose target² need only hold the frame
        side = math.isqrt(grid[0] * grid[1]) * patch
        targets = range(side, 2 * side)
    for target in (0, *targets):
        made = planned(rule, sizes, target, patch)
        if made and (made[0]["model_height"], made[0]["model_width"]) == (
            grid[0] * patch,
            grid[1] * patch,
        ):
            return made
    return None


def _alone(
    rule: str, size: Size, target: int, patch: int, first: Transform | None
) -> Transform | None:
    """What becomes of one picture before all get one size."""
    width, height = size
    t = dict.fromkeys(_MISSING_IS_0, 0)
    if rule == "omega" and height < 0.5 * width:
        t["cut_left"] = (width - 2 * height) // 2
        t["cut_right"] = width - 2 * height - t["cut_left"]
    elif rule == "omega" and height > 2 * width:
        t["cut_top"] = (height - 2 * width) // 2
        t["cut_bottom"] = height - 2 * width - t["cut_top"]
    own = {"vggt_crop": 518, "vggt_pad": 518, "omega": 512}.get(rule, 504)
    pixels = target**2 if target else _PI3_PIXELS
    target = target or max(own // patch, 1) * patch
    if rule == "pi3" and first is not None:
        resized_width, resized_height = first["resized_width"], first["resized_height"]
    else:
        kept_width = width - t["cut_left"] - t["cut_right"]
        kept_height = height - t["cut_top"] - t["cut_bottom"]
        limit = pixels if rule == "pi3" else target
        wide, high = _GRIDS[rule](kept_width, kept_height, limit, patch)
        most = math.inf if rule == "vggt_crop" else 2 * _MOST_PATCHES
        if not (1 <= wide <= most and 1 <= high <= most):
            return None
        resized_width, resized_height = wide * patch, high * patch
    crop_height = min(resized_height, target) if rule == "vggt_crop" else resized_height
    t |= {
        "original_width": width,
        "original_height": height,
        "resized_width": resized_width,
        "resized_height": resized_height,
        "crop_top": (resized_height - crop_height) // 2,
        "crop_height": crop_height,
        "pad_top": 0,
        "pad_left": 0,
        "model_width": resized_width,
        "model_height": crop_height,
    }
    if rule == "vggt_pad":
        t["pad_left"] = (target - resized_width) // 2
        t["pad_top"] = (target - resized_height) // 2
        t["model_width"] = t["model_height"] = target
    return t


def _join(transforms: list[Transform], *, crops: bool) -> None:
    """Gives frames one size, by padding or cropping."""
    side = min if crops else max
    width = side(t["model_width"] for t in transforms)
    height = side(t["model_height"] for t in transforms)
    for t in transforms:
        if crops:
            t["crop_left"] = (t["resized_width"] - width) // 2
            t["crop_right"] = t["resized_width"] - width - t["crop_left"]
            t["crop_top"] = (t["resized_height"] - height) // 2
            t["crop_height"] = height
        else:
            t["pad_left"] += (width - t["model_width"]) // 2
            t["pad_top"] += (height - t["model_height"]) // 2
        t["model_width"], t["model_height"] = width, height


# Each takes width, height, a limit and the side of a patch, and gives patches: wide, high.


def _vggt_crop(width: int, height: int, target: int, patch: int) -> Size:
    return target // patch, round(height * (target / width) / patch)


def _vggt_pad(width: int, height: int, target: int, patch: int) -> Size:
    scale = target / max(width, height)
    if width >= height:
        return target // patch, round(height * scale / patch)
    return round(width * scale / patch), target // patch


def _pi3(width: int, height: int, most_pixels: int, patch: int) -> Size:
    scale = math.sqrt(most_pixels / (width * height))
    wanted_width, wanted_height = width * scale, height * scale
    wide, high = round(wanted_width / patch), round(wanted_height / patch)
    while wide * patch * (high * patch) > most_pixels:
        if wide / high > wanted_width / wanted_height:
            wide -= 1
        else:
            high -= 1
    return max(wide, 1), max(high, 1)


def _da3(width: int, height: int, target: int, patch: int) -> Size:
    longest = max(width, height)

    def patches(old: int) -> int:
        side = old if longest == target else max(1, round(old * (target / longest)))
        down, rest = divmod(side, patch)
        return down + 1 if rest > 0 and patch - rest <= rest else down

    return patches(width), patches(height)


def _omega(width: int, height: int, target: int, patch: int) -> Size:
    patches = (target // patch) ** 2
    wide = math.sqrt(patches / (height / width))
    return max(1, round(wide)), max(1, round(patches / wide))


_GRIDS: dict[str, Callable[[int, int, int, int], Size]] = {
    "vggt_crop": _vggt_crop,
    "vggt_pad": _vggt_pad,
    "pi3": _pi3,
    "da3": _da3,
    "omega": _omega,
}
