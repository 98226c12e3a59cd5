# SPDX-License-Identifier: Apache-2.0
"""Runs every snippet of docs/python.md, one after another, as a reader would."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import vggt_attn.views

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/python.md"


def snippets(kind: str) -> list[tuple[int, str]]:
    """The line and text of each block that begins with ```kind."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.finditer(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)
    return [(text.count("\n", 0, each.start(1)) + 1, each[1]) for each in blocks]


def test_every_snippet_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kitchen").mkdir()
    for picture in sorted((ROOT / "examples/demo/images").iterdir())[:3]:
        shutil.copy(picture, tmp_path / "kitchen")
    names: dict[str, object] = {}
    cells = snippets("python notebook")
    assert len(cells) == 2
    found = sorted(snippets("python") + cells)
    assert len(found) > 10
    for line, text in found:
        monkeypatch.setattr(
            vggt_attn.views, "_in_notebook", lambda here=(line, text) in cells: here
        )
        code = compile("\n" * (line - 1) + text, str(PAGE), "exec")
        exec(code, names)
    said = capsys.readouterr().out
    assert "running the model" in said
    assert "`layer`: the store has no layer 99. Its layers are 1, 2" in said
    assert (tmp_path / "report/index.html").exists()
    for name in (
        "layer_1.png",
        "layer_6.png",
        "figure.png",
        "figure.pdf",
        "numbers.csv",
        "layers.svg",
    ):
        assert (tmp_path / name).stat().st_size > 1000


def test_other_snippets_are_python() -> None:
    for line, text in snippets("python torch"):  # run by python/tests/torch
        compile("\n" * (line - 1) + text, str(PAGE), "exec")
