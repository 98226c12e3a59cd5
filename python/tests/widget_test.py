# SPDX-License-Identifier: Apache-2.0
"""The widget's Python side; web/browser/notebook.test.ts sees it in a notebook."""

from __future__ import annotations

import json
import queue
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
import traitlets

import vggt_attn as va
from vggt_attn.figures import VIEWS
from vggt_attn.widgets import Viewer

Answer = tuple[dict[str, Any], bytes]


class Page:
    """What a page says to the widget, and what it hears."""

    def __init__(self, viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.viewer = viewer
        self.heard: queue.Queue[Answer] = queue.Queue()

        self.called = 0  # how often it was asked who is there

        def hear(content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
            if content == {"kind": "who"}:
                self.called += 1
            else:
                self.heard.put((content, buffers[0] if buffers else b""))

        monkeypatch.setattr(viewer, "send", hear)

    def say(self, kind: str, name: str, **parts: Any) -> None:
        self.viewer._receive(self.viewer, {"kind": kind, "id": name} | parts, [])

    def ask(self, name: str, path: str, *params: list[str], **parts: str) -> None:
        plain = {"method": "GET", "content_type": "", "body": ""}
        self.say("ask", name, path=path, params=list(params), **(plain | parts))

    def answer(self) -> Answer:
        return self.heard.get(timeout=60)


@pytest.fixture
def viewer(made: va.Export) -> Iterator[Viewer]:
    shown = Viewer(made)
    yield shown
    shown.close()


@pytest.fixture
def page(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(viewer, monkeypatch)


def test_answers_are_those_of_the_library(page: Page, made: va.Export) -> None:
    page.ask("1", "/api/export")
    told, body = page.answer()
    assert (told["id"], told["status"]) == ("1", 200)
    assert json.loads(body)["path"] == parse_qs(page.viewer.link)["path"][0]
    params = {"layers": "2", "heads": "3", "definition": "model", "row": "1", "col": "2"}
    page.ask("2", "/api/maps.npy", *([key, value] for key, value in params.items()))
    told, body = page.answer()
    assert dict(told["headers"])["X-Definition"] == "model"
    exact = made.attention(layer=2, head=3, row=1, col=2)
    assert np.frombuffer(body[-exact.nbytes :], np.float32).size == exact.size
    assert body.find(exact.tobytes()) > 0
    page.ask("3", "/api/frames/1")
    told, body = page.answer()
    assert dict(told["headers"])["Content-Type"] == "image/png"
    assert body.startswith(b"\x89PNG")


def test_errors_are_answers(page: Page) -> None:
    page.ask("1", "/api/nothing")
    told, body = page.answer()
    assert told["status"] == 404
    assert json.loads(body)["error"]["what"] == "there is no such address"
    outside = json.dumps({"path": "/etc"})
    page.ask("2", "/api/open", method="POST", content_type="application/json", body=outside)
    assert page.answer()[0]["status"] == 403
    strange: list[Any] = [None, [], {"kind": "ask"}, {"kind": "other", "id": "3"}]
    for message in strange:
        page.viewer._receive(page.viewer, message, [])
    page.ask("4", "/api/export")
    assert page.answer()[0]["id"] == "4"


def refused(answer: Answer) -> tuple[str, int, str]:
    told, body = answer
    return told["id"], told["status"], json.loads(body)["error"]["what"]


def test_questions_that_are_none_are_refused_at_once(page: Page) -> None:
    whole = {"method": "GET", "path": "/api/export", "content_type": "", "body": ""}
    text = "a question lacks parts, or they are of other types"
    wrong: list[dict[str, Any]] = [
        {},
        whole,
        whole | {"params": 3},
        whole | {"params": [["export"]]},
        whole | {"params": [], "path": None},
        whole | {"params": [], "path": "\ud800"},
    ]
    for parts in wrong:
        page.say("ask", "1", **parts)
        assert refused(page.answer()) == ("1", 400, text)
    assert page.viewer._questions == {}


def test_what_cannot_be_answered_is_said(
    page: Page, made: va.Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = shutil.copytree(made.path, tmp_path / "attn_gone")
    viewer = Viewer(gone)
    other = Page(viewer, monkeypatch)
    other.say("opened", "a")
    other.say("closed", "a")  # frees what has the export open
    shutil.rmtree(gone)
    other.ask("1", "/api/export")
    name, status, what = refused(other.answer())
    assert (name, status) == ("1", 500)
    assert what == "is no folder"
    viewer.close()

    def fail(_viewer: object, _question: object) -> None:
        raise MemoryError

    monkeypatch.setattr(page.viewer, "_viewer", type("Poor", (), {"ask": fail})())
    page.ask("2", "/api/export")
    assert refused(page.answer()) == ("2", 500, "MemoryError()")


def test_nothing_is_said_to_who_does_not_wait(page: Page) -> None:
    for number in range(20):
        page.ask(str(number), "/api/exports")
        page.say("cancel", str(number))
    page.ask("last", "/api/export")
    heard: list[str] = []
    while not heard or heard[-1] != "last":
        heard.append(page.answer()[0]["id"])
    time.sleep(0.2)
    assert page.heard.empty()
    assert page.viewer._questions == {}


def test_other_threads_go_on_while_answers_are_computed(page: Page) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    recipe = {"layer": "1", "head": "1", "view": "layers", "queries": "1.2", "width": "180"}
    page.ask("1", "/api/figure.png", *([key, value] for key, value in recipe.items()))
    told, body = page.answer()
    done.set()
    thread.join()
    assert told["status"] == 200
    assert body.startswith(b"\x89PNG")
    assert counted > 3


def test_what_answers_is_freed_with_the_last_page(page: Page) -> None:
    page.say("opened", "a")
    page.say("opened", "b")
    page.say("closed", "a")
    assert page.viewer._viewer is not None
    page.say("closed", "b")
    assert page.viewer._viewer is None
    page.ask("1", "/api/export")
    assert page.answer()[0]["status"] == 200


def test_a_closed_widget_hears_nothing(page: Page) -> None:
    page.viewer.close()
    page.ask("1", "/api/export")
    page.say("opened", "a")
    assert page.viewer._questions == {}
    assert page.viewer._pages == set()
    assert page.heard.empty()


def test_pages_of_tabs_that_have_ended_do_not_count(page: Page) -> None:
    page.say("opened", "a")
    page.say("opened", "b")  # a tab beside it
    page.say("here", "a")
    page.say("here", "b")
    page.say("opened", "c")  # "a", loaded again
    page.say("here", "b")
    page.say("here", "c")
    assert page.called == 3
    page.say("closed", "b")
    assert page.viewer._viewer is not None
    page.say("closed", "c")
    assert page.viewer._viewer is None


def test_choices_and_link_are_one(viewer: Viewer) -> None:
    seen: list[Any] = []
    viewer.observe(lambda change: seen.append((change["name"], change["new"])), ["layer", "query"])
    path = viewer.link
    viewer.link = f"{path}&layer=2&head=mean&row=1&col=3&view=heads&definition=cosine&opacity=0.4"
    chosen = (viewer.layer, viewer.head, viewer.query, viewer.view, viewer.definition)
    assert chosen == (2, "mean", (1, 3), "heads", "cosine")
    assert sorted(seen) == [("layer", 2), ("query", (1, 3))]
    viewer.query = (2, 0, 1)
    viewer.layer, viewer.head, viewer.view, viewer.definition = 1, 3, "frames", "model"
    words = {key: value[0] for key, value in parse_qs(viewer.link).items()}
    place = parse_qs(path)["path"][0]
    wanted = {"path": place, "opacity": "0.4", "query": "2~0.1", "layer": "1", "head": "3"}
    assert words == wanted
    viewer.link = f"{path}&query=1~0.0%40camera"
    nothing: list[Any] = [viewer.layer, viewer.head]
    assert nothing == [None, None]
    assert list(viewer.query) == [1, "camera"]
    viewer.query = "1.0-2.3"
    assert viewer.query == "1.0-2.3"
    viewer.query = None
    assert viewer.link == path
    viewer.link = f"http://127.0.0.1:7860/?{path}&layer=2&view=strange"  # as it is copied
    assert viewer.link == f"{path}&layer=2&view=strange"
    assert (viewer.layer, viewer.view) == (2, "frames")


def test_views_are_the_pages(viewer: Viewer) -> None:
    choices = Path(__file__).parents[2] / "web/src/core/state/choices.ts"
    named = re.search(r"kViews = \[(.*?)\]", choices.read_text(encoding="utf-8"))
    assert named
    assert tuple(re.findall(r'"(\w+)"', named[1])) == VIEWS
    for view in VIEWS[1:]:
        viewer.view = view
        assert parse_qs(viewer.link)["view"] == [view]
        viewer.link = viewer.link.replace("view", "no") + f"&view={view}"
        assert viewer.view == view


def test_choices_are_what_attention_takes(viewer: Viewer) -> None:
    viewer.layer, viewer.head = np.int64(2), np.int32(3)
    viewer.definition = va.definitions()[1]
    words = {key: value[0] for key, value in parse_qs(viewer.link).items()}
    assert (words["layer"], words["head"], words["definition"]) == ("2", "3", "patches")
    now: tuple[Any, ...] = (viewer.layer, viewer.head, viewer.definition)
    assert now == (2, 3, "patches")


def test_wrong_choices_are_refused(viewer: Viewer, made: va.Export) -> None:
    before = viewer.link
    with pytest.raises(traitlets.TraitError, match="'mean'"):
        viewer.head = "most"
    with pytest.raises(traitlets.TraitError):
        viewer.layer = 0
    with pytest.raises(traitlets.TraitError, match="frames, layers, heads, matrix, atlas"):
        viewer.view = "layer"
    with pytest.raises(va.OptionError, match="is no place"):
        viewer.query = (1, 2, 3, 4)
    assert viewer.link == before
    with pytest.raises(va.OptionError, match="`layers`: is no choice of the page"):
        Viewer(made, layers=3)
    with pytest.raises(va.Error):
        Viewer("/nowhere")


def test_figures_hold_what_is_shown(viewer: Viewer, made: va.Export, tmp_path: Path) -> None:
    viewer.query, viewer.layer, viewer.head = (1, 3), 2, "mean"
    plain = viewer.figure(tmp_path / "plain.png")
    assert (tmp_path / "plain.png").read_bytes() == made.figure(
        queries=(1, 3), layer=2, head="mean", view="frames", definition="model"
    ).data("png")
    assert plain.recipe["queries"] == "1.3"
    # What the page has told counts as long as nothing was set since.
    told = {"export": ".", "view": "frames", "layer": "2", "head": "mean", "colormap": "viridis"}
    told |= {"definition": "model", "queries": "1.3_2.2", "frames": "all"}
    viewer.shown = {"link": viewer.link, "recipe": told}
    assert viewer.figure().recipe["queries"] == "1.3_2.2"
    viewer.layer = 1
    viewer.view = "heads"
    drawn = viewer.figure().recipe
    assert (drawn["layer"], drawn["view"], drawn["colormap"]) == ("1", "heads", "viridis")
    assert "head" not in drawn
    assert viewer.figure(colormap="grey").recipe["colormap"] == "grey"
