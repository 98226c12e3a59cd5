# SPDX-License-Identifier: Apache-2.0
"""Exports in child processes: OpenMP's threads are gone there, and nothing may wait for them."""

import multiprocessing
import operator
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vggt_attn as va
from vggt_attn.__main__ import main

SECONDS = 120


def export_to(folder: Path) -> list[str]:
    arguments = ["export", "--image_set_name", "demo", "--num_images", "2", "--image_size", "112"]
    return [*arguments, "--quiet", "--output_dir_prefix", f"{folder}/"]


def export(folder: Path) -> int:
    return main(export_to(folder))


def maps(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("heatmaps_uint8.npz"))]


def child_status(folder: Path) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)  # a child that hangs dies
        os._exit(export(folder))
    return os.waitpid(child, 0)[1]


def test_children_of_fork_export_the_same(tmp_path: Path) -> None:
    # In a process of its own, which signals and threads of the test's do not reach.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; import processes_test as t\n"
        "folder = Path(sys.argv[2])\n"
        "print(t.child_status(folder / 'before'), t.export(folder / 'parent'),\n"
        "      t.child_status(folder / 'after'), t.export(folder / 'again'))"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code, here, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=4 * SECONDS,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("0 0 0 0\n", "", 0)
    parent = maps(tmp_path / "parent")
    assert len(parent) == 6
    for name in ("before", "after", "again"):
        assert maps(tmp_path / name) == parent


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_exports_go_to_other_processes(
    method: str, made: va.Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made.path.parent)
    given = va.open(made.path.name)  # a path that means something else elsewhere
    ask = operator.methodcaller("attention", 1, 1, row=0, col=0)
    with multiprocessing.get_context(method).Pool(1, os.chdir, ("/",)) as pool:
        np.testing.assert_array_equal(pool.apply_async(ask, (given,)).get(SECONDS), ask(made))
    copied = pickle.loads(pickle.dumps(made))
    assert (copied.path, copied.made) == (made.path, made.made)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_pools_of_processes_export(method: str, tmp_path: Path) -> None:
    assert export(tmp_path / "parent") == 0
    folders = [tmp_path / f"child_{i}" for i in range(2)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(main, map(export_to, folders)).get(SECONDS) == [0, 0]
    for folder in folders:
        assert maps(folder) == maps(tmp_path / "parent")
