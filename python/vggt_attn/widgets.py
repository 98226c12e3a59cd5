# SPDX-License-Identifier: Apache-2.0
"""The page in a cell of a notebook. It needs ``anywidget``: ``pip install 'vggt-attn[jupyter]'``.

The page asks through the widget's channel what it would ask ``vggt-attn view`` over HTTP, and
``_core.Viewer`` answers. What is shown is one text, the page's link; the traits that name a single
choice are read from it and written to it.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import anywidget
import traitlets

from vggt_attn import _core
from vggt_attn.errors import Error, OptionError
from vggt_attn.exports import Export
from vggt_attn.figures import VIEWS, Figure, link_of, spots_text
from vggt_attn.words import AnyPath, definition_name, integer, path_of

_PAGE = Path(__file__).parent / "page"
_THREADS = 4  # that answer a page; what is long is computed on two of the library's own
_USUAL = {"view": "frames", "definition": "model"}
_PATCH = re.compile(r"(?:(\d+)~)?(\d+)\.(\d+)")
_TOKEN = re.compile(r"(?:(\d+)~)?0\.0@(.+)")
# What `figure` is told of a choice, and in which views (recipes have no more).
_OF_VIEWS = {"layer": ("frames", "heads"), "head": ("frames", "layers")}

_PARTS = ("method", "path", "params", "content_type", "body")  # of a question
Answer = tuple[int, list[tuple[str, str]], bytes]


def _new_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="vggt-attn")


def _refusal(status: int, what: str, where: str = "", hint: str = "") -> Answer:
    error = {"what": what, "where": where, "hint": hint}
    body = json.dumps({"error": error}).encode()
    return status, [("Content-Type", "application/json")], body


def _place(text: str) -> Any:
    """(row, col) of frame 0, (frame, row, col), (frame, "camera"), or the text of an area."""
    if match := _PATCH.fullmatch(text):
        frame, row, col = (int(each or 0) for each in match.groups())
        return (frame, row, col) if frame else (row, col)
    if match := _TOKEN.fullmatch(text):
        return (int(match[1] or 0), match[2])
    return text


def _query_in(link: Mapping[str, str]) -> Any:
    if "query" in link:
        return _place(link["query"])
    row, col = link.get("row", ""), link.get("col", "")
    return (int(row), int(col)) if row.isdecimal() and col.isdecimal() else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


class Viewer(anywidget.AnyWidget):
    """The page, as a widget. ``va.view(export)`` makes it.

    What is shown can be read, set and observed, before the page is there, too. ``layer`` counts
    from 1. ``head`` counts from 1, or is ``"mean"``. ``query`` is ``(row, col)`` in picture 0,
    ``(frame, row, col)`` or ``(frame, "camera")``, counted from 0. ``view`` is ``"frames"``,
    ``"layers"``, ``"heads"``, ``"matrix"``, ``"atlas"`` or ``"scene"``. ``definition`` is one of
    ``va.definitions()``. ``link`` holds all of these and every other choice of the page.
    """

    _esm = _PAGE / "widget.js"
    _css = _PAGE / "widget.css"

    link = traitlets.Unicode("", help="All that is shown, as the page's link.").tag(sync=True)
    height = traitlets.Int(720, min=200, help="In pixels.").tag(sync=True)
    theme = traitlets.Enum(("auto", "light", "dark"), "auto", help="auto: the notebook's.").tag(
        sync=True
    )
    shown = traitlets.Dict(help="What the page shows: its link, and a figure's recipe.").tag(
        sync=True
    )

    layer = traitlets.Any(None)
    head = traitlets.Any(None)
    query = traitlets.Any(None)
    view = traitlets.Unicode("frames")
    definition = traitlets.Any("model")

    def __init__(
        self,
        export: Export | AnyPath,
        *,
        root: AnyPath | None = None,
        **choices: Any,
    ) -> None:
        """Opens the export for the page; reads nothing but its description.

        Args:
            export: what is shown at first.
            root: a folder; the page can open and compare the exports in it, and nothing outside.
                None: the export's folder.
            **choices: any of the traits: ``layer=12, head=3, query=(10, 20), height=500``.
        """
        # First what close() needs, which is called of a widget that could not be made, too.
        self._lock = threading.Lock()
        self._questions: dict[str, _core.Question] = {}
        self._threads = _new_threads()
        self._viewer: _core.Viewer | None = None
        self._pages: set[str] = set()
        self._following = False
        unknown = [name for name in choices if name not in _CHOICES]
        if unknown:
            names = ", ".join(_CHOICES)
            raise OptionError("is no choice of the page", f"`{unknown[0]}`", f"There are {names}.")
        self._export = export if isinstance(export, Export) else Export(export)
        folder = self._export.path.resolve()
        if folder.is_file():
            folder = folder.parent
        if folder.name in ("attn_maps", "qk"):
            folder = folder.parent
        self._root = path_of("root", root) if root is not None else folder
        self._viewer = viewer = _core.Viewer(self._root, self._export.path)
        super().__init__(link=urlencode({"path": viewer.path}))
        self.observe(self._read_link, "link")
        self.observe(self._write_link, ["layer", "head", "query", "view", "definition"])
        self.on_msg(self._receive)
        try:
            for name, value in choices.items():
                setattr(self, name, value)
        except BaseException:
            self.close()
            raise

    # Choices, and the link that holds them.

    @contextmanager
    def _follow(self) -> Iterator[None]:
        self._following = True
        try:
            yield
        finally:
            self._following = False

    def _words(self) -> dict[str, str]:
        return dict(parse_qsl(self.link, keep_blank_values=True))

    def _read_link(self, _change: object) -> None:
        if self._following:
            return
        words = self._words()
        head = words.get("head")
        with self._follow(), self.hold_trait_notifications():
            self.layer = _number(words.get("layer"))
            self.head = _number(head) if _number(head) is not None else head
            self.query = _query_in(words)
            self.view = words["view"] if words.get("view") in VIEWS else _USUAL["view"]
            self.definition = words.get("definition", _USUAL["definition"])

    @traitlets.validate("layer", "head")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_number(self, proposal: Mapping[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None or (name == "head" and isinstance(value, str) and value == "mean"):
            return value
        try:
            number = integer(name, value)
        except (TypeError, OptionError):
            number = 0
        if number < 1:
            others = ", or 'mean'" if name == "head" else ""
            raise traitlets.TraitError(f"`{name}` is {value!r}. Give a number from 1 on{others}.")
        return number

    @traitlets.validate("definition")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_definition(self, proposal: Mapping[str, Any]) -> str:
        try:
            return definition_name(proposal["value"])
        except TypeError as error:
            raise traitlets.TraitError(str(error)) from None

    @traitlets.validate("view")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_view(self, proposal: Mapping[str, Any]) -> str:
        view = str(proposal["value"])
        if view not in VIEWS:
            raise traitlets.TraitError(f"`view` is {view!r}. There are {', '.join(VIEWS)}.")
        return view

    @traitlets.validate("link")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_link(self, proposal: Mapping[str, Any]) -> str:
        return link_of(str(proposal["value"]))

    @traitlets.validate("query")  # type: ignore[untyped-decorator,unused-ignore]
    def _check_query(self, proposal: Mapping[str, Any]) -> Any:
        query = proposal["value"]
        return None if query is None else _place(spots_text(query))

    def _write_link(self, change: Mapping[str, Any]) -> None:
        if self._following:
            return
        name, value = change["name"], change["new"]
        words = self._words()
        words.pop(name, None)
        if name == "query":
            words.pop("row", None)
            words.pop("col", None)
            value = None if value is None else spots_text(value)
        if value is not None and value != _USUAL.get(name):
            words[name] = str(value)
        with self._follow():
            self.link = urlencode(words)

    # Figures of what is shown.

    def figure(
        self, file: AnyPath | None = None, *, overwrite: bool = False, **keys: Any
    ) -> Figure:
        """A figure for print of what the page shows, as ``Export.figure``.

        What was set from Python counts at once, though the page follows only when the cell is done.
        """
        recipe = {str(key): str(value) for key, value in self.shown.get("recipe", {}).items()}
        if not recipe or self.shown.get("link") != self.link:
            recipe |= self._told()
            for name, views in _OF_VIEWS.items():
                if recipe["view"] not in views:
                    recipe.pop(name, None)
        other = recipe.pop("other", None)
        recipe.pop("export", None)
        second = Export(self._root / other) if other else None
        return self._export.figure(file, recipe, other=second, overwrite=overwrite, **keys)

    def _told(self) -> dict[str, str]:
        words = self._words()
        told = {name: words.get(name, usual) for name, usual in _USUAL.items()}
        told |= {name: words[name] for name in ("layer", "head") if name in words}
        if self.query is not None:
            others = words.get("pins", "").split("_")
            told["queries"] = "_".join([*filter(None, others), spots_text(self.query)])
        return told

    # The channel.

    def _receive(self, _widget: object, message: Any, _buffers: object) -> None:
        if not isinstance(message, dict) or self.comm is None:
            return
        name = message.get("id")
        if not isinstance(name, str):
            return
        if message.get("kind") == "opened":
            # Pages whose tabs have ended do not answer.
            self._pages = {name}
            self.send({"kind": "who"})
        elif message.get("kind") == "here":
            self._pages.add(name)
        elif message.get("kind") == "closed":
            self._pages.discard(name)
            if not self._pages:
                self._rest()
        elif message.get("kind") == "cancel":
            with self._lock:
                question = self._questions.pop(name, None)
            if question:
                question.abandon()
        elif message.get("kind") == "ask":
            try:
                question = _core.Question(*(message[part] for part in _PARTS))
            except (KeyError, TypeError):
                self._say(name, _refusal(400, "a question lacks parts, or they are of other types"))
                return
            with self._lock:
                self._questions[name] = question
                self._threads.submit(self._answer, name, question)

    def _answer(self, name: str, question: _core.Question) -> None:
        try:
            with self._lock:
                if name not in self._questions:
                    return
                if self._viewer is None:
                    self._viewer = _core.Viewer(self._root, self._export.path)
                viewer = self._viewer
            answer = viewer.ask(question)
        except Error as error:
            answer = _refusal(500, error.what, error.where, error.hint)
        except Exception as error:  # of which the page would not hear else
            answer = _refusal(500, repr(error))
        with self._lock:
            wanted = self._questions.pop(name, None) is not None
        if wanted:
            self._say(name, answer)

    def _say(self, name: str, answer: Answer) -> None:
        if self.comm is not None:
            status, headers, body = answer
            told = {"kind": "answer", "id": name, "status": status, "headers": headers}
            self.send(told, buffers=[body])

    def _rest(self) -> None:
        """Gives up and frees what answers the page, until a page asks again."""
        with self._lock:
            questions = list(self._questions.values())
            self._questions.clear()
            self._viewer = None
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = _new_threads()
        for question in questions:
            question.abandon()

    def close(self) -> None:
        """Takes the page away, and frees what answers it."""
        self._rest()
        self._threads.shutdown(wait=False, cancel_futures=True)
        super().close()


_CHOICES = ("layer", "head", "query", "view", "definition", "link", "height", "theme")
