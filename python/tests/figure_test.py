# SPDX-License-Identifier: Apache-2.0
"""Figures and their numbers, as the command line makes them."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vggt_attn as va
from vggt_attn import Export

SAME: list[dict[str, Any]] = [
    {"queries": [(1, 2)]},
    {"queries": (1, 2), "layer": np.int64(1), "head": 2, "definition": "model"},
    {"queries": [(1, 2), (2, 0, 3), (1, "camera")], "definition": "model", "width": 85.0},
    {
        "queries": "1.2-2.3",
        "definition": "cosine",
        "view": "heads",
        "layer": 2,
        "colormap": "viridis",
        "log": True,
    },
    {"queries": [(0, 0)], "frames": [0, 2], "gamma": 0.5, "dpi": 72, "title": False},
]


@pytest.mark.parametrize("recipe", SAME)
def test_files_are_those_of_the_command_line(
    made: Export, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    figure = made.figure(tmp_path / "a.png", **recipe)
    figure.save(tmp_path / "recipe.json")
    for name in ("a.svg", "a.csv", "a.npy"):
        assert figure.save(tmp_path / name) == tmp_path / name
    for name in ("a.png", "a.svg", "a.csv", "a.npy"):
        command = ["figure", "recipe.json", "-o", f"cli_{name}"]
        subprocess.run(
            [sys.executable, "-m", "vggt_attn", *command],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
        assert (tmp_path / name).read_bytes() == (tmp_path / f"cli_{name}").read_bytes()
    assert figure._repr_png_() == figure.data() == (tmp_path / "a.png").read_bytes()
    assert figure.data("pdf").startswith(b"%PDF-")


def test_recipes_are_mappings_files_and_keywords(made: Export, tmp_path: Path) -> None:
    want = made.figure(queries=[(1, 2)], layer=2).data("svg")
    assert made.figure(recipe={"queries": ["1.2"], "layer": "2"}).data("svg") == want
    assert made.figure(recipe={"queries": "1.2", "layer": 1}, layer=2).data("svg") == want
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({"export": "elsewhere", "queries": ["1.2"], "layer": 2}))
    assert made.figure(recipe=file).data("svg") == want
    assert made.figure(recipe=str(file), layer=None).data("svg") == want


def test_recipes_name_exports_as_seen_from_themselves(
    made: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "link").symlink_to(made.path)
    figure = va.open("link").figure(queries=[(1, 2)], definition="model")
    figure.save("figures/a.json")
    monkeypatch.chdir("/")
    command = [sys.executable, "-m", "vggt_attn", "figure", "figures/a.json", "-o", "a.svg"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "a.svg").read_bytes() == figure.data("svg")
    with pytest.raises(va.Error, match="exists already"):
        figure.save(tmp_path / "figures/a.json")


def test_numbers_equal_attention(made: Export, tmp_path: Path) -> None:
    made.figure(tmp_path / "a.npy", queries=[(1, 2)], layer=2, head=1, definition="model")
    got = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(got[0, 0], made.attention(2, 1, row=1, col=2))


def test_two_exports_are_compared(made: Export, tmp_path: Path) -> None:
    both = made.figure(queries=[(1, 2)], other=made.path, compare="difference", definition="model")
    both.save(tmp_path / "a.npy")
    a, b, difference = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(a, b)
    assert not difference.any()
    both.save(tmp_path / "recipe.json")
    again = made.figure(recipe=tmp_path / "recipe.json")
    assert again.recipe == both.recipe


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "`queries`: is missing"),
        ({"queries": [(1, 2)], "colour": "red"}, "`colour`: is no key of a recipe"),
        ({"queries": [(9, 9)]}, "`queries`"),
        ({"queries": [(1, 2, 3, 4)]}, "`queries`: (1, 2, 3, 4) is no place"),
        ({"queries": [(1, 2)], "layer": 99}, "`layer`"),
        ({"queries": [(1, 2)], "gamma": 9}, "`gamma`: '9' is no number from 0.2 to 3"),
        ({"queries": (-1, 2)}, "`queries`: is negative"),
        ({"queries": (1, 2), "layer": 0}, "`layer`: there is no layer 0. They count from 1."),
        ({"queries": (1, 2), "width": math.nan}, "`width`: 'nan' is no number from 40 to 400"),
        ({"queries": (1, 2), "width": math.inf}, "`width`: 'inf' is no number from 40 to 400"),
        ({"queries": (1, 2), "width": 10**400}, "`width`: '1000"),
    ],
)
def test_recipes_that_cannot_be_are_refused(made: Export, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(va.OptionError) as refused:
        made.figure(**keys)
    assert said in str(refused.value)


def test_files_that_cannot_be_are_refused(made: Export, tmp_path: Path) -> None:
    figure = made.figure(queries=[(1, 2)])
    figure.save(tmp_path / "a.csv")
    with pytest.raises(va.Error, match="exists already"):
        figure.save(tmp_path / "a.csv")
    figure.save(tmp_path / "a.csv", overwrite=True)
    with pytest.raises(va.Error, match=r"ends in none of \.png"):
        figure.save(tmp_path / "a.gif")
    with pytest.raises(va.OptionError, match="'gif' is none of png, svg, pdf"):
        figure.data("gif")
    with pytest.raises(TypeError, match="layer must be"):
        made.figure(queries=[(1, 2)], layer=[1])
    for wrong in (5, ("camera", 0)):
        with pytest.raises(TypeError, match="queries must be"):
            made.figure(queries=wrong)
    with pytest.raises(TypeError, match="file_format must be text"):
        figure.data(3)  # type: ignore[arg-type]
    with pytest.raises(va.MissingFile, match=r"nothing\.json: no such file"):
        made.figure(recipe=tmp_path / "nothing.json")
    (tmp_path / "picture.json").write_bytes(b"\x89PNG")
    with pytest.raises(va.Error, match=r"picture\.json: is no text"):
        made.figure(recipe=tmp_path / "picture.json")


def test_definitions_may_be_given(made: Export) -> None:
    figure = made.figure(queries=(1, 2), definition=va.definitions()[1])
    assert figure.recipe["definition"] == va.definitions()[1].name
