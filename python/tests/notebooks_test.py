# SPDX-License-Identifier: Apache-2.0
"""Runs a notebook of examples/ in a kernel. The other needs PyTorch (python/tests/torch)."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "examples/notebooks"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside the demonstration scene, as in the repository."""
    shutil.copytree(NOTEBOOKS.parent / "demo", tmp_path / "demo")
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def test_matching_heads(folder: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS / "matching_heads.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    said = "".join(out["text"] for out in outputs if out.get("name") == "stdout")
    assert said.count("% mutual") == 5
    shown = [out["data"] for out in outputs if "data" in out]
    figures = [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]
    assert len(figures) == 2
    assert all(figure.startswith(b"\x89PNG") and len(figure) > 20000 for figure in figures)
    assert sum("application/vnd.jupyter.widget-view+json" in data for data in shown) == 1
    assert (folder / "matching_head.png").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
