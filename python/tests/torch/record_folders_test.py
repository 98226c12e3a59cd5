# SPDX-License-Identifier: Apache-2.0
"""A recording leaves alone what was there, and loses nothing."""

from __future__ import annotations

import contextlib
import errno
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import read_store
import torch
from recordings import FRAMES, assert_exact, recorded, refused
from twins import vggt

from vggt_attn.errors import Error
from vggt_attn.torch import pictures, recording, store, vggt_transforms


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
    (folder / "attn_maps").mkdir()  # of an export, then
    about = folder / "qk" / "attention.json"
    about.write_text(about.read_text().replace(store.GENERATOR, "vggt-attn 1.0"))
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


@pytest.mark.parametrize("how", [{"name": 7}, {"model_text": Path("model.pt")}])
def test_texts_of_another_type_are_told_before(how: Any, tmp_path: Path) -> None:
    twin = vggt.make()
    twin.run = lambda: pytest.fail("the pass ran")
    with pytest.raises(TypeError, match="expected a str"):
        recorded(twin, tmp_path / "a", **how)
    assert not list(tmp_path.iterdir())


def test_texts_that_cannot_be_printed_lose_nothing(tmp_path: Path) -> None:
    recorded(vggt.make(), tmp_path / "out", name="a\udc80", model_text="b\udc80\n")
    about = read_store.description(tmp_path / "out")
    assert (about["image_set_name"], about["model"]["text"]) == ("a?", "b??")


@pytest.mark.parametrize("raised", [KeyboardInterrupt, MemoryError])
def test_what_interrupts_the_end_leaves_no_hidden_folder(
    raised: type[BaseException], tmp_path: Path, monkeypatch: Any
) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    twin.model.register_forward_hook(lambda m, i, out: {**out, "depth": torch.ones(1)})

    def interrupt(*_: Any, **__: Any) -> None:
        raise raised

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupt)
        if raised is MemoryError:
            with pytest.warns(UserWarning, match="predictions.npz is left out.*memory"):
                recorded(twin, tmp_path / "without")
            assert_exact(twin, tmp_path / "without")
            shutil.rmtree(tmp_path / "without")
        else:
            with pytest.raises(raised):
                recorded(twin, folder)
        assert not list(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(store, "describe", interrupt)
        with pytest.raises(raised, match=r"kept in .*out.unfinished.*vggt_attn.torch finish"):
            recorded(twin, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    store.finish(tmp_path / "out.unfinished")
    assert_exact(twin, folder)


def once(function: Any, number: int) -> Any:
    """``function``, whose call of this number, from 0, is interrupted by Ctrl-C."""
    calls: list[int] = []

    def called(*args: Any, **how: Any) -> Any:
        calls.append(1)
        if len(calls) == number + 1:
            raise KeyboardInterrupt
        return function(*args, **how)

    return called


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("number", range(12))  # of both recordings' files, 6 each
def test_what_interrupts_a_replacement_spoils_nothing(
    number: int, tmp_path: Path, monkeypatch: Any
) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    recorded(twin, folder, name="first")
    before = files(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", once(Path.rename, number))
        with pytest.raises(KeyboardInterrupt, match=r"kept in .*out.unfinished"):
            recorded(twin, folder, name="second", overwrite=True)
    assert files(folder) == before
    store.finish(tmp_path / "out.unfinished")
    assert read_store.description(folder)["image_set_name"] == "second"
    assert files(folder).keys() == before.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("of", "name"), [(shutil, "rmtree"), (Path, "unlink")])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_interrupts_cleaning_up_leaves_a_whole_recording(
    of: Any, name: str, overwrite: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    twin, folder = vggt.make(), tmp_path / "out"
    if overwrite:
        recorded(twin, folder)
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(of, name, once(getattr(of, name), 0))
        recorded(twin, folder, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert_exact(twin, folder)


def test_where_there_is_no_room_nothing_is_begun(tmp_path: Path, monkeypatch: Any) -> None:
    def no_room(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    refused("cannot be written .No space", vggt.make(), tmp_path / "a")


def test_an_interrupted_finish_may_be_tried_again(tmp_path: Path, monkeypatch: Any) -> None:
    twin = vggt.make()
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(store, "describe", once(store.describe, 0))
        recorded(twin, tmp_path / "out")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "copytree", once(shutil.copytree, 0))
        store.finish(tmp_path / "out.unfinished")
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    store.finish(tmp_path / "out.unfinished")
    assert_exact(twin, tmp_path / "out")


def test_warnings_that_are_errors_lose_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    twin = vggt.make()
    monkeypatch.setattr(recording, "_MUCH", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="of their largest value off"):
            recorded(twin, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert_exact(twin, tmp_path / "out")


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
