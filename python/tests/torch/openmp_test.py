# SPDX-License-Identifier: Apache-2.0
"""Two OpenMP runtimes in one process: PyTorch's and ours.

Each case is a process of its own, since what is loaded first decides which functions are found.
"""

import subprocess
import sys
from pathlib import Path

import pytest

EXPORT = """
def export(name):
    from vggt_attn.__main__ import main
    status = main(["export", "--image_set_name", "demo", "--num_images", "2",
                   "--image_size", "112", "--quiet", "--save_per_head", "--save_qk",
                   "--output_dir_prefix", name + "/"])
    assert status == 0
"""
MULTIPLY = """
def multiply():
    import torch
    torch.manual_seed(0)
    a = torch.randn(600, 600, requires_grad=True)
    (a @ a).sin().sum().backward()  # on all threads, and on those of the backward pass
    print(a.grad.double().abs().sum().item(), torch.get_num_threads())
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", EXPORT + MULTIPLY + code],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".npz", ".safetensors", ".jpg")
    }


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], str]:
    """What is exported without PyTorch, and what PyTorch says without us."""
    folder = tmp_path_factory.mktemp("alone")
    assert run("export('out')", folder) == ""
    exported = files(folder / "out")
    assert len(exported) == 2 + 6 + 6
    return exported, run("multiply()", folder)


@pytest.mark.parametrize(
    "code",
    [
        "import torch; export('out'); multiply()",
        "multiply(); export('out'); multiply()",
        "from vggt_attn import _core; multiply(); export('out'); multiply()",
        "export('out'); multiply(); export('again')",
    ],
)
def test_answers_are_the_same_as_alone(
    code: str, alone: tuple[dict[str, bytes], str], tmp_path: Path
) -> None:
    exported, said = alone
    assert run(code, tmp_path) == said * code.count("multiply()")
    for folder in tmp_path.iterdir():
        assert files(folder) == exported


def test_both_at_once(alone: tuple[dict[str, bytes], str], tmp_path: Path) -> None:
    code = """
import threading
worker = threading.Thread(target=export, args=["out"])
worker.start()
multiply()
while worker.is_alive():
    multiply()
worker.join()
"""
    exported, said = alone
    answers = run(code, tmp_path)
    assert answers == said * answers.count("\n")
    assert files(tmp_path / "out") == exported


def test_children_of_fork_export_after_torch_and_we_have_worked(
    alone: tuple[dict[str, bytes], str], tmp_path: Path
) -> None:
    code = """
import os, signal
multiply()
export('parent')
child = os.fork()
if child == 0:
    signal.alarm(120)
    export('child')
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    exported, said = alone
    assert run(code, tmp_path) == said + "0\n"
    assert files(tmp_path / "child") == files(tmp_path / "parent") == exported
