# SPDX-License-Identifier: Apache-2.0
"""The command ``vggt-attn``, and ``python -m vggt_attn``, which also has ``demo``."""

from __future__ import annotations

import os
import sys

from vggt_attn import _core

_EXPORT = "attn_first2all_demo"
_FIGURE = "attn_first2all_demo.png"

_DEMO_HELP = f"""\
from nothing to a picture: exports the bundled pictures with the bundled model, draws a figure
Usage: python -m vggt_attn demo [--overwrite]

Writes {_EXPORT}/ and {_FIGURE} into the current folder.

Flags:
  -h,--help                 print this help
  --overwrite               replace what is there
"""

_NEXT = f"""
{_FIGURE} is a picture of where one patch of the first photograph looks in all six.
{_EXPORT}/ holds the attention of all layers and heads. What to do next:

  vggt-attn view {_EXPORT}
      shows it in the browser: click a patch, see where it looks

  import vggt_attn as va
  export = va.open("{_EXPORT}")
      in Python

  vggt-attn export --image_dir FOLDER --weights vggt-1b.safetensors --save_qk
      takes your own pictures and the real model

The bundled model is small and made for demonstration.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run ``vggt-attn arguments…`` (of the process, if there are none); return its exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return _core.run_command([os.fsencode(word) for word in words])


def demo(arguments: list[str]) -> int:
    """Export the bundled pictures with the bundled model and draw a figure; return the status."""
    if "-h" in arguments or "--help" in arguments:
        print(_DEMO_HELP, end="")
        return 0
    unknown = [argument for argument in arguments if argument != "--overwrite"]
    if unknown:
        print(
            f"vggt-attn: unknown argument {unknown[0]!r}. See 'python -m vggt_attn demo --help'.",
            file=sys.stderr,
        )
        return 2
    export = ["export", "--image_set_name", "demo", "--num_images", "6", "--save_per_head"]
    query = ["query", _EXPORT, "--row", "14", "--col", "20", "--labels", "-o", _FIGURE]
    for command in ([*export, "--save_qk"], query):
        status = main([*command, *arguments])
        if status:
            return status
    print(_NEXT, end="")
    return 0


if __name__ == "__main__":
    sys.exit(demo(sys.argv[2:]) if sys.argv[1:2] == ["demo"] else main())
