# SPDX-License-Identifier: Apache-2.0
"""What people do around a forward pass, while it is recorded."""

from __future__ import annotations

import contextlib
import errno
import gc
import warnings
import weakref
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import read_store
import torch
from recordings import FRAMES, PIXELS, assert_exact, assert_untouched, recorded, refused
from torch.utils.checkpoint import checkpoint
from twins import common, streamvggt, vggt

from vggt_attn.errors import Error
from vggt_attn.torch import record, recording, store


@pytest.mark.skipif(
    not hasattr(getattr(torch, "compiler", None), "set_stance"),
    reason="this PyTorch cannot run compiled models as they were",
)
@pytest.mark.parametrize("how", ["module", "in place", "blocks"])
def test_compiled_models_run_uncompiled(how: str, tmp_path: Path) -> None:
    twin, model = vggt.make(), None
    pixels = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 2)
    if how == "module":
        model = torch.compile(twin.model)
    elif how == "in place":
        twin.model.compile()
    else:
        blocks = twin.model.aggregator.global_blocks
        for number in range(len(blocks)):
            blocks[number] = torch.compile(blocks[number])
    model = twin.model if model is None else model
    with pytest.warns(UserWarning, match="runs uncompiled"), torch.no_grad():
        with record(model, tmp_path / "out", images=PIXELS) as rec:
            model(pixels)
    assert rec.notes
    assert_exact(twin, tmp_path / "out")


def test_the_last_recording_of_compiled_models_restores(tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[str] = []

    class Stance:
        def __init__(self, stance: str) -> None:
            seen.append(stance)

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: Any) -> None:
            seen.append("as it was")

    monkeypatch.setattr(torch, "compiler", mock.Mock(set_stance=Stance), raising=False)
    recorded(vggt.make(), tmp_path / "plain")
    assert not seen  # other models of the process stay compiled
    twin = vggt.make()
    block = twin.model.aggregator.global_blocks[0]
    monkeypatch.setattr(block, "forward", mark_compiled(block.forward))
    on_another_thread = recording._EAGER.entered(Stance)
    with pytest.warns(UserWarning, match="runs uncompiled") as warned, torch.no_grad():
        with record(twin.model, tmp_path / "compiled", images=PIXELS):
            on_another_thread.__enter__()
            twin.run()
    assert warned[0].filename == __file__
    assert seen == ["force_eager"]
    on_another_thread.__exit__(None, None, None)
    assert seen == ["force_eager", "as it was"]


def mark_compiled(forward: Any) -> Any:
    """As torch.compile marks a function."""

    def compiled(*args: Any, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    compiled._torchdynamo_orig_callable = forward  # type: ignore[attr-defined]
    return compiled


@pytest.mark.skipif(common.FUSED is None, reason="this PyTorch has no such function")
def test_the_fused_function_may_be_called_by_keywords(tmp_path: Path) -> None:
    twin = vggt.make()
    for block in twin.model.aggregator.global_blocks:
        block.attn.attend = lambda q, k, v, mask: common.FUSED(value=v, key=k, query=q)
    recorded(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out")


class PairRope(common.Rope2d):
    """Turns queries and keys in one call."""

    def forward(self, q: Any, k: Any = None, pos: Any = None) -> Any:
        if pos is None:
            return super().forward(q, k)
        return super().forward(q, pos), super().forward(k, pos)


class PairAttention(common.Attention):
    def forward(self, x: Any, pos: Any = None, mask: Any = None) -> Any:
        q, k, v = self.split(x)
        q, k = self.rope(self.q_norm(q), self.k_norm(k), pos=pos)
        return self.join(self.attend(q, k, v, mask))


@pytest.mark.skipif(common.FUSED is None, reason="hooks see no keywords in this PyTorch")
def test_a_rope_that_returns_a_pair_is_recognised(tmp_path: Path) -> None:
    twin = vggt.make()
    for block in twin.model.aggregator.global_blocks:
        block.attn.__class__, block.attn.rope = PairAttention, PairRope()
    recorded(twin, tmp_path / "out")
    assert read_store.description(tmp_path / "out")["blocks"]["global"]["rope"]["type"] == "2d"
    assert_exact(twin, tmp_path / "out")


@pytest.mark.skipif(
    not hasattr(torch._C, "_current_graph_task_id"),
    reason="this PyTorch does not say that it goes back",
)
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_may_run_blocks_again(reentrant: bool, tmp_path: Path) -> None:
    twin = vggt.make()
    for block in twin.model.aggregator.global_blocks:
        forward = block.forward
        block.forward = lambda x, forward=forward, **k: (
            checkpoint(forward, x, use_reentrant=reentrant, **k)
            if not reentrant
            else checkpoint(lambda y, k=k: forward(y, **k), x, use_reentrant=True)
        )
    with record(twin.model, tmp_path / "out", images=PIXELS):
        twin.run()["tokens"].sum().backward()
    assert_exact(twin, tmp_path / "out")


def test_gradients_are_the_same(tmp_path: Path) -> None:
    twin = vggt.make()

    def gradients() -> list[torch.Tensor]:
        twin.model.zero_grad()
        twin.run()["tokens"].square().sum().backward()
        return [p.grad.clone() for p in twin.model.parameters() if p.grad is not None]

    plain = gradients()
    with record(twin.model, tmp_path / "out", images=PIXELS):
        hooked = gradients()
    assert len(plain) == len(hooked) > 0
    assert all(a.equal(b) for a, b in zip(plain, hooked, strict=True))


def test_a_failed_pass_may_be_tried_again(tmp_path: Path) -> None:
    twin = vggt.make()
    last = twin.model.aggregator.global_blocks[1].mlp
    calls: list[int] = []

    def fail_once(module: Any, inputs: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("out of memory")

    handle = last.register_forward_pre_hook(fail_once)
    with torch.no_grad(), record(twin.model, tmp_path / "out", images=PIXELS):
        with pytest.raises(RuntimeError, match="out of memory"):
            twin.run()
        twin.run()
    handle.remove()
    assert_exact(twin, tmp_path / "out")


def test_one_of_two_passes_is_chosen(tmp_path: Path) -> None:
    twin, kept = vggt.make(), []
    other = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 99)

    def both() -> None:
        twin.model(other)
        tensors = [x for x in gc.get_objects() if issubclass(type(x), torch.Tensor)]
        kept.append(sum(x.dtype == torch.float16 for x in tensors))
        twin.run()

    with pytest.raises(Error, match="second forward pass"):
        recorded(twin, tmp_path / "a", both)
    recorded(twin, tmp_path / "out", both, forward_pass=1)
    assert_exact(twin, tmp_path / "out")
    assert kept[-1] == 4  # of the last layer of a pass that is not recorded, q, k and norms

    def again() -> None:
        twin.run()
        twin.model(other)

    recorded(twin, tmp_path / "first", again, forward_pass=0)
    assert_exact(twin, tmp_path / "first")
    with pytest.raises(Error, match="2 forward passes ran, forward_pass=2"):
        recorded(twin, tmp_path / "b", both, forward_pass=2)


@pytest.mark.parametrize("chosen", [0, 1])
def test_a_chosen_pass_keeps_what_it_predicts(chosen: int, tmp_path: Path) -> None:
    twin, passes = vggt.make(), []

    def returned(module: Any, inputs: Any, out: Any) -> Any:
        passes.append(module)
        return {**out, "depth": torch.full((1, FRAMES), float(len(passes)))}

    twin.model.register_forward_hook(returned)
    other = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 99)
    runs = [twin.run, lambda: twin.model(other)]
    recorded(
        twin,
        tmp_path / "out",
        lambda: [run() for run in runs[:: 1 - 2 * chosen]],
        forward_pass=chosen,
    )
    assert_exact(twin, tmp_path / "out")
    assert (np.load(tmp_path / "out" / "predictions.npz")["depth"] == chosen + 1).all()


def test_steps_keep_the_predictions_of_all_pictures(tmp_path: Path) -> None:
    twin = streamvggt.make(steps=True)
    pixels = common.random_pictures(twin.frames, vggt.GRID, vggt.PATCH, 4)

    def forward(step: int, cache: list[Any]) -> Any:
        twin.model.aggregator(pixels[:, step : step + 1], cache, True)
        return {"depth": torch.full((1, 1, 2, 3), float(step)), "pose_enc": torch.ones(1)}

    def steps() -> None:
        cache = [None] * len(twin.model.aggregator.global_blocks)
        for step in range(twin.frames):
            twin.model(step, cache)

    twin.model.forward = forward
    recorded(twin, tmp_path / "out", steps)
    assert_exact(twin, tmp_path / "out")
    kept = np.load(tmp_path / "out" / "predictions.npz")
    assert kept.files == ["depth"]  # the other does not say which picture it is of
    np.testing.assert_array_equal(kept["depth"][0, :, 0, 0], np.arange(twin.frames))


def test_predictions_that_do_not_fit_together_are_left_out(tmp_path: Path) -> None:
    twin = streamvggt.make(steps=True)
    pixels = common.random_pictures(twin.frames, vggt.GRID, vggt.PATCH, 4)

    def forward(step: int, cache: list[Any]) -> Any:
        twin.model.aggregator(pixels[:, step : step + 1], cache, True)
        return {"depth": torch.ones(1, 1, 2 + step)}

    def steps() -> None:
        cache = [None] * len(twin.model.aggregator.global_blocks)
        for step in range(twin.frames):
            twin.model(step, cache)

    twin.model.forward = forward
    with pytest.warns(UserWarning, match="predictions.npz is left out"):
        recorded(twin, tmp_path / "out", steps)
    assert_exact(twin, tmp_path / "out")


def test_steps_keep_the_keys_of_the_last_alone(tmp_path: Path) -> None:
    twin, kept = streamvggt.make(frames=6, steps=True), []
    tokens = vggt.SPECIAL + vggt.GRID[0] * vggt.GRID[1]

    def count(module: Any, inputs: Any) -> None:
        tensors = [x for x in gc.get_objects() if issubclass(type(x), torch.Tensor)]
        halves = [x for x in tensors if x.dtype == torch.float16 and x.dim() == 3]
        kept.append(sum(x.shape[1] for x in halves) // tokens)

    last = twin.model.aggregator.global_blocks[-1]
    handle = last.register_forward_pre_hook(count)
    recorded(twin, tmp_path / "out", capture="global,frame")
    handle.remove()
    assert_exact(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out", "frame")
    assert read_store.layer(tmp_path / "out", "global", 0)["wov_norm"].shape[1] == 6 * tokens
    # Of global layers all queries so far and the keys of one step; of frame layers all of both.
    assert kept[4] == (5 + 4) + (5 + 4) + 2 * 2 * 5


def test_frames_that_come_in_groups_are_all_stored(tmp_path: Path) -> None:
    twin = vggt.make()
    aggregator = twin.model.aggregator

    def run() -> None:
        x = aggregator.tokens(common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 2))
        pos = common.patch_positions(FRAMES, vggt.GRID, vggt.SPECIAL)
        for some in (slice(0, 1), slice(1, 3)):
            aggregator.frame_blocks[0](x[some], pos=pos[some])

    recorded(twin, tmp_path / "out", run, capture="frame", layers=[1])
    stored = read_store.layer(tmp_path / "out", "frame", 0)
    assert stored["k"].shape == stored["q"].shape


def test_names_are_held_against_the_first_layer(tmp_path: Path) -> None:
    refused(
        r"global_blocks.0.attn: special_tokens\['global'\] names 1, but a frame has 3",
        vggt.make(),
        tmp_path / "a",
        special_tokens={"global": ["camera"]},
    )


@pytest.mark.parametrize("full", ["predictions", "description"])
def test_a_full_disk_at_the_end_loses_nothing(full: str, tmp_path: Path, monkeypatch: Any) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    twin.model.register_forward_hook(lambda m, i, out: {**out, "depth": torch.ones(1)})

    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if full == "predictions":
        monkeypatch.setattr(np, "savez", no_room)
        with pytest.warns(UserWarning, match="predictions.npz is left out.*No space"):
            rec = recorded(twin, folder)
        assert "No space" in rec.notes[0]
        assert not (folder / "predictions.npz").exists()
    else:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", no_room)
            with pytest.raises(Error, match=r"No space.*kept in .*out.unfinished"):
                recorded(twin, folder)
        store.finish(tmp_path / "out.unfinished")
        assert (folder / "predictions.npz").exists()
    assert_exact(twin, folder)
    assert not (folder / "recording.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_model_that_swallows_exceptions_shows_the_cause(tmp_path: Path) -> None:
    twin = vggt.make()

    def swallowing() -> None:
        try:
            twin.run()
        except Error:
            pass

    with pytest.raises(Error, match="but grid is 3×2"):
        recorded(twin, tmp_path / "a", swallowing, grid=(3, 2))


@pytest.mark.parametrize("swallows", [True, False])
def test_a_failed_recording_is_freed_at_once(
    swallows: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    twin, recorders = vggt.make(), []

    class Recorder(recording.Recorder):
        def start(self) -> None:
            recorders.append(weakref.ref(self))
            super().start()

    def run() -> None:
        with contextlib.suppress(*[Error] * swallows):
            twin.run()

    monkeypatch.setattr(recording, "Recorder", Recorder)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(Error):
            recorded(twin, tmp_path / "a", run, grid=(3, 2))
        assert recorders[0]() is None
    finally:
        gc.enable()


def test_a_pass_that_does_not_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"aggregator.global_blocks.0.attn: did not run"):
        recorded(vggt.make(), tmp_path / "a", lambda: None)


def test_exceptions_leave_model_and_folder_as_they_were(tmp_path: Path) -> None:
    twin = vggt.make()
    for raised in (KeyboardInterrupt, ValueError):

        def run(raised: Any = raised) -> None:
            twin.run()
            raise raised

        with pytest.raises(raised):
            recorded(twin, tmp_path / "a", run)
        assert not list(tmp_path.iterdir())
        assert_untouched(twin.model)


def test_folders_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Error, match=r"file.*cannot be written"):
        recorded(vggt.make(), tmp_path / "file" / "out")


def test_a_refusal_lists_the_attention_that_there_is(tmp_path: Path) -> None:
    twin = vggt.make()
    refused(
        r"aggregator.frame_blocks.\*.attn \(2\)",
        twin,
        tmp_path / "a",
        patterns={"global": r"nothing\.(\d+)"},
    )


def test_norms_are_those_of_the_model(tmp_path: Path) -> None:
    twin = vggt.make()
    block = twin.model.aggregator.global_blocks[1]
    seen: dict[str, torch.Tensor] = {}
    handles = [
        block.register_forward_hook(lambda m, i, out: seen.update(x=out[0])),
        block.attn.qkv.register_forward_hook(lambda m, i, out: seen.update(qkv=out[0])),
    ]
    recorded(twin, tmp_path / "out")
    for handle in handles:
        handle.remove()
    stored = read_store.layer(tmp_path / "out", "global", 1)
    x = seen["x"].double().numpy().reshape(FRAMES, -1, vggt.DIM)
    norms = np.linalg.norm(x, axis=-1)
    np.testing.assert_allclose(stored["x_norm"], norms.ravel(), rtol=1e-5)
    sums = (x / norms[..., None])[:, vggt.SPECIAL :].sum(1)
    np.testing.assert_allclose(stored["x_unit_sum"], sums, atol=1e-5)
    v = (
        seen["qkv"]
        .double()
        .numpy()[:, 2 * vggt.DIM :]
        .reshape(-1, vggt.HEADS, vggt.DIM // vggt.HEADS)
    )
    np.testing.assert_allclose(stored["v_norm"], np.linalg.norm(v, axis=-1).T, rtol=1e-3)
    weight = block.attn.proj.weight.detach().double().numpy().reshape(vggt.DIM, vggt.HEADS, -1)
    moved = np.einsum("ohd,thd->hto", weight, v)
    np.testing.assert_allclose(stored["wov_norm"], np.linalg.norm(moved, axis=-1), rtol=2e-3)


def test_what_the_model_predicts_is_kept(tmp_path: Path) -> None:
    twin = vggt.make()
    depth = torch.rand(1, FRAMES, 8, 12, 1)
    twin.model.register_forward_hook(lambda m, i, out: {**out, "depth": depth, "other": depth})
    recorded(twin, tmp_path / "out")
    kept = np.load(tmp_path / "out" / "predictions.npz")
    assert kept.files == ["depth"]
    np.testing.assert_array_equal(kept["depth"], depth.numpy())


def test_one_scene_of_a_batch_is_chosen(tmp_path: Path) -> None:
    twin = vggt.make()
    pixels = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 2)[0]
    images = torch.stack([torch.rand_like(pixels), pixels])
    model = twin.model

    def run() -> None:
        # The twin takes one scene; a batch goes through its blocks by hand.
        aggregator = model.aggregator
        x = torch.cat([aggregator.tokens(one[None]) for one in images])
        pos = common.patch_positions(2 * FRAMES, vggt.GRID, vggt.SPECIAL)
        for frame, both in zip(aggregator.frame_blocks, aggregator.global_blocks, strict=True):
            x = frame(x, pos=pos).reshape(2, -1, vggt.DIM)
            x = both(x, pos=pos.reshape(2, -1, 2)).reshape(2 * FRAMES, -1, vggt.DIM)

    with pytest.raises(Error, match=r"the model sees 6 pictures, images= names 3.*batch=0"):
        recorded(twin, tmp_path / "a", run)
    recorded(twin, tmp_path / "out", run, batch=1, capture="global,frame")
    assert_exact(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out", "frame")


def test_eight_recordings_leave_nothing_behind(tmp_path: Path) -> None:
    twin, alive = vggt.make(), []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(8):
            recorded(twin, tmp_path / str(number))
            gc.collect()
            alive.append(sum(issubclass(type(x), torch.Tensor) for x in gc.get_objects()))
    assert alive[1:] == [alive[0]] * 7
    assert_untouched(twin.model)
    first = (tmp_path / "0" / "qk" / "global_01.safetensors").read_bytes()
    assert (tmp_path / "7" / "qk" / "global_01.safetensors").read_bytes() == first
