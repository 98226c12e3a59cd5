# SPDX-License-Identifier: Apache-2.0
"""Layers are whole wherever their attention stands, and whatever becomes of their weights."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import read_store
import torch
from recordings import FRAMES, recorded
from torch import nn
from twins import common, streamvggt, vggt

from vggt_attn.torch import rope
from vggt_attn.torch.layer_values import Copies, value_norms

TOKENS, DIM, HEADS = vggt.GRID[0] * vggt.GRID[1], vggt.DIM, vggt.HEADS


class Bare(nn.Module):
    """Attention modules in a list, or as children of the root; no blocks."""

    def __init__(self, in_list: bool) -> None:
        super().__init__()
        made = [common.Attention(DIM, HEADS) for _ in range(3)]
        self.attns = nn.ModuleList(made if in_list else [])
        for number, one in enumerate([] if in_list else made):
            self.add_module(f"attn_{number}", one)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for module in list(self.attns) or list(self.children())[1:]:
            x = x + module(x)
        return x


class Both(nn.Module):
    """One block with attention within frames and among all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.frame_attn, self.global_attn = (common.Attention(DIM, HEADS) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.frame_attn(x)
        y = x.reshape(1, -1, DIM)
        return (y + self.global_attn(y)).reshape(x.shape)


class Blocks(nn.Module):
    def __init__(self, called: bool) -> None:
        super().__init__()
        self.blocks, self.called = nn.ModuleList([Both(), Both()]), called

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x) if self.called else block.forward(x)
        return x


def rows_of(module: common.Attention, x: torch.Tensor) -> np.ndarray:
    q, k, _ = module.split(x)
    q, k = module.q_norm(q).double(), module.k_norm(k).double()
    return (q @ k.transpose(-2, -1) * module.scale).softmax(-1).detach().numpy()


def recorded_rows(model: nn.Module, x: torch.Tensor, folder: Path, **how: object) -> None:
    """Records, and holds all rows against those of the inputs that the modules saw."""
    seen: dict[str, torch.Tensor] = {}
    common.seed(model, 5)
    patterns: dict[str, str] = how["patterns"]  # type: ignore[assignment]
    named = {n: m for n, m in model.named_modules() if isinstance(m, common.Attention)}
    handles = [
        m.register_forward_pre_hook(lambda m, i, n=n: seen.__setitem__(n, i[0]))
        for n, m in named.items()
    ]
    twin = common.Twin(model, lambda: model(x), FRAMES, vggt.GRID, {}, {})
    recorded(twin, folder, grid=vggt.GRID, **how)
    for handle in handles:
        handle.remove()
    for kind in patterns:
        paths = [n for n in named if kind == "global" or "frame" in n]
        paths = [n for n in paths if kind == "frame" or "frame" not in n]
        layers = read_store.description(folder)["blocks"][kind]["layers"]
        assert len(layers) == len(paths)
        for number, path in enumerate(paths):
            rows, exact = (
                read_store.attention(folder, kind, number),
                rows_of(named[path], seen[path]),
            )
            assert (abs(rows - exact).max(-1) / exact.max(-1)).max() < 5e-3


@pytest.mark.parametrize("in_list", [True, False])
def test_attention_without_a_block_is_recorded(in_list: bool, tmp_path: Path) -> None:
    pattern = r"attns\.(\d+)" if in_list else r"attn_(\d+)"
    x = torch.rand(1, FRAMES * TOKENS, DIM, generator=torch.Generator().manual_seed(3))
    recorded_rows(Bare(in_list), x, tmp_path / "out", patterns={"global": pattern})
    # What the root returns are not one layer's tokens.
    layers = read_store.description(tmp_path / "out")["blocks"]["global"]["layers"]
    assert [layer["extras"] for layer in layers] == [["v_norm", "wov_norm"]] * 3


@pytest.mark.parametrize("called", [True, False])
def test_two_attentions_in_one_block_are_recorded(called: bool, tmp_path: Path) -> None:
    x = torch.rand(FRAMES, TOKENS, DIM, generator=torch.Generator().manual_seed(3))
    recorded_rows(
        Blocks(called),
        x,
        tmp_path / "out",
        capture="global,frame",
        patterns={"global": r"(\d+)\.global_attn", "frame": r"(\d+)\.frame_attn"},
    )


def test_flat_and_offloaded_weights_are_left_out() -> None:
    module = common.Attention(DIM, HEADS)
    v = torch.rand(HEADS, TOKENS, DIM // HEADS)
    assert list(value_norms(module, v)) == ["v_norm", "wov_norm"]
    weight = module.proj.weight
    for other in (weight.detach().flatten(), weight.detach().to("meta"), torch.rand(0)):
        module.proj.weight = nn.Parameter(other)
        assert list(value_norms(module, v)) == ["v_norm"]


def test_weights_of_other_classes_are_left_out() -> None:
    class Sharded(torch.Tensor):
        """As a DTensor, which cannot be multiplied with a plain tensor."""

    module = common.Attention(DIM, HEADS)
    del module.proj.weight
    module.proj.weight = torch.rand(DIM, DIM).as_subclass(Sharded)
    assert list(value_norms(module, torch.rand(HEADS, TOKENS, DIM // HEADS))) == ["v_norm"]


@pytest.mark.skipif(not hasattr(torch, "set_default_device"), reason="there is one device")
def test_positions_lie_on_the_cpu_whatever_the_default_is() -> None:
    at = rope.Layout(2, 3, 1, 1, 0)
    positions = rope.grid_positions(at)
    with torch.device("meta"):
        assert rope.layout(positions) == at
        rope.Turn(positions, 100.0, 8, "cpu")


def test_turns_of_earlier_steps_are_not_kept(tmp_path: Path) -> None:
    twin, kept = streamvggt.make(frames=5, steps=True), []

    def count(*_: Any) -> None:
        kept.append(sum(type(x) is rope.Turn for x in gc.get_objects()))

    handle = twin.model.aggregator.global_blocks[-1].register_forward_hook(count)
    recorded(twin, tmp_path / "out")
    handle.remove()
    assert kept == [1] * 5


class OnGpu:
    """A tensor as far as copying looks at one."""

    is_cuda, device, shape, dtype = True, "cuda:0", torch.Size([2]), torch.float32

    def record_stream(self, stream: Any) -> None:
        pass


def test_copies_lie_on_the_cpu_whatever_the_default_is(monkeypatch: Any) -> None:
    class Copy:
        def copy_(self, x: Any, non_blocking: bool) -> None:
            pass

    devices = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: mock.Mock())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(
        torch, "empty", lambda *_, **how: devices.append(how.get("device")) or Copy()
    )
    Copies().start({"q": OnGpu()})  # type: ignore[dict-item]
    assert devices == ["cpu"]
