# SPDX-License-Identifier: Apache-2.0
"""Tables and reports: against those of the command line, and against double precision."""

from __future__ import annotations

import csv
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from slow_attention import logits, softmax

import vggt_attn as va
from vggt_attn import Export


@pytest.fixture(scope="module")
def report(made: Export) -> va.Report:
    return made.report()


@pytest.fixture(scope="module")
def saved(made: Export, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command line makes of it."""
    out = tmp_path_factory.mktemp("report") / "report"
    command = [sys.executable, "-m", "vggt_attn", "report", str(made.path), "--out", str(out)]
    subprocess.run([*command, "--quiet"], check=True)
    return out


def test_tables_are_those_of_a_saved_report(report: va.Report, saved: Path) -> None:
    compared = 0
    for name in report:
        file = saved / "data" / f"{name}.npz"
        if not file.exists():
            continue
        table = report[name]
        assert table.name == name
        assert table.title
        assert table.definition
        assert table.sample or name == "block_masks"  # of whole blocks
        with np.load(file) as want:
            assert set(want.files) == {*table, *table.arrays}
            for column, values in table.items():
                np.testing.assert_array_equal(values, want[column], err_msg=f"{name} {column}")
                assert values.dtype.kind == want[column].dtype.kind
            for array, values in table.arrays.items():
                np.testing.assert_array_equal(values, want[array])
        if table:
            assert (saved / "data" / f"{name}.csv").read_text() == table.csv()
        compared += 1
    assert compared > 8


def test_a_metric_equals_double_precision(report: va.Report, made: Export) -> None:
    heads = report.heads
    assert report["heads"] is heads
    specials = len(made.special_tokens)
    kinds = {column.name: column for column in heads.columns}
    assert kinds["entropy"].unit == "nats"
    for layer, head in ((1, 1), (2, 2)):
        p = softmax(logits(made, layer, head)).reshape(3, -1, p_size(made))[:, specials:]
        want = -(p * np.log(p)).sum(-1).mean()
        row = (heads["block"] == "global") & (heads["layer"] == layer) & (heads["head"] == head)
        assert heads["entropy"][row] == pytest.approx(want, rel=1e-4)


def p_size(export: Export) -> int:
    return export.frames * (len(export.special_tokens) + export.grid[0] * export.grid[1])


def test_tables_say_what_they_are(report: va.Report, made: Export) -> None:
    assert repr(report.heads).startswith("<Table heads (")
    assert repr(report.frames) == (
        f"<Table frames ({report.frames.title}): global [{len(made.layers)}, {made.heads}, 3, 4]; "
        f"frame [{len(made.blocks['frame'].layers)}, {made.blocks['frame'].heads}, 3, 4]>"
    )
    assert report.frames.axes["global"] == "[layers, heads, pictures, pictures + 1]"
    np.testing.assert_allclose(report.frames.arrays["global"].sum(-1), 1, atol=1e-5)
    assert "heads" in dir(report)
    assert repr(report).startswith("<Report of attn_noise: heads, layers")
    assert "60 patches" in report.sample
    copied = pickle.loads(pickle.dumps(report.frames))
    assert copied.columns == report.frames.columns
    np.testing.assert_array_equal(copied.arrays["global"], report.frames.arrays["global"])
    with pytest.raises(AttributeError, match="a report has no table 'tails'; it has heads, layers"):
        _ = report.tails
    with pytest.raises(KeyError):
        _ = report["tails"]


def test_rows_are_a_sample(made: Export) -> None:
    assert "2 of 20 patches" in made.report(rows=2).heads.sample
    assert "all 60 patches" in made.report(rows="all").layers.sample
    with pytest.raises(va.OptionError, match=r"`rows`: is 0\. Give at least 1"):
        made.report(rows=0)
    with pytest.raises(va.OptionError, match="`rows`: is too large"):
        made.report(rows=10**30)
    with pytest.raises(TypeError, match="rows"):
        made.report(rows="some")


def test_matches_need_the_exports_geometry(made: Export, golden: Path, tmp_path: Path) -> None:
    with pytest.raises(va.MissingFile, match="has no geometry to hold heads against"):
        _ = made.report().matches
    assert "matches" not in list(made.report())
    demo = golden.parents[3] / "examples/demo"
    scene = va.export(
        demo / "images",
        out=tmp_path / "out",
        num_images=2,
        image_size=70,
        save_qk=True,
        geometry_from=demo / "cameras.json",
        progress=False,
    )
    report = scene.report()
    assert len(dict(report)) == len(report) == len(list(made.report())) + 2
    matches = report.matches
    assert len(matches["hit1"]) == len(scene.layers) * scene.heads
    assert ((matches["hit1"] >= 0) & (matches["hit1"] <= 1)).all()
    assert report.match_pairs["frame_b"].tolist() == [1, 0]


def test_threads_may_share_a_report(made: Export) -> None:
    report = made.report()
    tables: list[va.Table] = []
    threads = [threading.Thread(target=lambda: tables.append(report.sinks)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tables) == 4
    assert all(table is tables[0] for table in tables)


def test_saves_the_whole_report(made: Export, saved: Path, tmp_path: Path) -> None:
    said: list[str] = []
    out = made.report().save(tmp_path / "out", progress=lambda stage, *_: said.append(stage))
    assert out == tmp_path / "out"
    files = {p.relative_to(out) for p in out.rglob("*") if p.is_file()}
    assert files == {p.relative_to(saved) for p in saved.rglob("*") if p.is_file()}
    for file in files:
        assert (out / file).read_bytes() == (saved / file).read_bytes(), file
    assert "layers" in said
    with pytest.raises(va.Error, match="Use `overwrite`"):
        made.report().save(out)
    made.report(rows=3).save(out, only="layers", overwrite=True)
    assert not (out / "data/views.csv").exists()
    with pytest.raises(va.OptionError, match="`only`: 'x' is none of layers"):
        made.report().save(tmp_path / "x", only=["x"])
    with pytest.raises(va.OptionError, match="Give `matches`"):
        made.report().save(tmp_path / "x", only="matches")
    with pytest.raises(va.MissingFile, match=r"nothing\.csv: does not exist"):
        made.report().save(tmp_path / "x", matches=tmp_path / "nothing.csv")
    with pytest.raises(TypeError, match="preset must be text"):
        made.report().save(tmp_path / "x", preset=3)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_several_exports_have_one_table(
    made: Export, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = va.export(
        [np.zeros((56, 70, 3), np.uint8)] * 2,
        out=tmp_path / "other",
        save_qk=True,
        capture=["global", "frame"],
        image_size=70,
        precision="f32",
    )
    out = va.write_report([made, other.path], tmp_path / "out", only=["layers"], progress=True)
    with (out / "data/scenes.csv").open() as file:
        assert len(list(csv.reader(file))) > 1
    assert capsys.readouterr().err.split("\r")[-1].startswith(f"wrote {out}: ")


def test_signals_end_a_report(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (6, 518, 518, 3), np.uint8)
    export = va.export(pictures, out=tmp_path / "out", save_qk=True, heatmaps=False)

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    tables: list[va.Table] = []
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            tables.append(export.report(rows="all").heads)
        took = time.monotonic() - begin
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not tables
    assert took < 1
