# SPDX-License-Identifier: Apache-2.0
"""A recording holds what was attended with, or there is none."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import read_store
import torch
from recordings import FRAMES, PIXELS, assert_exact, assert_untouched, recorded, refused
from twins import common, da3, fastvggt, mapanything, omega, streamvggt, vggt

from vggt_attn.errors import Error
from vggt_attn.torch import record


def test_it_says_how_exact_it_is(tmp_path: Path) -> None:
    twin = vggt.make()
    rec = recorded(twin, tmp_path / "out", capture="global,frame,encoder")
    assert rec.family == "vggt"
    assert rec.row_error.keys() == {"global", "frame", "encoder"}
    assert 1e-5 < max(rec.row_error.values()) < 5e-3
    told = read_store.description(tmp_path / "out")["blocks"]
    assert {kind: block["row_error"] for kind, block in told.items()} == rec.row_error


def test_rows_that_float16_cannot_hold_are_a_warning(tmp_path: Path) -> None:
    twin = vggt.make()
    twin.model.aggregator.global_blocks[0].attn.k_norm.bias.data += 300
    with pytest.warns(UserWarning, match=r"up to \d+\.\d% of their largest value off"):
        rec = recorded(twin, tmp_path / "out")
    assert len(rec.notes) == 1
    assert rec.row_error["global"] > 0.02


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


@pytest.mark.parametrize("grid", [(3, 2), (1, 3), (3, 3), (1, 6)])
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


def test_blocks_without_rows_of_patches_are_left_out_and_told(tmp_path: Path) -> None:
    twin = omega.make()
    rec = recorded(twin, tmp_path / "out")
    notes = [note for note in rec.notes if "picture rule" not in note]  # its pictures are no such
    assert notes == ["Global blocks 2 are left out: they attend among special tokens alone."]
    assert_exact(twin, tmp_path / "out")
    refused("global blocks 2 attend among special tokens", twin, tmp_path / "a", layers=[2])
