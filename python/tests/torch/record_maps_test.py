# SPDX-License-Identifier: Apache-2.0
"""The classic maps that a recording makes: the exporter's, of the recorded queries and keys."""

from __future__ import annotations

import io
import sys
import urllib.request
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import read_store
import torch
from recordings import assert_exact, recorded, refused
from small_pictures import noise
from twins import mapanything, streamvggt, vggt

import vggt_attn as va
from vggt_attn.torch import rope, store


def slow_maps(folder: Path, number: int, stride: tuple[int, int] = (1, 1)) -> np.ndarray:
    """[heads, queries, keys] of the definition of maps, in float64, from a recording's q and k."""
    about = read_store.description(folder)
    block, stored = about["blocks"]["global"], read_store.layer(folder, "global", number)
    q, k = (read_store.turned(stored[name], about, "global") for name in ("q", "k"))
    rows, columns = about["grid"]["H_p"], about["grid"]["W_p"]
    patch = np.arange(rows * columns).reshape(rows, columns)[:: stride[0], :: stride[1]].ravel()
    special = len(block["special_tokens"])
    per_frame = special + rows * columns
    keys = (np.arange(about["frames"])[:, None] * per_frame + special + patch).ravel()
    logits = q[:, keys[: len(patch)]] @ k[:, keys].transpose(0, 2, 1) * block["scale"]
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def levels(p: np.ndarray) -> np.ndarray:
    return np.trunc(np.clip(p / (np.quantile(p, 0.99) + 1e-8), 0, 1) * 255 + 0.5)


def difference(maps: np.ndarray, expected: np.ndarray) -> float:
    return float(abs(np.asarray(maps, float) - np.asarray(expected, float)).max())


@pytest.mark.parametrize("make", [vggt.make, vggt.learned_temperature, mapanything.make])
@pytest.mark.parametrize("per_head", [False, True])
def test_maps_are_those_of_what_was_recorded(make: Any, per_head: bool, tmp_path: Path) -> None:
    twin, folder = make(), tmp_path / "out"
    rec = recorded(twin, folder, heatmaps=True, save_per_head=per_head, stride_w=2)
    assert not rec.notes
    export = va.open(folder)
    assert export.maps.grid == (twin.grid[0], (twin.grid[1] + 1) // 2)
    assert [n - 1 for n in export.maps] == sorted(twin.exact["global"])
    assert export.model_text
    for layer in export.maps:
        p = slow_maps(folder, layer - 1, (1, 2))
        maps = export.maps[layer].reshape(p.shape[1], -1, p.shape[2])
        for head, one in enumerate(p if per_head else p.mean(0, keepdims=True)):
            # float32 beside float64: a level may fall on the other side of a rounding edge.
            assert difference(maps[:, head], levels(one)) <= 1


class Replay(torch.nn.Module):
    """Attends with given queries and keys [heads, tokens, d]."""

    def __init__(self, q: torch.Tensor, k: torch.Tensor) -> None:
        super().__init__()
        self.q, self.k, self.num_heads = q[None], k[None], len(q)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = (self.q * self.q.shape[-1] ** -0.5) @ self.k.transpose(-2, -1)
        mixed = logits.softmax(-1) @ self.k
        return x + mixed.transpose(1, 2).flatten(2)


class Replayed(torch.nn.Module):
    """A model whose attention is that of an export."""

    def __init__(self, export: va.Export) -> None:
        super().__init__()
        special, blocks = len(export.special_tokens), export.blocks["global"]
        at = rope.Layout(*export.grid, 1, special, 0)
        where = rope.grid_positions(at).repeat(export.frames, 1)
        turn = rope.Turn(where, 100.0, blocks.head_dim, "cpu")
        self.blocks = torch.nn.ModuleList()
        for layer in export.layers:
            q, k = (
                turn(torch.from_numpy(x.astype(np.float32)))
                for x in (export.q(layer), export.k(layer))
            )
            self.blocks.append(torch.nn.Sequential(OrderedDict(attn=Replay(q, k))))
        self.width = blocks.heads * blocks.head_dim

    def forward(self) -> torch.Tensor:
        x = torch.zeros(1, self.blocks[0].attn.q.shape[2], self.width)
        for block in self.blocks:
            x = block(x)
        return x


@pytest.mark.parametrize("per_head", [False, True])
def test_maps_are_those_of_an_export_with_the_same_queries_and_keys(
    per_head: bool, tmp_path: Path
) -> None:
    export = va.export(
        [noise(seed=seed) for seed in range(3)],
        out=tmp_path / "export",
        save_qk=True,
        save_per_head=per_head,
        image_size=70,
        precision="f32",
    )
    model = Replayed(export)
    with (
        torch.no_grad(),
        va.record(
            model,
            tmp_path / "out",
            images=export.image_paths,
            patterns={"global": r"blocks\.(\d+)\.attn"},
            grid=export.grid,
            special_tokens_place={"global": "first"},
            heatmaps=True,
            save_per_head=per_head,
        ),
    ):
        model()
    again = va.open(tmp_path / "out")
    assert list(again.maps) == list(export.maps)
    for layer in export.maps:
        assert again.maps[layer].shape == export.maps[layer].shape
        # The exporter's queries and keys were float32; of those that are stored, in float16,
        # probabilities differ by some thousandths, which is less than a level.
        assert difference(again.maps[layer], export.maps[layer]) <= 1
        np.testing.assert_allclose(again.maps[layer].scale, export.maps[layer].scale, rtol=5e-3)


def test_the_page_shows_them(tmp_path: Path) -> None:
    recorded(vggt.make(), tmp_path / "out", heatmaps=True, save_per_head=True)
    export = va.open(tmp_path / "out")
    with va.view(export, browser=False) as served:
        query = "api/maps.npy?layers=2&heads=1&row=1&col=2"
        with urllib.request.urlopen(f"{served.url}{query}", timeout=30) as answer:
            shown = np.load(io.BytesIO(answer.read()))
    np.testing.assert_array_equal(shown[0, 0], export.maps[2][5, 0])


def test_what_has_no_maps_is_refused_before_the_pass(tmp_path: Path, monkeypatch: Any) -> None:
    twin, stream = vggt.make(), streamvggt.make()
    twin.run = stream.run = lambda: pytest.fail("the pass ran")

    def check(message: str, twin: Any = twin, **how: Any) -> None:
        refused(message, twin, tmp_path / "a", heatmaps=True, **how)

    check("heatmaps are of global blocks", capture="frame")
    check("it sees itself alone", stream)
    check("stride_h=0: expected a number from 1", stride_h=0)
    check("stride_w=1.5: expected a number from 1", stride_w=1.5)
    monkeypatch.delattr(va, "_core", raising=False)
    monkeypatch.setitem(sys.modules, "vggt_attn._core", None)
    check(r"made by the compiled part.*cannot be imported.*pip install")
    twin = vggt.make()
    recorded(twin, tmp_path / "out")  # which needs none of it
    assert_exact(twin, tmp_path / "out")


def test_a_recording_does_without_maps_that_cannot_be_made(tmp_path: Path) -> None:
    twin, folder = streamvggt.make(), tmp_path / "out"
    pattern = {"global": r"global_blocks\.(\d+)\.attn"}  # so that the mask is only seen in the pass
    with pytest.warns(UserWarning, match="Maps are left out: .*the first frame attend to it alone"):
        rec = recorded(twin, folder, heatmaps=True, patterns=pattern)
    assert rec.notes[0].startswith("Maps are left out")
    assert_exact(twin, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["images", "qk"]
    assert not list(tmp_path.glob(".*"))


def test_ctrl_c_while_maps_are_made_leaves_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(va._core, "write_maps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recorded(vggt.make(), tmp_path / "out", heatmaps=True)
    assert not list(tmp_path.iterdir())


def test_maps_go_with_the_recording_that_they_are_of(tmp_path: Path) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    recorded(twin, folder, heatmaps=True)
    for name in ("attn_maps/layer_02/notes.txt", "images/mine.png", "qk/mine.safetensors"):
        (folder / name).write_text("mine")
    recorded(twin, folder, overwrite=True, heatmaps=True, layers=[1])
    assert list(va.open(folder).maps) == [1]
    recorded(twin, folder, overwrite=True)
    assert not va.open(folder).has_maps
    assert va.open(folder).layers == [1, 2]
    kept = sorted(str(path.relative_to(folder)) for path in folder.rglob("*mine*"))
    assert kept == ["images/mine.png", "qk/mine.safetensors"]
    assert [path.name for path in (folder / "attn_maps").rglob("*")] == ["layer_02", "notes.txt"]


def test_a_kept_recording_keeps_its_maps(tmp_path: Path) -> None:
    twin, folder = vggt.make(), tmp_path / "out"

    def run() -> None:
        twin.run()
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")

    with pytest.raises(va.Error, match="kept in"):
        recorded(twin, folder, run, heatmaps=True)
    store.finish(tmp_path / "out.unfinished", tmp_path / "elsewhere")
    assert list(va.open(tmp_path / "elsewhere").maps) == [1, 2]
