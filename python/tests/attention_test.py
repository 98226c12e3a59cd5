# SPDX-License-Identifier: Apache-2.0
"""Exact attention: against double precision, in every form that it can be asked for."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from slow_attention import logits, softmax

import vggt_attn as va
from vggt_attn import Export

TOLERANCE = 5e-6  # probabilities, of logits that are float32 sums of some hundred products


def token(export: Export, frame: int, row: int, col: int, block: str = "global") -> int:
    """Where a patch stands among all tokens."""
    height, width = export.grid
    specials = len(export.blocks[block].special_tokens)
    return frame * (specials + height * width) + specials + row * width + col


def by_frames(export: Export, row: NDArray[Any]) -> NDArray[Any]:
    """[frames, tokens] of a row of the matrix."""
    return row.reshape(export.frames, -1)


def test_equals_double_precision(made: Export) -> None:
    height, width = made.grid
    specials = len(made.special_tokens)
    for layer in made.layers:
        for head in range(1, made.heads + 1):
            l = logits(made, layer, head)  # noqa: E741
            p = softmax(l)
            query = token(made, 2, 1, 3)
            got = made.attention(layer, head, frame=2, row=1, col=3, tokens=True)
            np.testing.assert_allclose(got, by_frames(made, p[query]), atol=TOLERANCE)
            got = made.attention(layer, head, frame=2, row=1, col=3)
            assert got.dtype == np.float32
            assert got.shape == (3, height, width)
            want = by_frames(made, p[query])[:, specials:].reshape(got.shape)
            np.testing.assert_allclose(got, want, atol=TOLERANCE)
            got = made.attention(layer, head, 2, 1, 3, incoming=True, tokens=True)
            np.testing.assert_allclose(got, by_frames(made, p[:, query]), atol=TOLERANCE)


def test_every_definition_equals_double_precision(made: Export) -> None:
    specials = len(made.special_tokens)
    query = token(made, 0, 0, 1)
    ask: dict[str, Any] = {"layer": 2, "head": 1, "row": 0, "col": 1, "tokens": True}
    for rope in ("after", "before"):
        l = logits(made, 2, 1, rope=rope == "after")[query]  # noqa: E741
        rows = by_frames(made, l)
        got = made.attention(**ask, definition="logits", rope=rope)
        np.testing.assert_allclose(got, rows, atol=2e-5 * np.abs(l).max())
        got = made.attention(**ask, definition="patches", rope=rope)
        want = np.zeros_like(rows)
        want[:, specials:] = softmax(rows[:, specials:].ravel()).reshape(rows.shape[0], -1)
        np.testing.assert_allclose(got, want, atol=TOLERANCE)
        got = made.attention(**ask, definition="frame", rope=rope)
        np.testing.assert_allclose(got, softmax(rows), atol=TOLERANCE)
        got = made.attention(**ask, definition="cosine", rope=rope)
        q, k = (np.asarray(side(2)[0], np.float64) for side in (made.q, made.k))
        lengths = np.linalg.norm(q[query]) * np.linalg.norm(k, axis=-1)
        want = by_frames(made, l / made.blocks["global"].scale / lengths)
        np.testing.assert_allclose(got, want, atol=TOLERANCE)
    assert {d.name for d in va.definitions()} == {"model", "patches", "frame", "logits", "cosine"}


def test_blocks_of_one_frame_meet_no_other(made: Export) -> None:
    got = made.attention(1, 1, frame=1, row=0, col=0, block="frame", tokens=True)
    size = got.shape[1]
    own = logits(made, 1, 1, block="frame")[size : 2 * size, size : 2 * size]
    want = softmax(own)[token(made, 0, 0, 0, "frame")]
    np.testing.assert_allclose(got[1], want, atol=TOLERANCE)
    assert not got[[0, 2]].any()
    assert np.isnan(
        made.attention(1, 1, 1, 0, 0, block="frame", definition="logits", frames=0)
    ).all()


@pytest.mark.parametrize("kind", ["causal", "scene"])
def test_stores_of_other_models_equal_double_precision(
    make_export: Path, tmp_path: Path, kind: str
) -> None:
    subprocess.run([sys.executable, str(make_export), str(tmp_path), kind], check=True)
    export = va.open(tmp_path / kind)
    blocks = export.blocks["global"]
    assert blocks.scene_tokens == (["scale"] if kind == "scene" else [])
    assert blocks.attends == ("causal" if kind == "causal" else "all")
    size = len(blocks.special_tokens) + 6 * 8
    l = logits(export, 2, 1)  # noqa: E741
    assert l.shape == (4 * size + len(blocks.scene_tokens),) * 2
    seen = slice(0, 2 * size) if kind == "causal" else slice(None)  # of frame 1
    want = np.zeros(len(l))
    query = token(export, 1, 2, 3)
    want[seen] = softmax(l[query, seen])
    got = export.attention(2, 1, frame=1, row=2, col=3, tokens=True)
    np.testing.assert_allclose(got, want[: 4 * size].reshape(4, size), atol=TOLERANCE)
    # What scene tokens get belongs to no frame.
    assert got.sum() == pytest.approx(1 - want[4 * size :].sum(), abs=1e-5)
    assert not export.has_maps
    assert export.maps.grid == (0, 0)
    assert len(export.maps) == 0


def test_axes_follow_what_is_asked_for(made: Export) -> None:
    grid, layers, heads = made.grid, len(made.layers), made.heads
    at: dict[str, Any] = {"row": 1, "col": 2}
    whole = made.attention("all", "all", **at)
    assert whole.shape == (layers, heads, 3, *grid)
    assert made.attention(**at).shape == (3, *grid)
    np.testing.assert_array_equal(made.attention(**at, head="max"), whole[-1].max(0))
    np.testing.assert_allclose(made.attention(**at), whole[-1].mean(0), atol=1e-7)
    np.testing.assert_array_equal(made.attention([2, 1], 2, **at), whole[[1, 0], 1])
    np.testing.assert_array_equal(made.attention(range(1, 3), [2, 1], **at), whole[:2, [1, 0]])
    np.testing.assert_array_equal(made.attention("2", 1, **at, frames=2), whole[1, 0, 2])
    np.testing.assert_array_equal(made.attention((2,), "1", **at, frames=(2,)), whole[1:2, 0, 2:])
    some = made.attention(2, [1, 2], **at, reduce="mean")
    np.testing.assert_allclose(some, whole[1, :2].mean(0), atol=1e-7)
    assert made.attention(token="camera").shape == (3, *grid)
    everything = made.attention("all", 1, **at, tokens=True)
    assert everything.shape == (layers, 3, len(made.special_tokens) + grid[0] * grid[1])
    np.testing.assert_allclose(everything.sum((1, 2)), 1, atol=1e-5)


def test_answers_are_the_users_own(made: Export) -> None:
    first, again = (made.attention(1, 1, row=0, col=0) for _ in range(2))
    first += 1
    np.testing.assert_array_equal(first, again + 1)


def test_numbers_may_be_of_any_whole_kind(made: Export) -> None:
    want = made.attention(2, 1, frame=1, row=1, col=2)
    got = made.attention(
        np.asarray(2), np.uint8(1), frame=np.int32(1), row=np.asarray(1), col=np.int16(2)
    )
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(made.attention(np.array([2, 1]), 1, 1, 1, 2)[0], want)


def test_arrays_of_places_are_a_batch(made: Export) -> None:
    rows, cols = np.mgrid[0:2, 1:4]
    got = made.attention(1, 2, frame=1, row=rows, col=cols)
    assert got.shape == (2, 3, 3, *made.grid)
    for at in np.ndindex(2, 3):
        single = made.attention(1, 2, frame=1, row=rows[at], col=cols[at])
        np.testing.assert_array_equal(got[at], single)
    frames = made.attention(1, "all", frame=[0, 2], row=1, col=1)
    np.testing.assert_array_equal(frames[1], made.attention(1, "all", frame=2, row=1, col=1))
    cameras = made.attention(1, frame=[0, 1, 2], token="camera")
    np.testing.assert_array_equal(cameras[2], made.attention(1, frame=2, token="camera"))
    with pytest.raises(va.OptionError, match="no query"):
        made.attention(1, row=[], col=[])


def test_several_patches_are_answered_by_their_mean(made: Export) -> None:
    each = made.attention(2, 1, row=[1, 1, 2, 2], col=[0, 1, 0, 1])
    for got in (
        made.attention(2, 1, rows=(1, 2), cols=(0, 1)),
        made.attention(2, 1, rows="2-1", cols="0-1"),
        made.attention(2, 1, cells=[(1, 0), (1, 1), (2, 0), (2, 1)]),
    ):
        np.testing.assert_allclose(got, each.mean(0), atol=1e-7)


def test_pixels_of_the_original_name_patches(made: Export) -> None:
    # Pictures of 70×56 are seen as 70×56: a patch is 14 pixels wide and high.
    assert made.grid == (4, 5)
    assert made.patch_at(28, 13.9, frame=1) == (0, 2)
    assert made.patch_at(70, 56) == (3, 4)
    np.testing.assert_allclose(made.patch_box(1, 2), (28, 14, 42, 28))
    want = made.attention(1, 1, row=[1, 0], col=[2, 3])
    np.testing.assert_array_equal(made.attention(1, 1, x=[30.5, 55], y=[20, 3.5]), want)
    with pytest.raises(va.OptionError, match=r"`x`: 71 lies outside the picture of frame 0"):
        made.attention(1, 1, x=71, y=0)
    with pytest.raises(va.OptionError, match="go together"):
        made.attention(1, 1, x=1, row=0)
    with pytest.raises(ValueError, match="there is no frame 3"):
        made.patch_at(0, 0, frame=3)


def test_cropped_pictures_know_what_the_model_saw(tmp_path: Path) -> None:
    tall = np.zeros((210, 70, 3), np.uint8)
    export = va.export([tall], out=tmp_path / "out", image_size=70, save_qk=True, heatmaps=False)
    assert export.grid == (5, 5)  # the middle 70 of 210 rows
    assert export.patch_at(0, 70) == (0, 0)
    np.testing.assert_allclose(export.patch_box(0, 0), (0, 70, 14, 84))
    with pytest.raises(va.OptionError, match="did not see the point"):
        export.patch_at(0, 60)


def test_threads_get_equal_answers(made: Export) -> None:
    asked = [(layer, row, col) for layer in made.layers for row in range(4) for col in range(5)]

    def answer(at: tuple[int, int, int]) -> NDArray[Any]:
        return made.attention(at[0], "all", row=at[1], col=at[2], incoming=at[1] == 0)

    want = [answer(at) for at in asked]
    with ThreadPoolExecutor(8) as pool:
        for got, expected in zip(pool.map(answer, asked * 3), want * 3, strict=True):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layer": 99}, "`layer`: the store has no layer 99. Its layers are 1"),
        ({"layer": 0}, "`layer`: there is no layer 0. They count from 1."),
        ({"layer": -1}, "`layer`: is negative. Nothing counts from the end."),
        ({"layer": 10**5000}, "`layer`: is too large"),
        ({"row": -1}, "`row`: is negative"),
        ({"row": [0, -1]}, "`row`: is negative"),
        ({"col": 10**30}, "`col`: is too large"),
        ({"row": None, "col": None, "cells": []}, "`cells`: names none"),
        ({"head": 0}, "`head`: there is no head 0. They run from 1 to "),
        ({"frame": 3}, "`frame`: there is no frame 3. They run from 0 to 2"),
        ({"row": 4}, "`row`: there is no row 4. They run from 0 to 3"),
        ({"row": None, "col": None}, "no query is given. Give `row` and `col`"),
        ({"row": None}, "`row`: is missing"),
        ({"token": "camera"}, "several queries are given"),
        ({"definition": "probability"}, "`definition`: 'probability' is none of model, patches"),
        ({"block": "encoder"}, "`block`: the store has no encoder blocks. It has global"),
        ({"layer": []}, "`layer`: names none"),
        ({"head": [1, 1]}, "`head`: head 1 is named twice"),
    ],
)
def test_what_cannot_be_is_refused(made: Export, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(va.OptionError) as refused:
        made.attention(**({"layer": 1, "row": 0, "col": 0} | asked))
    assert str(refused.value).startswith(said)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    "asked",
    [
        {"layer": 1.5},
        {"row": 0.5},
        {"frame": "0"},
        {"head": True},
        {"definition": 1},
        {"block": 1},
        {"rope": True},
        {"row": None, "col": None, "token": 0},
    ],
)
def test_other_types_are_refused(made: Export, asked: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"{list(asked)[-1]} must be "):
        made.attention(**({"layer": 1, "row": 0, "col": 0} | asked))


def test_defaults_and_definitions_may_be_given(made: Export) -> None:
    for definition in va.definitions():
        np.testing.assert_array_equal(
            made.attention(1, 1, row=0, col=0, frame=None, definition=definition),
            made.attention(1, 1, row=0, col=0, definition=definition.name),
        )


def test_an_export_without_a_store_says_how_to_have_one(tmp_path: Path) -> None:
    picture = np.zeros((28, 28, 3), np.uint8)
    export = va.export([picture], out=tmp_path / "maps", image_size=28)
    with pytest.raises(va.Error, match=r"holds no queries and keys .* Export with `save_qk`"):
        export.attention(row=0, col=0)
    with pytest.raises(va.Error, match="Export with `save_qk`"):
        export.q(1)
    with pytest.raises(va.Error, match="Export with `save_qk`"):
        export.report()
