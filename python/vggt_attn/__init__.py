# SPDX-License-Identifier: Apache-2.0
"""See what a multi-view transformer looks at.

Names are loaded when they are first used, so that importing the package costs nothing and needs
neither NumPy, PyTorch nor the compiled part.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vggt_attn._core import version as version
    from vggt_attn.errors import Error as Error
    from vggt_attn.errors import MissingFile as MissingFile

# Each public name and the module that has it.
_HOMES = {
    "Error": "vggt_attn.errors",
    "MissingFile": "vggt_attn.errors",
    "version": "vggt_attn._core",
}
__all__ = ["Error", "MissingFile", "version"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vggt_attn' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
