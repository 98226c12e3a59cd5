# SPDX-License-Identifier: Apache-2.0
"""Runs the notebook that records a model, cell by cell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_record_my_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES / "demo/images", tmp_path / "demo/images")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    path = EXAMPLES / "notebooks/record_my_model.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(path), "exec"), names)
    export, rows, recording = (names[name] for name in ("export", "rows", "recording"))
    assert rows.shape == (3, 10, 15)
    assert rows.sum() == pytest.approx(1, abs=1e-3)
    assert max(recording.row_error.values()) < 5e-3
    figure = export.figure(queries=(4, 5), layer=2, head=3, view="frames", definition="model")
    assert len(figure.data("png")) > 20000
