# SPDX-License-Identifier: Apache-2.0
"""What a model itself says of its pictures: cameras, depth, points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

# What is kept of a model's own output, where it returns a dictionary that has them.
_NAMES = (
    "pose_enc",
    "depth",
    "depth_conf",
    "world_points",
    "world_points_conf",
    "extrinsics",
    "intrinsics",
    "points",
    "local_points",
    "camera_poses",
    "conf",
)


class Predictions:
    """Those of one pass, which may be of several steps."""

    def __init__(self) -> None:
        """There are none yet."""
        self._steps: dict[str, list[Tensor]] = {}

    def take(self, output: Any) -> None:
        """Keeps what is known of an output."""
        if not isinstance(output, dict):
            return
        for name, value in output.items():
            if isinstance(value, Tensor) and name in _NAMES:
                one = value.detach().to("cpu", torch.float32, copy=True)
                self._steps.setdefault(name, []).append(one)

    def whole(self, frames: int) -> dict[str, Tensor]:
        """Those of all pictures; of pictures that came one after another, where all are there."""
        out = {}
        for name, values in self._steps.items():
            counts = [value.shape[1] if value.dim() > 1 else 0 for value in values]
            if len(values) == 1:
                out[name] = values[0]
            elif sum(counts) == frames and 0 not in counts:
                out[name] = torch.cat(values, dim=1)
        return out

    def save(self, file: Path, frames: int) -> str:
        """Writes them, if there are any. Returns why they are left out, or nothing."""
        try:
            predicted = self.whole(frames)
            if not predicted:
                return ""
            np.savez(file, **{name: value.numpy() for name, value in predicted.items()})
        except (OSError, MemoryError, RuntimeError) as error:  # steps of different shapes are such
            file.unlink(missing_ok=True)
            why = getattr(error, "strerror", None) or str(error) or "memory does not suffice"
            return f"{file.name} is left out: it cannot be written ({why})."
        return ""
