# SPDX-License-Identifier: Apache-2.0
"""``python -m vggt_attn``: the command, and the demo."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "vggt_attn"]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, check=False, capture_output=True, text=True
    )


def test_exit_statuses_and_errors_are_those_of_the_program() -> None:
    done = run("exprt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "vggt-attn: unknown command 'exprt'; did you mean export? See 'vggt-attn --help'.\n"
    )
    done = run("inspect", "nothing_here")
    assert done.returncode == 1
    assert "nothing_here" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_need_not_be_utf8(tmp_path: Path) -> None:
    done = run("inspect", os.fsdecode(b"caf\xe9"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "vggt-attn: caf?: no such file\n"


def test_pictures_that_are_nowhere_are_looked_for_in_the_package() -> None:
    done = run("export", "--image_set_name", "kitchn")
    assert done.returncode == 1
    assert "vggt_attn/examples/kitchn/images" in done.stderr


def test_demo_goes_from_nothing_to_a_picture(tmp_path: Path) -> None:
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "attn_first2all_demo",
        "attn_first2all_demo.png",
    ]
    picture = (tmp_path / "attn_first2all_demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert (width > 1000, height > 500) == (True, True)
    assert "vggt-attn view attn_first2all_demo" in done.stdout

    done = run("demo", cwd=tmp_path)
    assert done.returncode == 1
    assert "--overwrite" in done.stderr


def test_demo_knows_its_flags(tmp_path: Path) -> None:
    done = run("demo", "--help", cwd=tmp_path)
    assert (done.returncode, "--overwrite" in done.stdout) == (0, True)
    done = run("demo", "--ovrwrite", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "vggt-attn: unknown argument '--ovrwrite'. See 'python -m vggt_attn demo --help'.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_the_command_and_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(tmp_path.iterdir()):  # the hidden folder of the export
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("vggt-attn: interrupted; nothing was written\n")
    assert list(tmp_path.iterdir()) == []


def test_recording_without_pytorch_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "vggt_attn.torch", "--help"],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "vggt_attn.torch: recording needs PyTorch, which cannot be imported. "
        "Install it: pip install torch\n"
    )
