# SPDX-License-Identifier: Apache-2.0
"""A recording is never wrong in silence, and never loses what was there."""

from __future__ import annotations

import errno
import shutil
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import read_store
import torch
from torch.utils.checkpoint import checkpoint
from twins import common, da3, fastvggt, mapanything, streamvggt, vggt

from vggt_attn.errors import Error
from vggt_attn.torch import pictures, record, store, vggt_transforms

FRAMES, ROWS, COLUMNS = 3, *vggt.GRID
PIXELS = [torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(1)) for _ in range(FRAMES)]


def recorded(twin: common.Twin, folder: Path, run: Callable[[], Any] | None = None, **how: Any):
    images = how.pop("images", PIXELS[:1] * twin.frames)
    with torch.no_grad(), record(twin.model, folder, images=images, **how) as rec:
        (run or twin.run)()
    return rec


def refused(message: str, twin: common.Twin, folder: Path, **how: Any) -> None:
    """The recording ends with this error, and leaves nothing."""
    beside = sorted(folder.parent.iterdir())
    with pytest.raises(Error, match=message) as caught:
        recorded(twin, folder, **how)
    assert "\n" not in str(caught.value)
    assert sorted(folder.parent.iterdir()) == beside
    assert_untouched(twin.model)


def assert_untouched(model: torch.nn.Module) -> None:
    """No hook and no attribute of ours is left."""
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in module.__dict__
        assert not [name for name in module.__dict__ if "vggt_attn" in name]


def assert_exact(twin: common.Twin, folder: Path, kind: str = "global") -> None:
    for number, exact in twin.exact[kind].items():
        rows = read_store.attention(folder, kind, number)
        # A share of each row's peak; float16 of queries and keys this large makes 2e-3 of it.
        assert (abs(rows - exact).max(-1) / exact.max(-1)).max() < 5e-3


# --- wrong numbers ----------------------------------------------------------------


def test_it_says_how_exact_it_is(tmp_path: Path) -> None:
    twin = vggt.make()
    rec = recorded(twin, tmp_path / "out", capture="global,frame,encoder")
    assert rec.family == "vggt"
    assert rec.row_error.keys() == {"global", "frame", "encoder"}
    assert 1e-5 < max(rec.row_error.values()) < 5e-3
    told = read_store.description(tmp_path / "out")["blocks"]
    assert {kind: block["row_error"] for kind, block in told.items()} == rec.row_error


@pytest.mark.parametrize(
    "make", [vggt.doubled_query, vggt.learned_temperature, vggt.unfused, fastvggt.make]
)
def test_what_was_attended_with_is_stored(make: Any, tmp_path: Path) -> None:
    twin = make()
    recorded(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out")


def test_a_temperature_of_each_layer_goes_into_its_queries(tmp_path: Path) -> None:
    twin = vggt.learned_temperature()
    attention = [block.attn for block in twin.model.aggregator.global_blocks]
    assert attention[0].temperature != attention[1].temperature
    recorded(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out")


def test_merged_tokens_are_refused(tmp_path: Path) -> None:
    refused("merges tokens before its attention.*merging", fastvggt.make(merging=1), tmp_path / "a")
    silent = fastvggt.make(merging=1, announced=False)
    refused("saw 1 sequence of 14 tokens.*merging", silent, tmp_path / "a")


def test_pictures_must_be_those_that_the_model_sees(tmp_path: Path) -> None:
    refused(
        "the model sees 4 pictures, images= names 2",
        vggt.make(4),
        tmp_path / "a",
        images=PIXELS[:2],
    )
    refused("saw 3 pictures, images= names 4", vggt.make(3), tmp_path / "a", images=PIXELS[:1] * 4)


@pytest.mark.parametrize("grid", [(COLUMNS, ROWS), (1, 3), (3, 3), (1, 6)])
def test_grids_must_be_what_is_seen(grid: tuple[int, int], tmp_path: Path) -> None:
    refused(
        f"makes 2×3 patches.*but grid is {grid[0]}×{grid[1]}",
        vggt.make(),
        tmp_path / "a",
        grid=grid,
    )


def test_positions_given_to_rope_are_believed(tmp_path: Path) -> None:
    twin = vggt.make()
    pattern = {"global": r"global_blocks\.(\d+)\.attn"}
    refused(
        "positions given to RoPE are those of 2×3 patches.*but grid is 3×2",
        twin,
        tmp_path / "a",
        patterns=pattern,
        grid=(3, 2),
    )
    recorded(twin, tmp_path / "a", patterns=pattern)  # the grid is read off them
    assert_exact(twin, tmp_path / "a")


class Masked(common.Attention):
    """A mask that is not of later pictures, and other things that no export says."""

    how = ""

    def attend(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        tokens = q.shape[2]
        if self.how == "band":
            near = (torch.arange(tokens)[:, None] - torch.arange(tokens)).abs() < 5
            mask = torch.where(near, 0.0, torch.finfo(q.dtype).min)
        elif self.how == "bias":
            mask = torch.linspace(0, 2, tokens).expand(tokens, tokens)
        return super().attend(q, k, v, mask)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("how", "message"),
    [("band", "masks (some|other) keys"), ("bias", "adds (a mask of numbers|something)")],
)
def test_other_masks_are_refused(how: str, message: str, fused: bool, tmp_path: Path) -> None:
    twin = vggt.twin(vggt.VGGT(Masked, fused), FRAMES)
    twin.model.aggregator.global_blocks[1].attn.how = how
    refused(message, twin, tmp_path / "a")


class Changed(common.Attention):
    """Changes attention where no fused function is called."""

    how = ""

    def attend(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        tokens = q.shape[2]
        logits = (q * self.scale) @ k.transpose(-2, -1)
        if self.how == "one row":  # which is not among those whose numbers are compared
            logits[:, :, 1] += torch.linspace(0, 6, tokens)
        shares = logits.softmax(-1)
        if self.how == "dropout":
            shares = torch.nn.functional.dropout(shares, 0.5)
        elif self.how == "weights":
            shares = shares * torch.linspace(0.5, 1, tokens)
        return shares @ v


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("one row", "adds something"),
        ("dropout", "after its softmax.*eval"),
        ("weights", "after its softmax"),
    ],
)
def test_attention_that_is_changed_is_refused(how: str, message: str, tmp_path: Path) -> None:
    twin = vggt.twin(vggt.VGGT(Changed, False), FRAMES)
    recorded(twin, tmp_path / "fine")
    twin.model.aggregator.global_blocks[1].attn.how = how
    refused(message, twin, tmp_path / "a")


@pytest.mark.skipif(common.FUSED is None, reason="this PyTorch has no such function")
def test_a_mask_of_one_row_for_all_is_not_causal(tmp_path: Path) -> None:
    twin = vggt.make()

    def attend(q: Any, k: Any, v: Any, mask: Any) -> Any:
        first = torch.arange(k.shape[2]) < k.shape[2] // FRAMES
        return common.FUSED(q, k, v, attn_mask=first[None])

    twin.model.aggregator.global_blocks[0].attn.attend = attend
    refused("masks some keys", twin, tmp_path / "a")


def test_steps_without_a_cache_are_refused(tmp_path: Path) -> None:
    twin = vggt.make(1)
    refused(
        "attends to 9 tokens, which are not those of the 1 pictures before",
        twin,
        tmp_path / "a",
        images=PIXELS,
        run=lambda: [twin.run() for _ in range(FRAMES)],
    )


@pytest.mark.skipif(common.FUSED is None, reason="this PyTorch has no such function")
@pytest.mark.parametrize(
    ("how", "message"),
    [({"dropout_p": 0.1}, "drops attention at random"), ({"is_causal": True}, "is_causal")],
)
def test_what_the_fused_function_may_do_is_refused(how: Any, message: str, tmp_path: Path) -> None:
    twin = vggt.make()
    attention = twin.model.aggregator.global_blocks[0].attn
    attention.attend = lambda q, k, v, mask: common.FUSED(q, k, v, **how)
    with pytest.raises(Error, match=message):
        recorded(twin, tmp_path / "a")


@pytest.mark.parametrize("how", [{"steps": True}, {"fused": False}, {}])
def test_later_pictures_are_not_seen(how: Any, tmp_path: Path) -> None:
    twin = streamvggt.make(**how)
    recorded(twin, tmp_path / "out")
    assert read_store.description(tmp_path / "out")["blocks"]["global"]["attends"] == "causal"
    assert_exact(twin, tmp_path / "out")
    refused("was told, but it attends 'causal'", twin, tmp_path / "a", attends={"global": "all"})


@pytest.mark.parametrize("option", ["attends", "rope", "special_tokens", "special_tokens_place"])
def test_mistyped_keys_are_refused(option: str, tmp_path: Path) -> None:
    refused(f"{option} is told for 'globl'", vggt.make(), tmp_path / "a", **{option: {"globl": 1}})


def test_special_tokens_behind_the_patches(tmp_path: Path) -> None:
    twin = mapanything.make()
    recorded(twin, tmp_path / "out", capture=["global", "frame"])
    block = read_store.description(tmp_path / "out")["blocks"]["global"]
    assert block["special_tokens_place"] == "last"
    assert block["scene_tokens"] == ["scale"]
    assert_exact(twin, tmp_path / "out")
    assert_exact(twin, tmp_path / "out", "frame")
    told = {"frame": r"self_attention_blocks\.(1|3)\.attn"}
    how = {"capture": ["frame"], "patterns": told, "grid": vggt.GRID}
    refused("cannot be seen whether they stand before or behind", twin, tmp_path / "a", **how)
    recorded(twin, tmp_path / "a", **how, special_tokens_place={"frame": "last"})
    assert_exact(twin, tmp_path / "a", "frame")


def test_other_threads_are_not_recorded(tmp_path: Path) -> None:
    twin, other = vggt.make(), vggt.doubled_query()
    failed: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with torch.no_grad():
                twin.model(torch.rand(1, FRAMES, 3, 8, 12))
                other.run()
        except BaseException as error:
            failed.append(error)

    def run() -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        twin.run()
        thread.join()

    recorded(twin, tmp_path / "out", run)
    assert not failed
    assert_exact(twin, tmp_path / "out")


def test_recordings_may_overlap(tmp_path: Path) -> None:
    one, two = vggt.make(), vggt.doubled_query()
    with torch.no_grad(), record(one.model, tmp_path / "one", images=PIXELS):
        with record(two.model, tmp_path / "two", images=PIXELS):
            one.run()
            two.run()
    assert_exact(one, tmp_path / "one")
    assert_exact(two, tmp_path / "two")
    assert_untouched(one.model)
    assert_untouched(two.model)


def test_pictures_in_another_order_are_put_back(tmp_path: Path) -> None:
    twin = da3.make(4, reference=2)
    rec = recorded(twin, tmp_path / "out", capture=["global", "frame", "encoder"])
    assert any("[2, 0, 1, 3]" in note for note in rec.notes)
    for kind in twin.exact:
        assert_exact(twin, tmp_path / "out", kind)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_precisions_are_as_exact_as_float16(dtype: torch.dtype, tmp_path: Path) -> None:
    twin = vggt.make()
    twin.model.to(dtype)
    pixels = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 2).to(dtype)
    seen: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
    attend = common.Attention.attend
    for number, block in enumerate(twin.model.aggregator.global_blocks):

        def keep(
            q: Any, k: Any, v: Any, mask: Any, number: int = number, at: Any = block.attn
        ) -> Any:
            seen[number] = q.double(), k.double()
            return attend(at, q, k, v, mask)

        block.attn.attend = keep
    recorded(twin, tmp_path / "out", lambda: twin.model(pixels))
    for number, (q, k) in seen.items():
        exact = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1).numpy()
        rows = read_store.attention(tmp_path / "out", "global", number)
        assert (abs(rows - exact).max(-1) / exact.max(-1)).max() < 5e-3


# --- lost work --------------------------------------------------------------------


def test_a_refused_recording_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    twin = vggt.make()
    before = twin.run()["tokens"]
    refused(
        "no attention modules of global blocks",
        twin,
        tmp_path / "a",
        patterns={"global": r"nothing\.(\d+)"},
    )
    refused("layers names 9", twin, tmp_path / "a", layers=[1, 9])
    assert twin.run()["tokens"].equal(before)


def test_what_stands_there_is_left_alone(tmp_path: Path) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    folder.mkdir()
    recorded(twin, folder)  # an empty folder is as good as none
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(Error, match="exists already"):
        recorded(twin, folder)
    recorded(twin, folder, overwrite=True, layers=[2])
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in (folder / "qk").iterdir()) == [
        "attention.json",
        "global_02.safetensors",
    ]
    (folder / "attn_maps").mkdir()
    with pytest.raises(Error, match="attention maps"):
        recorded(twin, folder, overwrite=True)
    shutil.rmtree(folder / "qk")
    with pytest.raises(Error, match="holds no recording"):
        recorded(twin, folder, overwrite=True)


def test_what_appears_meanwhile_is_kept_and_so_is_the_recording(tmp_path: Path) -> None:
    twin, folder = vggt.make(), tmp_path / "out"

    def run() -> None:
        twin.run()
        folder.mkdir()
        (folder / "predictions.pt").write_text("mine")

    with pytest.raises(Error, match=r"kept in .*out.unfinished.*vggt_attn.torch finish"):
        recorded(twin, folder, run)
    assert (folder / "predictions.pt").read_text() == "mine"
    store.finish(tmp_path / "out.unfinished", tmp_path / "elsewhere")
    assert_exact(twin, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere" / "recording.json").exists()
    assert not (tmp_path / "out.unfinished").exists()


@pytest.mark.parametrize(("how", "message"), [
    ({"images": "a.png"}, "is a path, expected a list"),
    ({"images": "."}, "is a path, expected a list.*sorted"),
    ({"images": []}, "images is empty"),
    ({"images": [3]}, r"images\[0\] is a int"),
    ({"images": ["missing.png"]}, "missing.png: does not exist"),
    ({"images": [torch.rand(2, 8, 12)] * 3}, r"has shape \[2, 8, 12\]"),
    ({"capture": []}, "capture=.*expected some of"),
    ({"capture": "globl"}, "capture=.*expected some of"),
    ({"layers": "1,2"}, "expected a list of numbers"),
    ({"layers": []}, "layers is empty"),
    ({"layers": [1.5]}, "expected whole numbers"),
    ({"layers": [0]}, "layers names 0"),
    ({"grid": 3}, "expected patches of a picture"),
    ({"grid": (0, 3)}, "expected patches of a picture"),
    ({"grid": ("a", "b")}, "expected patches of a picture"),
    ({"attends": {"global": "casual"}}, "expected 'all' or 'causal'"),
    ({"rope": {"global": {"type": "2d", "bas": 1}}}, "expected 'none', 'applied'"),
    ({"patterns": {"global": "("}}, "no regular expression"),
    ({"patterns": {"global": "blocks"}}, "one group in parentheses"),
    ({"transforms": {}}, "a list of dictionaries"),
    ({"transforms": [{}] * 3}, r"transforms\[0\] lacks"),
    ({"transforms": vggt_transforms([(12, 8)])}, "has 1 entries, images names 3"),
    ({"batch": -1}, "expected a number from 0"),
    ({"special_tokens": {"global": "camera"}}, "a list of names"),
    ({"special_tokens": {"global": ["a", "a", "b"]}}, "a list of names that differ"),
])  # fmt: skip
def test_what_can_be_known_before_is_checked_before(how: Any, message: str, tmp_path: Path) -> None:
    twin = vggt.make()
    twin.run = lambda: pytest.fail("the pass ran")
    refused(message, twin, tmp_path / "a", **how)


def test_names_are_taken_in_any_usual_form(tmp_path: Path) -> None:
    twin = vggt.make()
    recorded(
        twin,
        tmp_path / "out",
        layers=np.arange(1, 3),
        grid=np.array(vggt.GRID),
        special_tokens={"global": ["a", "b", "c"]},
        name="a\nb",
        transforms=[*vggt_transforms([(12, 8)] * FRAMES)],
    )
    about = read_store.description(tmp_path / "out")
    assert about["blocks"]["global"]["special_tokens"] == ["a", "b", "c"]
    assert about["image_set_name"] == "a?b"


def test_home_folders_and_links_are_followed(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    twin = vggt.make()
    recorded(twin, "~/out")  # type: ignore[arg-type]
    assert_exact(twin, tmp_path / "out")


def test_pictures_that_no_browser_shows_become_png(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    pixels = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)
    paths = [tmp_path / "a.bmp", tmp_path / "b.TIFF"]
    for path in paths:
        pil.fromarray(pixels).save(path)
    kept = keep(
        tmp_path, [*paths, pixels, pixels.transpose(2, 0, 1) / 255.0, pil.fromarray(pixels)]
    )
    for picture in kept:
        assert picture.path.endswith(".png")
        assert picture.size == (12, 8)
        assert (np.asarray(pil.open(tmp_path / "kept" / picture.path)) == pixels).all()


def keep(tmp_path: Path, images: list[Any]) -> list[pictures.Picture]:
    (tmp_path / "kept" / "images").mkdir(parents=True)
    return pictures.keep(pictures.checked(images), tmp_path / "kept")


def test_levels_of_pictures_are_not_cut_off(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image")
    levels = np.linspace(0, 65535, 96).reshape(8, 12).astype("uint16")
    pil.fromarray(levels).save(tmp_path / "deep.tiff")
    (kept,) = keep(tmp_path, [tmp_path / "deep.tiff"])
    shown = np.asarray(pil.open(tmp_path / "kept" / kept.path))
    assert abs(shown[..., 0] - levels / 257).max() <= 1


def test_pixels_beyond_one_are_refused(tmp_path: Path) -> None:
    pixels = torch.tensor([0, 128, 255.0])[:, None, None].expand(3, 8, 12)
    refused(
        "has values from 0 to 255, expected 0 to 1",
        vggt.make(),
        tmp_path / "a",
        images=[pixels] * FRAMES,
    )


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        link = tmp_path / f"to_{name}"
        link.symlink_to(tmp_path / name)
        twin = vggt.make()
        recorded(twin, link)
        assert link.is_symlink()
        assert_exact(twin, tmp_path / name)


def test_damaged_and_empty_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "zero.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    with pytest.raises(Error, match=r"empty\.png: is empty"):
        pictures.checked([tmp_path / "empty.png"])
    with pytest.raises(Error, match=r"zero.png: (cannot be read|is no PNG)"):
        keep(tmp_path, [tmp_path / "zero.png"])


# --- what should work ---------------------------------------------------------------


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
    twin = vggt.make()
    other = common.random_pictures(FRAMES, vggt.GRID, vggt.PATCH, 99)

    def both() -> None:
        twin.model(other)
        twin.run()

    with pytest.raises(Error, match="second forward pass"):
        recorded(twin, tmp_path / "a", both)
    recorded(twin, tmp_path / "out", both, forward_pass=1)
    assert_exact(twin, tmp_path / "out")

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
    twin = vggt.make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(8):
            recorded(twin, tmp_path / str(number))
    assert_untouched(twin.model)
    first = (tmp_path / "0" / "qk" / "global_01.safetensors").read_bytes()
    assert (tmp_path / "7" / "qk" / "global_01.safetensors").read_bytes() == first
