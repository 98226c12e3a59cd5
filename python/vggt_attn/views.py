# SPDX-License-Identifier: Apache-2.0
"""The page: in a notebook's cell, or else in the browser."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from vggt_attn.errors import Error, OptionError
from vggt_attn.exports import Export
from vggt_attn.figures import VIEWS, link_of, spots_text
from vggt_attn.words import AnyPath, definition_name, integer, path_of

if TYPE_CHECKING:
    from vggt_attn.widgets import Viewer

_ADDRESS = re.compile(r"http://\S+")
_CHOICES = ("layer", "head", "query", "view", "definition", "link")

# The server ends when its standard input does: with this program, however that ends.
_SERVE = """
import os, sys, threading
def await_end():
    while os.read(0, 1024):
        pass
    os._exit(0)
threading.Thread(target=await_end, daemon=True).start()
from vggt_attn.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


class Served:
    """A page that ``vggt-attn view`` serves on this machine, until ``close()`` or the program ends.

    It is a context manager, too.
    """

    def __init__(self, path: AnyPath, root: AnyPath | None, link: str) -> None:
        """Starts the server at a free port. Raises Error with what it says if it does not start."""
        command = [
            sys.executable,
            "-P",
            "-c",
            _SERVE,
            "view",
            os.path.abspath(path_of("export", path)),
        ]
        command += ["--server_port", "0"]
        if root is not None:
            command += ["--root", os.path.abspath(path_of("root", root))]
        # A session of its own, so that Ctrl-C in a terminal ends only the program, which ends it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        atexit.register(self.close)
        said = ""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _ADDRESS.search(line):
                self._url = found[0] + (f"?{link}" if link else "")
                break
            said += line
        else:
            self.close()
            said = said.strip().removeprefix("vggt-attn: ")
            raise Error(said or "ended without a word", "vggt-attn view")
        # What else it says is read, so that it never waits for a reader.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def wait(self) -> None:
        """Waits until Ctrl-C: what the last line of a script does."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """Ends the server."""
        atexit.unregister(self.close)
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends the server."""
        self.close()

    def __repr__(self) -> str:
        """Its address."""
        return f"<vggt-attn view at {self._url}>"


def _in_notebook() -> bool:
    """Whether what a cell ends with is shown as a widget: in a kernel, not in IPython's console."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def view(
    export: Export | AnyPath,
    *,
    root: AnyPath | None = None,
    browser: bool = True,
    height: int = 720,
    theme: str = "auto",
    **choices: Any,
) -> Viewer | Served:
    """Shows an export on the page: in the cell of a notebook, else in the browser.

    Args:
        export: an export, or its path.
        root: a folder; the page can open and compare what is in it, and nothing outside. None: the
            export's folder.
        browser: False: does not open the browser; the address is ``.url``. Not for notebooks.
        height: of the cell, in pixels. For notebooks.
        theme: ``"light"``, ``"dark"``, or ``"auto"``, the notebook's. For notebooks.
        **choices: what is shown at first: ``layer=12, head=3, query=(10, 20), view="heads"``,
            ``definition="cosine"``.

    Returns:
        In a notebook a widget, whose ``layer``, ``head``, ``query``, ``view``, ``definition`` and
        ``link`` can be read, set and observed; else what has ``.url``, ``.wait()``, ``.close()``.
    """
    if _in_notebook():
        try:
            from vggt_attn.widgets import Viewer  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name not in ("anywidget", "traitlets"):
                raise
            raise Error(
                "the page in a notebook needs anywidget, which is not installed",
                "",
                "Run: pip install anywidget, and reload the notebook.",
            ) from None
        return Viewer(export, root=root, height=height, theme=theme, **choices)
    served = Served(export, root, _link(export, choices))
    if browser and not webbrowser.open(served.url):
        print(f"No browser could be opened. The page is at {served.url}")
    return served


def _link(export: Export | AnyPath, choices: dict[str, Any]) -> str:
    """The part of an address that says what is shown."""
    for name, value in choices.items():
        if name not in _CHOICES:
            raise OptionError(
                "is no choice of the page", f"`{name}`", f"There are {', '.join(_CHOICES)}."
            )
        if name in ("layer", "head") and not isinstance(value, str) and integer(name, value) < 1:
            raise OptionError(f"is {value}", f"`{name}`", "They count from 1.")
        if name == "view" and value not in VIEWS:
            raise OptionError(f"is {value!r}", "`view`", f"There are {', '.join(VIEWS)}.")
    if "link" in choices:
        return link_of(str(choices["link"]))
    words: dict[str, Any] = {"path": os.path.abspath(path_of("export", export))} if choices else {}
    for name, value in choices.items():
        if name == "query":
            words[name] = spots_text(value)
        else:
            words[name] = definition_name(value) if name == "definition" else value
    return urlencode(words)
