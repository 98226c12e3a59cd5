# SPDX-License-Identifier: Apache-2.0
"""Every block of every family's twin, recorded, has the rows that its attention had."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import read_store
import torch
from twins import common, vggt
from twins_test import MAKERS

import vggt_attn.torch

DOCS = Path(__file__).parents[3] / "docs/python.md"


@pytest.mark.parametrize("name", MAKERS)
def test_recordings_are_what_attention_was(name: str, tmp_path: Path) -> None:
    make: Callable[[], common.Twin] = MAKERS[name]
    twin = make()
    pixels = [torch.rand(3, 8, 12)] * twin.frames
    with torch.no_grad():
        with vggt_attn.torch.record(
            twin.model, tmp_path / "out", images=pixels, capture=list(twin.exact)
        ) as recording:
            twin.run()
    about = read_store.description(tmp_path / "out")
    for kind, blocks in twin.exact.items():
        told = about["blocks"][kind]
        assert told["special_tokens"] == twin.special[kind]
        assert told.get("scene_tokens", []) == twin.scene.get(kind, [])
        worst = 0.0
        for number, exact in blocks.items():
            rows = read_store.attention(tmp_path / "out", kind, number)
            worst = max(worst, float((abs(rows - exact).max(-1) / exact.max(-1)).max()))
        # Float16 of queries and keys; of some samples the recording says it itself.
        assert worst < 6e-3
        assert recording.row_error[kind] < worst + 1e-3


def test_the_snippet_of_the_documentation(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    twin = vggt.make()
    snippets = re.findall(r"```python torch\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert snippets
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for text in snippets:
            names = {"va": vggt_attn, "torch": torch, "model": lambda *_: None}
            names |= {"paths": [torch.rand(3, 8, 12)] * twin.frames, "model": twin.model}
            names |= {"pictures": common.random_pictures(twin.frames, vggt.GRID, vggt.PATCH, 2)}
            exec(text, names)
    assert said.getvalue().startswith("vggt {'global': ")
    assert (tmp_path / "attn_recorded" / "qk" / "attention.json").exists()
