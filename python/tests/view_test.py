# SPDX-License-Identifier: Apache-2.0
"""The page in the browser. widget_test.py has that of notebooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

import vggt_attn as va


def ask(url: str, path: str) -> bytes:
    parts = urlsplit(url)
    with urllib.request.urlopen(f"{parts.scheme}://{parts.netloc}/{path}", timeout=30) as answer:
        return bytes(answer.read())


def test_the_page_is_served_and_opened(made: va.Export, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def remember(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", remember)
    with va.view(made, layer=2, query=(1, 1, 3)) as served:
        assert opened == [served.url]
        words = parse_qs(urlsplit(served.url).query)
        assert (words["layer"], words["query"]) == (["2"], ["1~1.3"])
        assert json.loads(ask(served.url, "api/export"))["frames"]
        assert b"<script" in ask(served.url, "")
        assert served.url in repr(served)
    with pytest.raises(urllib.error.URLError):
        ask(served.url, "")


def test_the_browser_is_left_alone(made: va.Export, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    served = va.view(made, browser=False)
    served.close()
    served.close()
    assert opened == []


def test_what_cannot_be_served_is_said(tmp_path: Path) -> None:
    with pytest.raises(va.Error) as refused:
        va.view(tmp_path / "nothing", browser=False)
    assert str(refused.value) == f"vggt-attn view: {tmp_path / 'nothing'}: no such file or folder"


def test_the_server_ends_with_the_program(made: va.Export) -> None:
    program = "import sys, vggt_attn as va; print(va.view(sys.argv[1], browser=False).url)"
    command = [sys.executable, "-c", program, str(made.path)]
    url = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    with pytest.raises(urllib.error.URLError):
        ask(url.strip(), "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_server_ends_with_a_program_that_is_killed(
    number: signal.Signals, made: va.Export
) -> None:
    program = (
        "import sys, time, vggt_attn as va; print(va.view(sys.argv[1], browser=False).url, "
        "flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(made.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert ask(url, "api/export")
    process.send_signal(number)
    process.wait(60)
    deadline = time.monotonic() + 30
    while True:
        try:
            ask(url, "")
        except (urllib.error.URLError, ConnectionError):
            break
        assert time.monotonic() < deadline


def test_choices_are_those_of_the_page(made: va.Export) -> None:
    with pytest.raises(va.OptionError, match="`layers`: is no choice of the page"):
        va.view(made, browser=False, layers=3)
    with pytest.raises(va.OptionError, match="`layer`: is 0"):
        va.view(made, browser=False, layer=0)
    with pytest.raises(va.OptionError, match=r"`view`: is 'layer'\. There are frames, layers"):
        va.view(made, browser=False, view="layer")
    choices: dict[str, Any] = {
        "layer": np.int64(2),
        "definition": va.definitions()[1],
        "view": "scene",
    }
    with va.view(made, browser=False, **choices) as served:
        assert served.url.endswith("&layer=2&definition=patches&view=scene")
    with va.view(made, browser=False, link="http://localhost:1/?layer=2&view=heads") as served:
        assert served.url.endswith("/?layer=2&view=heads")


def test_without_a_browser_the_address_is_printed(
    made: va.Export, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    with va.view(made) as served:
        assert served.url in capsys.readouterr().out


def test_a_notebook_without_anywidget_says_what_to_install(
    made: va.Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shell:
        kernel = object()

    class IPython:
        get_ipython = staticmethod(Shell)

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.delitem(sys.modules, "vggt_attn.widgets", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(va.Error, match="pip install anywidget"):
        va.view(made)


def test_a_console_of_ipython_is_no_notebook(made: va.Export, tmp_path: Path) -> None:
    (tmp_path / "show.py").write_text(
        "import webbrowser, vggt_attn as va\n"
        "webbrowser.open = lambda url: print('opened', url)\n"
        f"va.view({str(made.path)!r}).close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "show.py"],
        cwd=tmp_path,
        env={**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "opened http://127.0.0.1:" in done.stdout, done.stdout + done.stderr
