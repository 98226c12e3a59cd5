# SPDX-License-Identifier: Apache-2.0
"""Small exports that tests share, made by the bundled model."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from small_pictures import noise, save_noise

import vggt_attn as va
from vggt_attn import Export

# Shells ignore these for what they run in the background, as nohup does, and programs that tests
# start and end inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Three pictures of 4×5 patches, all kinds of blocks, maps of each head, nothing deflated."""
    return va.export(
        [noise(seed=seed) for seed in range(3)],
        out=tmp_path_factory.mktemp("made") / "attn_noise",
        save_qk=True,
        capture=("global", "frame"),
        save_per_head=True,
        compress=False,
        image_size=70,
        precision="f32",
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures, in a folder where a test may write."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        save_noise(folder / f"{seed}.png", seed=seed)
    return folder


_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def golden() -> Path:
    """An export of maps that the reference implementation made."""
    return _ROOT / "tests/golden/export/conv_per_head"


@pytest.fixture(scope="session")
def make_export() -> Path:
    """A program that writes exports as other programs do."""
    return _ROOT / "tests/make_export.py"
