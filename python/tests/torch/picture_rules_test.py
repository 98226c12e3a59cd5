# SPDX-License-Identifier: Apache-2.0
"""Pictures lie under the patches as the recorded model's family puts them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import read_store
from PIL import Image
from recordings import recorded, refused
from twins import da3, omega, pi3, vggt

from vggt_attn.errors import Error
from vggt_attn.torch import picture_rules, vggt_transforms

PLANS = Path(__file__).resolve().parents[3] / "tests/golden/pictures/plans.txt"
KEYS = (
    "resized_width", "resized_height", "crop_top", "crop_height", "pad_top", "pad_left",
    "model_width", "model_height", "cut_left", "cut_top", "cut_right", "cut_bottom", "crop_left",
    "crop_right",
)  # fmt: skip
TWINS = {"vggt_crop": vggt, "pi3": pi3, "da3": da3, "omega": omega}


def test_rules_equal_the_specification() -> None:
    refusals, lines = 0, PLANS.read_text().splitlines()
    for line in lines:
        rule, *words = line.split()
        is_refused = words[-1] == "refused"
        if is_refused:
            words.pop()
        target, patch, count, *numbers = map(int, words)
        sizes = list(zip(numbers[: 2 * count : 2], numbers[1 : 2 * count : 2], strict=True))
        made = picture_rules.planned(rule, sizes, target, patch)
        if is_refused:
            refusals += 1
            assert made is None, line
            continue
        assert made is not None, line
        values = [one.get(key, 0) for one in made for key in KEYS]
        assert values == numbers[2 * count :], line
        assert [(one["original_width"], one["original_height"]) for one in made] == sizes
    assert len(lines) > 800
    assert refusals > 50


def pictures(folder: Path, twin: Any, patch: int, rule: str) -> list[Path]:
    """Of a size that ``rule`` changes, and of which it makes the twin's grid."""
    rows, columns = twin.grid
    for width in range(columns * patch + 1, 6 * columns * patch):
        size = (width, width * rows // columns + 1)
        if picture_rules.fitting(rule, [size], twin.grid, patch):
            path = folder / "picture.png"
            Image.new("RGB", size).save(path)
            return [path] * twin.frames
    raise AssertionError(f"{rule} makes {twin.grid} of nothing")


@pytest.mark.parametrize("rule", TWINS)
def test_a_familys_rule_is_its_pictures(rule: str, tmp_path: Path) -> None:
    twin = TWINS[rule].make()
    images = pictures(tmp_path, twin, TWINS[rule].PATCH, rule)
    rec = recorded(twin, tmp_path / "out", images=images)
    made = read_store.description(tmp_path / "out")["transforms"]
    assert len(made) == twin.frames
    rows, columns = twin.grid
    assert made[0]["model_width"] == columns * TWINS[rule].PATCH
    assert made[0]["model_height"] == rows * TWINS[rule].PATCH
    assert not [note for note in rec.notes if "picture rule" in note]


def test_another_rule_may_be_chosen(tmp_path: Path) -> None:
    twin = pi3.make()  # 3 × 2 patches of 4 pixels
    image = tmp_path / "tall.png"
    Image.new("RGB", (20, 32)).save(image)
    recorded(twin, tmp_path / "out", images=[image] * twin.frames, picture_rule="omega")
    made = read_store.description(tmp_path / "out")["transforms"]
    assert made == picture_rules.planned("omega", [(20, 32)] * twin.frames, 8, 4)
    assert len(made) == twin.frames


def test_what_does_not_fit_is_said_and_left_out(tmp_path: Path) -> None:
    twin = vggt.make()
    rec = recorded(twin, tmp_path / "out", picture_rule="vggt_pad")  # 2 × 3 patches are no square
    assert [note for note in rec.notes if "vggt_pad does not make the 2 × 3 patches" in note]
    assert read_store.description(tmp_path / "out")["transforms"] == []


def test_a_rule_is_known_and_alone(tmp_path: Path) -> None:
    twin = vggt.make()
    refused("expected one of vggt_crop", twin, tmp_path / "a", picture_rule="vggt")
    transforms = picture_rules.planned("vggt_crop", [(12, 8)] * 3, 0, 14)
    both = {"picture_rule": "pi3", "transforms": transforms}
    refused("picture_rule and transforms are both given", twin, tmp_path / "a", **both)


def test_a_picture_of_which_no_patch_is_left_is_refused() -> None:
    with pytest.raises(Error, match="no patch is left"):
        vggt_transforms([(640, 480), (3000, 1)])
