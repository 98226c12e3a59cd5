# SPDX-License-Identifier: Apache-2.0
"""What installing the wheel puts in place; these tests need it installed."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import vggt_attn as va


def test_version_is_that_of_the_wheel() -> None:
    assert va.version() == importlib.metadata.version("vggt-attn")


def test_the_command_is_the_program() -> None:
    command = Path(sys.executable).with_name("vggt-attn")
    done = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"vggt-attn {va.version()}\nreads PNG, JPEG, WebP")
