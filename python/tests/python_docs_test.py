# SPDX-License-Identifier: Apache-2.0
"""Runs every snippet of docs/python.md, one after another, as a reader would."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

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
    found = snippets("python")
    assert len(found) > 8
    for line, text in found:
        code = compile("\n" * (line - 1) + text, str(PAGE), "exec")
        exec(code, names)
    said = capsys.readouterr().out
    assert "running the model" in said
    assert "`layer`: the store has no layer 99. Its layers are 1, 2" in said
    assert (tmp_path / "report/index.html").exists()
    for name in ("figure.png", "figure.pdf", "numbers.csv", "layers.svg"):
        assert (tmp_path / name).stat().st_size > 1000


def test_other_snippets_are_python() -> None:
    for kind in ("python torch", "python notebook"):
        for line, text in snippets(kind):
            compile("\n" * (line - 1) + text, str(PAGE), "exec")
