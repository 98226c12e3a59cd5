# SPDX-License-Identifier: Apache-2.0
"""See what a multi-view transformer looks at.

Names are loaded when they are first used, so that importing the package costs nothing and needs
neither NumPy, PyTorch nor the compiled part.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vggt_attn._core import definitions as definitions
    from vggt_attn._core import set_thread_count as set_thread_count
    from vggt_attn._core import thread_count as thread_count
    from vggt_attn._core import version as version
    from vggt_attn.errors import Error as Error
    from vggt_attn.errors import MissingFile as MissingFile
    from vggt_attn.errors import OptionError as OptionError
    from vggt_attn.exports import Export as Export
    from vggt_attn.exports import export as export
    from vggt_attn.exports import open as open
    from vggt_attn.figures import Figure as Figure
    from vggt_attn.maps import LayerMaps as LayerMaps
    from vggt_attn.maps import Maps as Maps
    from vggt_attn.reports import Report as Report
    from vggt_attn.reports import Table as Table
    from vggt_attn.reports import write_report as write_report
    from vggt_attn.torch import Recording as Recording
    from vggt_attn.torch import record as record
    from vggt_attn.views import Served as Served
    from vggt_attn.views import view as view

# Each public name and the module that has it.
_HOMES = {
    "Error": "vggt_attn.errors",
    "Export": "vggt_attn.exports",
    "Figure": "vggt_attn.figures",
    "LayerMaps": "vggt_attn.maps",
    "Maps": "vggt_attn.maps",
    "MissingFile": "vggt_attn.errors",
    "OptionError": "vggt_attn.errors",
    "Recording": "vggt_attn.torch",
    "Report": "vggt_attn.reports",
    "Served": "vggt_attn.views",
    "Table": "vggt_attn.reports",
    "definitions": "vggt_attn._core",
    "export": "vggt_attn.exports",
    "open": "vggt_attn.exports",
    "record": "vggt_attn.torch",
    "set_thread_count": "vggt_attn._core",
    "thread_count": "vggt_attn._core",
    "version": "vggt_attn._core",
    "view": "vggt_attn.views",
    "write_report": "vggt_attn.reports",
}
__all__ = [
    "Error",
    "Export",
    "Figure",
    "LayerMaps",
    "Maps",
    "MissingFile",
    "OptionError",
    "Report",
    "Served",
    "Table",
    "definitions",
    "export",
    "set_thread_count",
    "thread_count",
    "version",
    "view",
    "write_report",
]  # `from vggt_attn import *` leaves Python's own `open` alone
if importlib.util.find_spec("torch"):
    __all__ += ["Recording", "record"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vggt_attn' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "open"})
