# SPDX-License-Identifier: Apache-2.0
"""Exports: made of pictures in every form, opened, interrupted, refused."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_pictures import noise, save_noise

import vggt_attn as va
from vggt_attn import Export, LayerMaps

SMALL: dict[str, Any] = {"image_size": 70, "precision": "f32"}
PROGRAM = [sys.executable, "-m", "vggt_attn"]


def pixels(export: Export) -> list[bytes]:
    """The kept pictures."""
    return [path.read_bytes() for path in export.image_paths]


def test_pictures_follow_a_rule(pictures: Path, tmp_path: Path) -> None:
    padded = va.export(pictures, out=tmp_path / "padded", picture_rule="vggt_pad", **SMALL)
    assert padded.grid == (5, 5)
    stretched = va.export(pictures, out=tmp_path / "stretched", picture_rule="pi3", **SMALL)
    assert stretched.grid == (4, 6)
    with pytest.raises(va.Error, match=r"picture_rule.*vggt_crop, vggt_pad, pi3, da3, omega"):
        va.export(pictures, out=tmp_path / "wrong", picture_rule="vggt", **SMALL)


def test_a_family_is_chosen(pictures: Path, tmp_path: Path) -> None:
    causal = va.export(pictures, out=tmp_path / "c", family="streamvggt", save_qk=True, **SMALL)
    mass = causal.attention(layer=2, frame=1, row=1, col=1).sum(axis=(1, 2))
    assert mass[0] > 0
    assert mass[1] > 0
    assert mass[2] == 0  # a later picture
    with pytest.raises(va.Error, match=r"family 'vggt2'.*vggt, streamvggt"):
        va.export(pictures, out=tmp_path / "wrong", family="vggt2", **SMALL)


def test_says_what_it_is(made: Export) -> None:
    assert (made.frames, made.grid, made.name) == (3, (4, 5), "noise")
    assert made.layers == list(range(1, len(made.layers) + 1)) == list(made.maps)
    assert made.special_tokens[0] == "camera"
    assert list(made.blocks) == ["global", "frame"]
    blocks = made.blocks["global"]
    assert (blocks.kind, blocks.layers, blocks.heads) == ("global", made.layers, made.heads)
    assert blocks.scale == pytest.approx(blocks.head_dim**-0.5)
    assert (blocks.attends, made.blocks["frame"].attends, blocks.rope) == ("all", "frame", "2d")
    assert made.has_maps
    assert made.has_store
    assert made.precision == "f32"
    assert made.provenance is not None
    assert made.provenance.generator == f"vggt-attn {va.version()}"
    assert made.model_text
    assert made.image_sizes == [(70, 56)] * 3
    assert made.sources == ["picture_000.png", "picture_001.png", "picture_002.png"]
    assert [path.name for path in made.image_paths] == [f"frame_0{i}.png" for i in range(3)]
    assert made.made is not None
    assert made.made["pictures"] == 3
    assert os.fspath(made) == str(made.path)
    text = repr(made)
    assert "\n" not in text
    assert "3 of 5×4 patches" in text
    assert "<caption>noise" in made._repr_html_()
    assert repr(blocks).startswith("<Blocks global: ")


def test_opens_whatever_leads_there(made: Export) -> None:
    for path in (made.path, str(made.path), made.path / "attn_maps", made):
        again = va.open(path)
        assert again.grid == made.grid
        assert again.made is None
        np.testing.assert_array_equal(again.maps[1], made.maps[1])
    with pytest.raises(FileNotFoundError):
        va.open(made.path / "nothing")
    with pytest.raises(va.Error):
        va.open(made.path.parent / "attn_noise/images/frame_00.png")


def test_pictures_come_in_many_forms(pictures: Path, tmp_path: Path) -> None:
    arrays = [noise(seed=seed) for seed in range(3)]
    paths = sorted(pictures.iterdir())
    forms: dict[str, Any] = {
        "folder": pictures,
        "text": str(pictures),
        "paths": paths,
        "texts": tuple(map(str, paths)),
        "arrays": arrays,
        "whole": np.stack(arrays),
        "channels_first": np.stack(arrays).transpose(0, 3, 1, 2),
        "floats": [array / 255 for array in arrays],
        "mixed": [paths[0], arrays[1], np.float16(arrays[2] / 255)],
        "iterator": iter(arrays),
        "array of paths": np.array([str(path) for path in paths]),
    }
    made = {
        name: va.export(form, out=tmp_path / name, compress=False, **SMALL)
        for name, form in forms.items()
    }
    want = made["folder"].maps[2]
    for name, export in made.items():
        assert export.frames == 3, name
        np.testing.assert_array_equal(export.maps[2], want, err_msg=name)
    grey = noise()[:, :, 0]
    one = va.export(grey, out=tmp_path / "one", **SMALL)
    three = va.export(np.dstack([grey] * 3), out=tmp_path / "three", **SMALL)
    assert one.frames == three.frames == 1
    assert pixels(one) == pixels(three)


def test_paths_are_those_of_python(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = pictures.rename(tmp_path / "Bücher_本")
    files = [bytes(folder / "0.png"), str(folder / "1.png"), folder / "2.png"]
    first = va.export(files, out=bytes(tmp_path / "ausgänge/первый"), **SMALL)
    second = va.export(bytes(folder), out="~/ausgänge/второй", **SMALL)
    assert (first.frames, second.frames) == (3, 3)
    assert second.path == tmp_path / "ausgänge/второй"
    for path in ("~/ausgänge/второй", os.fsencode(second), second.path, second):
        np.testing.assert_array_equal(va.open(path).maps[1], first.maps[1])
    for wrong in ("a\0b", b"a\0b"):
        with pytest.raises(va.OptionError, match="`path`: holds a null character"):
            va.open(wrong)
    with pytest.raises(TypeError, match="expected str, bytes or os"):
        va.open(3)  # type: ignore[arg-type]


class _Pillow:
    """What exports ask of a picture of Pillow."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.size = (70, 56)

    def convert(self, mode: str) -> _Pillow:
        return _Pillow(mode)

    def save(self, path: Path, kind: str, compress_level: int) -> None:
        assert (self.mode, kind, compress_level) == ("RGB", "PNG", 1)
        save_noise(path)


def test_pictures_of_pillow_are_saved_by_it(tmp_path: Path) -> None:
    want = va.export([noise()], out=tmp_path / "array", **SMALL)
    for name, given in (("one", _Pillow("RGB")), ("list", [_Pillow("CMYK")])):
        export = va.export(given, out=tmp_path / name, **SMALL)
        assert pixels(export) == pixels(want)


def test_options_do_what_the_command_line_does(pictures: Path, tmp_path: Path) -> None:
    export = va.export(
        pictures,
        out=tmp_path / "python",
        num_images=np.int64(2),
        first_image_idx=1,
        layers=np.array([2, 1]),
        stride_h=2,
        save_qk=True,
        capture="global,encoder",
        save_per_head=True,
        image_set_name="set",
        **SMALL,
    )
    flags = (
        "--num_images 2 --first_image_idx 1 --layers 1,2 --stride_h 2 --save_qk --capture "
        "global,encoder --save_per_head --image_size 70 --precision f32 --image_set_name set "
        "--output_dir_prefix cli_ --quiet"
    )
    subprocess.run(
        [*PROGRAM, "export", "--image_dir", str(pictures), *flags.split()], cwd=tmp_path, check=True
    )
    files = {p.relative_to(export.path) for p in export.path.rglob("*") if p.is_file()}
    other = tmp_path / "cli_set"
    assert files == {p.relative_to(other) for p in other.rglob("*") if p.is_file()}
    for file in files:
        assert (export.path / file).read_bytes() == (other / file).read_bytes(), file
    assert export.layers == [1, 2]
    assert export.maps.grid == (2, 5)
    assert list(export.blocks) == ["global", "encoder"]


def test_geometry_is_predicted_if_asked(golden: Path, tmp_path: Path) -> None:
    made = va.export(
        [noise(), noise()],
        out=tmp_path / "out",
        weights=golden.parents[1] / "heads" / "tiny.safetensors",
        geometry=True,
        geometry_points=True,
        geometry_layers=[1, 3, 4, 5],
        layers_lens=5,
        **SMALL,
    )
    folder = made.path / "geometry"
    predictions = np.load(folder / "predictions.npz")
    frames, height, width = predictions["depth"].shape
    assert (frames, width) == (2, 70)
    assert predictions["world_points"].shape == (2, height, width, 3)
    lens = np.load(folder / "lens_layer_05.npz")
    np.testing.assert_array_equal(lens["pose_enc"], predictions["pose_enc"])
    assert (folder / "cameras.json").exists()
    assert made.made is not None
    assert made.made["prediction_flops"] != 0


def test_geometry_may_be_given(golden: Path, tmp_path: Path) -> None:
    demo = golden.parents[3] / "examples/demo"
    made = va.export(
        demo / "images",
        out=tmp_path / "out",
        num_images=2,
        geometry_from=demo / "cameras.json",
        **SMALL,
    )
    told = json.loads((made.path / "geometry/cameras.json").read_text())
    assert told["source"] == "given: cameras.json"
    depth = np.load(made.path / "geometry/frame_00.npz")["depth"]
    assert depth.shape[1] == 70
    assert (depth > 0).any()


def test_equals_the_golden_export(golden: Path, tmp_path: Path) -> None:
    # Made by the reference implementation in PyTorch; the arguments are those of args.json.
    weights = tmp_path / "tiny.safetensors"
    subprocess.run(
        [*PROGRAM, "synth-weights", "--preset", "tiny-conv", "--seed", "1", "-o", str(weights)],
        check=True,
        capture_output=True,
    )
    export = va.export(
        golden / "input",
        weights=weights,
        out=tmp_path / "out",
        num_images=3,
        save_per_head=True,
        stride_h=3,
        stride_w=4,
        first_image_idx=2,
        precision="f32",
    )
    expected = va.open(golden)
    assert list(export.maps) == list(expected.maps) == [1, 2, 3]
    for layer in expected.maps:
        got, want = (np.int16(each.maps[layer]) for each in (export, expected))
        assert got.shape == want.shape
        # Rounding differs where float32 sums differ in their order.
        assert np.abs(got - want).max() <= 1
        assert (got != want).mean() < 1e-3
        np.testing.assert_allclose(export.maps[layer].scale, expected.maps[layer].scale, rtol=1e-4)


def test_what_stands_there_is_replaced_only_if_told(tmp_path: Path) -> None:
    picture = noise()
    va.export(picture, out=tmp_path / "out", **SMALL)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(va.Error, match="exists already"):
        va.export(picture, out=tmp_path / "out", **SMALL)
    with pytest.warns(UserWarning, match=r"notes\.txt"):
        va.export(picture, out=tmp_path / "out", overwrite=True, **SMALL)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_what_has_been_replaced_answers_no_more(tmp_path: Path) -> None:
    def make(seed: int) -> Export:
        path = tmp_path / "out"
        return va.export(noise(seed=seed), out=path, save_qk=True, overwrite=True, **SMALL)

    first = make(0)
    maps, queries, report = first.maps[1].copy(), first.q(1), first.report()
    kept = queries.copy()
    second = make(1)
    asked: list[Callable[[], object]] = [
        lambda: first.attention(1, row=0, col=0),
        lambda: first.q(1),
        lambda: first.maps[2],
        lambda: first.image_paths,
        lambda: first.figure(queries=(0, 0)),
        lambda: report.heads,
    ]
    for ask in asked:
        with pytest.raises(va.Error, match=r"another export has taken its place .* Open it again"):
            ask()
    np.testing.assert_array_equal(queries, kept)
    assert (first.name, first.frames) == ("out", 1)
    assert (np.asarray(second.maps[1]) != maps).any()
    assert (va.open(first).q(1) == second.q(1)).all()


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"precision": "f16"}, ValueError, "`precision`: 'f16' is none of auto, bf16, f32"),
        ({"capture": "all", "save_qk": True}, ValueError, "`capture`: 'all' is none of global"),
        ({"capture": "frame"}, ValueError, "`capture`: is for queries and keys. Give save_qk=True"),
        ({"layers_lens": [1]}, ValueError, "`geometry`: is not asked for. Give geometry=True"),
        (
            {"geometry": True, "geometry_layers": [1, 2]},
            ValueError,
            "`geometry_layers`: names 2 layers, four are needed",
        ),
        (
            {"geometry": True, "geometry_from": "cameras.json"},
            ValueError,
            "`geometry_from`: cameras and depth are either given or predicted",
        ),
        ({"layers": [99]}, ValueError, "`layers`: there is no layer 99 in this model"),
        ({"image_size": 71}, va.Error, "image size 71 does not fit patches of 14 pixels"),
        ({"image_size": 70.0}, TypeError, "image_size must be a whole number, not 70.0"),
        ({"image_size": 10**30}, ValueError, "`image_size`: is too large"),
        ({"layers": "1-4"}, TypeError, "layers must be a whole number"),
        ({"layers": []}, ValueError, "`layers`: names none. Leave it out for all."),
        ({"layers": -1}, ValueError, "`layers`: is negative"),
        ({"capture": (), "save_qk": True}, ValueError, "`capture`: names none"),
        ({"precision": None}, TypeError, "precision must be text, not None"),
        ({"image_set_name": 3}, TypeError, "image_set_name must be text, not 3"),
        ({"weights": 3}, TypeError, "expected str, bytes or os.PathLike object"),
        ({"num_images": 2}, ValueError, "`num_images`: is for folders and videos"),
        ({"sort": "natural"}, ValueError, "`sort`: is for folders"),
        ({"fps": 2}, ValueError, "`fps`: is for videos"),
        ({"first_image_idx": 1}, va.Error, "`first_image_idx`"),
        ({"weights": "nothing.safetensors"}, FileNotFoundError, "nothing.safetensors"),
        ({"heatmaps": False}, va.Error, ""),
        ({"progress": "yes"}, TypeError, "progress must be True, False or a function"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, options: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as refused:
        va.export([noise()], out=tmp_path / "out", **(SMALL | options))
    assert said in str(refused.value)
    assert "--" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("images", "kind", "said"),
    [
        ([], ValueError, "`images`: no picture is given"),
        (["nothing.png"], FileNotFoundError, "nothing.png"),
        ("nothing", va.Error, "nothing"),
        (
            [np.zeros((4, 4, 4), np.uint8)],
            ValueError,
            "`images`: picture 0 has the shape [4, 4, 4]",
        ),
        ([np.zeros((4, 4, 3), np.int32)], ValueError, "`images`: picture 0 is of int32"),
        ([np.full((4, 4, 3), 2.0)], ValueError, "picture 0 has values outside 0 to 1"),
        ([np.full((4, 4, 3), np.nan)], ValueError, "picture 0 has values outside 0 to 1"),
        ([np.zeros((0, 4, 3), np.uint8)], ValueError, "picture 0 has the shape [0, 4, 3]"),
        ([None], ValueError, "picture 0 is of NoneType. Give paths, arrays"),
        (3, ValueError, "picture 0 is of int. Give paths, arrays"),
    ],
)
def test_pictures_that_are_none_are_refused(
    tmp_path: Path, images: Any, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as refused:
        va.export(images, out=tmp_path / "out", **SMALL)
    assert said in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_a_function(pictures: Path, tmp_path: Path) -> None:
    said: list[tuple[str, float, str]] = []
    va.export(pictures, out=tmp_path / "out", progress=lambda *each: said.append(each), **SMALL)
    stages = list(dict.fromkeys(stage for stage, _, _ in said))
    assert len(stages) > 1
    assert all(0 <= share <= 1 for _, share, _ in said)


def test_progress_is_a_line(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    va.export(pictures, out=tmp_path / "out", num_images=3, progress=True, **SMALL)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 2
    assert "\rno `weights` given: using the bundled demonstration model" in shown.err
    assert "reading pictures:   0%" in shown.err
    assert shown.err.split("\r")[-1].startswith(f"wrote {tmp_path / 'out'}: 3 pictures")


def test_what_progress_raises_ends_the_export(pictures: Path, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def enough(_stage: str, _share: float, _detail: str) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        va.export(pictures, out=tmp_path / "out", progress=enough, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_notes_are_warnings(tmp_path: Path) -> None:
    for name in ("a_2", "a_10"):
        (tmp_path / "in").mkdir(exist_ok=True)
        save_noise(tmp_path / "in" / f"{name}.png")
    with pytest.warns(UserWarning, match="`sort`"):
        va.export(tmp_path / "in", out=tmp_path / "out", **SMALL)


def test_that_nothing_is_lost_is_no_warning(pictures: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        va.export(pictures, out=tmp_path / "out", image_size=70)
    assert not [each for each in said if "precision f32:" in str(each.message)]


LONG = """
import sys, numpy as np, vggt_attn as va
pictures = np.random.default_rng(0).integers(0, 256, (24, 518, 518, 3), np.uint8)
def say(stage, share, detail):
    if stage == sys.argv[2] and share > 0:
        print(stage, flush=True)
va.export(pictures, out=sys.argv[1], save_qk=True, save_per_head=True, progress=say)
"""


def test_control_c_ends_an_export_and_leaves_nothing(tmp_path: Path) -> None:
    stage = "running the model"
    process = subprocess.Popen(
        [sys.executable, "-c", LONG, str(tmp_path / "out"), stage],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == stage
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    took = time.monotonic() - begin
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
    assert list(tmp_path.iterdir()) == []
    assert took < 2  # a second, and the interpreter's own end, on a busy machine


def test_other_threads_go_on(pictures: Path, tmp_path: Path) -> None:
    counted = 0
    done = threading.Event()

    def export() -> None:
        va.export(pictures, out=tmp_path / "out", image_size=518, precision="f32")
        done.set()

    thread = threading.Thread(target=export)
    thread.start()
    while not done.is_set():
        counted += 1
        time.sleep(0.001)
    thread.join()
    assert counted > 10


def test_two_exports_run_beside_each_other(pictures: Path, tmp_path: Path) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    threads = [
        threading.Thread(target=va.export, args=(pictures,), kwargs={"out": out, **SMALL})
        for out in outs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    a, b = (va.open(out).maps[1] for out in outs)
    np.testing.assert_array_equal(a, b)


def test_maps_keep_their_scale(made: Export) -> None:
    maps = made.maps[2]
    queries = made.grid[0] * made.grid[1]
    assert maps.dtype == np.uint8
    assert maps.shape == (queries, made.heads, 3, *made.grid)
    assert not maps.flags.writeable
    assert isinstance(maps.scale, np.ndarray)
    assert maps.scale.shape == (made.heads, 1, 1, 1)
    # A classic map is softmax over patches, in 8 bits.
    want = made.attention(2, "all", row=1, col=2, definition="patches")
    got = maps[7] / 255 * maps[7].scale
    np.testing.assert_allclose(got, np.minimum(want, maps.scale), atol=maps.scale.max() / 250)
    again = pickle.loads(pickle.dumps(maps))
    np.testing.assert_array_equal(again.scale, maps.scale)
    np.testing.assert_array_equal(again, maps)
    parts: dict[str, tuple[LayerMaps, tuple[int, ...]]] = {
        "query": (maps[7], (made.heads, 1, 1, 1)),
        "heads": (maps[:, 1:3], (1, 2, 1, 1, 1)),
        "new axis": (maps[..., None], (1, made.heads, 1, 1, 1, 1)),
    }
    for name, (part, shape) in parts.items():
        assert np.shape(part.scale) == shape, name
    one = maps[7, 2]
    assert one.scale == maps.scale[2, 0, 0, 0]
    assert (one / 255 * one.scale).shape == (3, *made.grid)
    np.testing.assert_array_equal(maps[:, 1:3][4, 1].scale, maps.scale[2, 0, 0, 0])
    assert np.isnan([maps[[1, 2]].scale, maps.swapaxes(0, 1).scale]).all()
    assert isinstance(maps.max(), np.uint8)
    assert type(maps + 1) is np.ndarray
    assert 99 not in made.maps
    assert made.maps.get(99) is None
    with pytest.raises(va.OptionError, match="the export has no layer 99"):
        made.maps[99]
    assert repr(made.maps).startswith(f"<Maps of {len(made.layers)} layers, {made.heads} heads")


def test_exports_stay_where_they_are(made: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.path.parent)
    export = va.open(made.path.name)
    monkeypatch.chdir("/")
    assert export.path == made.path
    assert export.image_paths[0].exists()
    np.testing.assert_array_equal(export.maps[1], made.maps[1])
    assert pickle.loads(pickle.dumps(export)).path == made.path


def test_deflated_maps_are_the_same(golden: Path) -> None:
    export = va.open(golden)
    for layer in export.maps:
        with np.load(golden / f"attn_maps/layer_{layer:02}/heatmaps_uint8.npz") as file:
            np.testing.assert_array_equal(export.maps[layer], file["heatmaps"])
    assert not export.has_store
    assert export.blocks == {}
    assert export.heads == export.maps.heads > 0


def test_maps_of_floats_are_probabilities(tmp_path: Path, make_export: Path) -> None:
    subprocess.run([sys.executable, str(make_export), str(tmp_path), "raw16", "npy"], check=True)
    raw = va.open(tmp_path / "raw16").maps[1]
    assert raw.dtype == np.float16
    with np.load(tmp_path / "raw16/attn_maps/layer_01/heatmaps_raw_float16.npz") as file:
        np.testing.assert_array_equal(raw, file["heatmaps"])
    plain = va.open(tmp_path / "npy").maps[1]
    stored = np.load(tmp_path / "npy/attn_maps/layer_01/heatmaps_uint8.npy")
    np.testing.assert_array_equal(plain, stored)


def test_queries_and_keys_are_mapped(made: Export) -> None:
    tokens = 3 * (len(made.special_tokens) + 20)
    blocks = made.blocks["global"]
    for array in (made.q(1), made.k(np.int64(1)), made.q(1, block="frame")):
        assert array.dtype == np.float16
        assert array.shape == (blocks.heads, tokens, blocks.head_dim)
        assert not array.flags.writeable
        assert not array.flags.owndata
    extras = made.extras(1)
    assert extras["x_norm"].shape == (tokens,)
    assert extras["v_norm"].shape == extras["wov_norm"].shape == (blocks.heads, tokens)
    assert extras["x_unit_sum"].shape[0] == 3
    with pytest.raises(va.OptionError, match="`layer`: the store has no layer 99"):
        made.k(99)
    with pytest.raises(va.OptionError, match="`block`"):
        made.k(1, block="encoder")


def test_arrays_outlive_their_export(tmp_path: Path) -> None:
    export = va.export(
        [noise()],
        out=tmp_path / "out",
        save_qk=True,
        compress=False,
        **SMALL,
    )
    arrays = [export.q(1), export.k(1), export.maps[1], export.attention(1, row=0, col=0)]
    copies = [np.array(array) for array in arrays]
    del export
    for path in sorted((tmp_path / "out").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_threads_are_counted(made: Export) -> None:
    before = va.thread_count()
    want = made.attention(1, row=0, col=0)
    try:
        va.set_thread_count(1)
        assert va.thread_count() == 1
        np.testing.assert_array_equal(made.attention(1, row=0, col=0), want)
    finally:
        va.set_thread_count(before)
    with pytest.raises(ValueError, match="0 is no number from 1 to 1024"):
        va.set_thread_count(0)
