# SPDX-License-Identifier: Apache-2.0
"""What tests of recordings share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import read_store
import torch
from twins import common

from vggt_attn.errors import Error
from vggt_attn.torch import record

FRAMES = 3
PIXELS = [torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(1)) for _ in range(FRAMES)]


def recorded(twin: common.Twin, folder: Path, run: Callable[[], Any] | None = None, **how: Any):
    images = how.pop("images", PIXELS[:1] * twin.frames)
    with torch.no_grad(), record(twin.model, folder, images=images, **how) as rec:
        (run or twin.run)()
    return rec


def refused(message: str, twin: common.Twin, folder: Path, **how: Any) -> None:
    """The recording ends with this error, and leaves nothing."""
    beside = sorted(folder.parent.iterdir())
    with pytest.raises(Error, match=message) as caught:
        recorded(twin, folder, **how)
    assert "\n" not in str(caught.value)
    assert sorted(folder.parent.iterdir()) == beside
    assert_untouched(twin.model)


def assert_untouched(model: torch.nn.Module) -> None:
    """No hook and no attribute of ours is left."""
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in module.__dict__
        assert not [name for name in module.__dict__ if "vggt_attn" in name]


def assert_exact(twin: common.Twin, folder: Path, kind: str = "global") -> None:
    for number, exact in twin.exact[kind].items():
        rows = read_store.attention(folder, kind, number)
        # A share of each row's peak; float16 of queries and keys this large makes 2e-3 of it.
        assert (abs(rows - exact).max(-1) / exact.max(-1)).max() < 5e-3
