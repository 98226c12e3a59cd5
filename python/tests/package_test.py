# SPDX-License-Identifier: Apache-2.0
"""What the package is, before anything is asked of it."""

import errno
import pickle
import subprocess
import sys

import pytest

import vggt_attn as va


def test_import_loads_neither_numpy_torch_nor_the_compiled_part() -> None:
    code = (
        "import sys, vggt_attn\n"
        "print([m for m in ('numpy', 'torch', 'vggt_attn._core') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there_and_others_are_refused() -> None:
    for name in va.__all__:
        assert name in dir(va)
        if name not in ("record", "Recording"):  # theirs are in python/tests/torch
            assert getattr(va, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'versoin'"):
        assert va.versoin


def test_names_that_need_other_packages_say_so() -> None:
    code = "import sys; sys.modules['torch'] = None; import vggt_attn; vggt_attn.record"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: recording needs PyTorch, which cannot be imported. "
        "Install it: pip install torch"
    )


def test_without_pytorch_all_names_are_there() -> None:
    code = (
        "import builtins, importlib.util, inspect\n"
        "importlib.util.find_spec = lambda name: None\n"
        "import vggt_attn\n"
        "print(len(inspect.getmembers(vggt_attn)) > 10)\n"
        "from vggt_attn import *\n"
        "print(open is builtins.open, 'export' in globals())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "True\nTrue True\n"


def test_errors_are_one_line() -> None:
    error = va.Error("no such layer", "a\nb", "Give a layer from 0 to 3.")
    assert str(error) == "a?b: no such layer. Give a layer from 0 to 3."
    assert (error.what, error.where, error.hint) == error.args
    assert str(va.Error("it broke.", hint="Mend it.")) == "it broke. Mend it."
    assert issubclass(va.MissingFile, FileNotFoundError)
    missing = va.MissingFile("no such file", "x", "Look elsewhere.")
    for each in (missing, pickle.loads(pickle.dumps(missing))):
        assert str(each) == "x: no such file. Look elsewhere."
        assert (each.errno, each.strerror, each.filename) == (errno.ENOENT, "no such file", "x")
