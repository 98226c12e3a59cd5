# SPDX-License-Identifier: Apache-2.0
"""Pictures for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggt_attn import _core


def noise(height: int = 56, width: int = 70, seed: int = 0) -> NDArray[np.uint8]:
    """A picture that is like no other."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def save_noise(path: Path, seed: int = 0) -> None:
    """The same as a PNG."""
    _core.save_png(path, noise(seed=seed))
