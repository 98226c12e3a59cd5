#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Has moved: `python -m vggt_attn.torch` of the Python package is what this script was."""

import sys
from pathlib import Path

try:
    import vggt_attn  # noqa: F401
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

try:
    from vggt_attn.torch.vggt_command import main
except ImportError as error:
    sys.exit(f"tools/capture_qk.py: {error}")

print("tools/capture_qk.py is now: python -m vggt_attn.torch (docs/python.md)", file=sys.stderr)
sys.exit(main())
