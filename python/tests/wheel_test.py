# SPDX-License-Identifier: Apache-2.0
"""What installing the wheel puts in place; these tests need that of tools/build_wheel.sh."""

import importlib.metadata
import os
import re
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


def test_it_needs_no_library_of_the_system_but_those_of_c_and_cpp(tmp_path: Path) -> None:
    """Holds what is loaded after all rooms have been at work against what Python itself loads."""
    loaded = "print('loaded:', *{line.split()[-1] for line in open('/proc/self/maps')})"
    code = f"from vggt_attn.__main__ import demo; assert demo([]) == 0; {loaded}"

    def libraries(code: str) -> set[Path]:
        # Where there are no fonts and nobody has said what to do about it.
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "FONTCONFIG_FILE": "/nonexistent",
                "FONTCONFIG_PATH": "/nonexistent",
            },
        )
        assert "Fontconfig" not in done.stderr
        paths = map(Path, done.stdout.split("loaded:")[1].split())
        return {path for path in paths if ".so" in path.name}

    ours = libraries(code)
    packed = {path for path in ours if "vggt_attn" in str(path)}
    assert any(path.name.startswith("libdnnl") for path in packed)
    others = {path.name for path in ours - packed - libraries(loaded)}
    # Older distributions have versions in the names of files, and GIO has libresolv loaded there.
    c_and_cpp = r"lib(c|m|dl|pthread|resolv|rt|gcc_s|stdc\+\+)(-[0-9.-]+)?\.so[0-9.]*"
    allowed = re.compile(c_and_cpp + r"|.*\.cpython-.*\.so")
    assert [name for name in others if not allowed.fullmatch(name)] == []
