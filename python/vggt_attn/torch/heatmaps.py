# SPDX-License-Identifier: Apache-2.0
"""The classic maps of a recording, which the compiled part makes of its queries and keys."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vggt_attn.errors import Error
from vggt_attn.torch.families import Blocks, Kind


def writer(
    blocks: Mapping[Kind, Blocks],
    *,
    stride_h: Any,
    stride_w: Any,
    save_per_head: Any,
    compress: Any,
) -> Callable[[Path], None]:
    """What writes the maps of a folder that has queries and keys, as ``record`` was told.

    Raises:
        Error: there can be no maps.
    """
    if "global" not in blocks:
        raise Error(
            "heatmaps are of global blocks, which are not recorded",
            hint="Add 'global' to capture, or leave heatmaps out.",
        )
    if blocks["global"].attends == "causal":
        raise Error(
            "heatmaps show where the first picture looks in all others, and in this model it sees "
            "itself alone",
            hint="Leave heatmaps out.",
        )
    for name, stride in (("stride_h", stride_h), ("stride_w", stride_w)):
        number = not isinstance(stride, bool) and hasattr(stride, "__index__")
        if not number or not 1 <= stride.__index__() <= 10**6:
            raise Error(f"{name}={stride!r}: expected a number from 1")
    try:
        core: Any = importlib.import_module("vggt_attn._core")  # without maps it is not needed
    except ImportError as error:
        raise Error(
            "heatmaps are made by the compiled part of vggt_attn, which cannot be imported "
            f"({error})",
            hint="Install the package (pip install .), or leave heatmaps out.",
        ) from error
    return lambda folder: core.write_maps(
        folder, int(stride_h), int(stride_w), bool(save_per_head), bool(compress)
    )
