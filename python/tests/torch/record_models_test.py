# SPDX-License-Identifier: Apache-2.0
"""Models as people have them: quantised, distributed, renamed, of any head size, under autocast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import read_store
import torch
from recordings import FRAMES, PIXELS, assert_exact, assert_untouched, recorded, refused
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from twins import common, streamvggt, vggt

from vggt_attn.torch import place, record

PICTURES = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 2)


class Witness(common.Attention):
    """Keeps the rows that it attends with, in float64."""

    def attend(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        logits = q.double() @ k.double().transpose(-2, -1) * self.scale
        self.rows = logits.softmax(-1).detach().numpy()
        return super().attend(q, k, v, mask)


def witnessed(folder: Path, model: nn.Module) -> float:
    """The largest difference of recorded rows from those that a witness saw."""
    worst = 0.0
    for number, block in enumerate(model.aggregator.global_blocks):
        exact, rows = block.attn.rows, read_store.attention(folder, "global", number)
        worst = max(worst, float((abs(rows - exact).max(-1) / exact.max(-1)).max()))
    return worst


def test_quantised_models_are_recorded(tmp_path: Path) -> None:
    twin = vggt.twin(vggt.VGGT(Witness), FRAMES)
    engines = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    torch.backends.quantized.engine = engines[-1]
    model = torch.ao.quantization.quantize_dynamic(twin.model, {nn.Linear}, dtype=torch.qint8)
    assert not isinstance(model.aggregator.global_blocks[0].attn.qkv, nn.Linear)
    with torch.no_grad(), record(model, tmp_path / "out", images=PIXELS) as rec:
        model(PICTURES)
    assert witnessed(tmp_path / "out", model) < 5e-3
    assert rec.row_error["global"] < 5e-3
    # The output projection is no longer a layer whose weight can be read.
    layer = read_store.description(tmp_path / "out")["blocks"]["global"]["layers"][0]
    assert layer["extras"] == ["x_norm", "x_unit_sum", "v_norm"]


@pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available()
    if hasattr(torch.distributed, "is_gloo_available")
    else not torch.distributed.is_available(),
    reason="this PyTorch is built without it",
)
def test_distributed_models_are_recorded_and_trained(tmp_path: Path) -> None:
    twin = vggt.make()
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1
    )
    try:
        model = nn.parallel.DistributedDataParallel(twin.model, find_unused_parameters=True)
        with record(model, tmp_path / "out", images=PIXELS) as rec:
            model(PICTURES)["tokens"].square().sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    assert rec.family == "vggt"
    assert twin.model.aggregator.global_blocks[0].attn.qkv.weight.grad is not None
    assert_exact(twin, tmp_path / "out")
    assert_untouched(model)


@pytest.mark.parametrize("head_dim", [20, 32, 96, 128, 256, 512])
def test_heads_of_any_size(head_dim: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(vggt, "DIM", vggt.HEADS * head_dim)
    twin = vggt.make()
    recorded(twin, tmp_path / "out", capture="global,frame")
    block = read_store.description(tmp_path / "out")["blocks"]["global"]
    assert block["head_dim"] == head_dim
    assert block["rope"]["type"] == "2d"
    assert_exact(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out", "frame")


class Closed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attns = nn.ModuleList([nn.MultiheadAttention(8, 2, batch_first=True)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attns[0](x, x, x)[0]


def test_multihead_attention_is_named_and_not_offered(tmp_path: Path) -> None:
    model, x = Closed().train(), torch.rand(1, FRAMES * 6, 8)
    twin = common.Twin(model, lambda: model(x), FRAMES, (2, 3), {}, {})
    how: dict[str, Any] = {"grid": (2, 3), "patterns": {"global": r"attns\.(\d+)"}}
    refused(r"attns.0: attends in nn.MultiheadAttention", twin, tmp_path / "a", **how)
    refused(r"All attention is nn.MultiheadAttention's", twin, tmp_path / "a")
    model.own = common.Attention(8, 2)
    refused(r"Attention modules: own \(1\)\.$", twin, tmp_path / "a")


def test_nested_and_renamed_modules(tmp_path: Path) -> None:
    twin = vggt.make()
    outer = nn.Module()
    outer.stage = nn.ModuleDict({"two": twin.model})
    outer.forward = twin.model.__call__
    with torch.no_grad(), record(outer, tmp_path / "nested", images=PIXELS) as rec:
        outer(PICTURES)
    assert rec.family == "vggt"
    assert_exact(twin, tmp_path / "nested")

    aggregator = twin.model.aggregator
    twin.model.trunk = aggregator
    del twin.model.aggregator
    for block in aggregator.global_blocks:
        block.mixer = block.attn
        del block.attn
        block.forward = lambda x, block=block, **how: (
            (y := x + block.mixer(block.norm1(x), **how)) + block.mlp(block.norm2(y))
        )
    twin.model.forward = lambda pictures: {"tokens": aggregator(pictures)}
    recorded(twin, tmp_path / "renamed", patterns={"global": r"global_blocks\.(\d+)\.mixer"})
    assert_exact(twin, tmp_path / "renamed")


@pytest.mark.skipif(common.FUSED is None, reason="under this PyTorch's autocast the twin fails")
@pytest.mark.parametrize("fused", [True, False])
def test_what_autocast_rounds_is_what_was_attended_with(fused: bool, tmp_path: Path) -> None:
    twin = vggt.twin(vggt.VGGT(Rounded, fused), FRAMES)
    with torch.autocast("cpu", torch.bfloat16):
        recorded(twin, tmp_path / "out")
    block = read_store.description(tmp_path / "out")["blocks"]["global"]
    assert block["row_error"] < 5e-3
    # Where logits are rounded, too, as they are where attention is written out, nobody can say it.
    assert witnessed(tmp_path / "out", twin.model) < 5e-3


class Rounded(Witness):
    """A witness of what attention is computed from under autocast, if it rounds that."""

    def attend(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        out = common.Attention.attend(self, q, k, v, mask)
        if not self.fused_attn:
            q = (q * self.scale).to(torch.bfloat16) / self.scale
            k = k.to(torch.bfloat16)
        logits = q.to(out.dtype).double() @ k.to(out.dtype).double().transpose(-2, -1) * self.scale
        self.rows = logits.softmax(-1).detach().numpy()
        return out


class Reads(TorchDispatchMode):
    """Counts what must know values on the CPU, and so waits for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        mask = name == "index" and any(x is not None and x.dtype == torch.bool for x in args[1])
        self.count += mask or name in ("_local_scalar_dense", "nonzero", "equal", "_unique2")
        return func(*args, **(kwargs or {}))


@pytest.mark.skipif(common.FUSED is None, reason="attention that is written out is looked at")
@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("make", [vggt.make, streamvggt.make])
def test_layers_after_the_first_are_not_waited_for(
    make: Any, inference: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    counts = []
    for depth in (2, 5):
        monkeypatch.setattr(vggt, "DEPTH", depth)
        twin = make()
        aggregator = twin.model.aggregator
        mask = aggregator.mask(FRAMES, vggt.SPECIAL + vggt.GRID[0] * vggt.GRID[1])
        aggregator.mask = lambda *_, mask=mask: mask  # one for all layers
        with torch.inference_mode(inference), Reads() as reads:
            recorded(twin, tmp_path / str(depth), capture="global,frame")
        assert_exact(twin, tmp_path / str(depth))
        counts.append(reads.count)
    assert counts[0] == counts[1] > 0


def test_what_was_read_is_not_believed_of_other_tensors() -> None:
    reads, x = place.Reads(), torch.tensor([1, 2])
    assert reads.of("sum", x, lambda: int(x.sum())) == 3
    assert reads.of("sum", x.view(2), lambda: pytest.fail("read again")) == 3
    assert reads.of("most", x, lambda: int(x.max())) == 2
    x[0] = 5  # in place
    assert reads.of("sum", x, lambda: int(x.sum())) == 7
    assert reads.of("sum", x[:1], lambda: int(x[:1].sum())) == 5
    large = torch.ones(2**20 + 1)
    assert reads.of("mean", large, lambda: 1.0) == 1.0
    assert reads.of("mean", large, lambda: pytest.fail("read again")) == 1.0
    held = reads._known["mean"][0]
    del large
    assert held() is None  # so much is not kept alive
    np.testing.assert_equal(reads.of("mean", torch.zeros(2**20 + 1), lambda: 0.0), 0.0)


@pytest.mark.skipif(common.FUSED is None, reason="under this PyTorch's autocast the twin fails")
def test_rope_is_left_out_where_that_is_told(tmp_path: Path) -> None:
    twin, errors = vggt.twin(vggt.VGGT(Rounded), FRAMES), {}
    for name, how in (("applied", {}), ("2d", {"rope": {"global": {"type": "2d"}}})):
        with torch.autocast("cpu", torch.bfloat16):
            recorded(twin, tmp_path / name, **how)
        block = read_store.description(tmp_path / name)["blocks"]["global"]
        assert block["rope"]["type"] == name
        errors[name] = witnessed(tmp_path / name, twin.model)
        assert block["row_error"] < errors[name] + 1e-3
    assert errors["applied"] < 5e-3 < errors["2d"] < 0.1


def test_another_rotary_embedding_than_was_told_is_refused(tmp_path: Path) -> None:
    how = {"rope": {"global": {"type": "2d", "base": 50}}}
    refused("rope was told to be .*50.*, but it is .*100", vggt.make(), tmp_path / "a", **how)
