# SPDX-License-Identifier: Apache-2.0
"""Exports: made, opened, and asked."""

from __future__ import annotations

import html
import os
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vggt_attn import _core
from vggt_attn.errors import OptionError
from vggt_attn.figures import Figure
from vggt_attn.maps import Maps
from vggt_attn.pictures import Picture, files_of
from vggt_attn.progress import Progress, ProgressLine
from vggt_attn.queries import each_query, request_words
from vggt_attn.reports import Report
from vggt_attn.words import (
    AnyPath,
    DefinitionName,
    Numbers,
    definition_name,
    integer,
    integers,
    path_of,
    text,
)

_USUAL_NUMBER = 5  # of pictures of a folder, or frames of a video


class Export:
    """An export on disk: pictures, and what a model's attention does between them.

    Layers and heads count from 1, frames, rows and columns from 0. Frame 0 is the query frame of
    the classic maps. Any number of threads may use one object. Arrays stay valid when the object is
    gone.
    """

    def __init__(self, path: AnyPath, made: Mapping[str, object] | None = None) -> None:
        """Use :func:`vggt_attn.open`."""
        self._path = path_of("path", path).absolute()
        note = _core.recover(self._path)
        if note:
            warnings.warn(note, stacklevel=3)
        self._opened = _core.OpenedExport(self._path)
        self._maps = Maps(self._opened)
        self._made = dict(made) if made else None

    # What it is.

    @property
    def path(self) -> Path:
        """What was opened, as an absolute path: it holds if the working folder changes."""
        return self._path

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens it again: for pickle, and with it for `multiprocessing`."""
        return Export, (self._path, self._made)

    def __fspath__(self) -> str:
        """So that an export may stand wherever its path may."""
        return str(self._path)

    @property
    def opened(self) -> _core.OpenedExport:
        """The library's own, for the other parts of the package."""
        return self._opened

    @property
    def made(self) -> dict[str, object] | None:
        """Of an export that :func:`export` has just made: model, precision, seconds, FLOPs."""
        return self._made

    @property
    def name(self) -> str:
        """What it shows: the name of its set of pictures, or of its folder."""
        return self._opened.image_set_name

    @property
    def frames(self) -> int:
        """How many pictures there are."""
        return self._opened.frames

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches in each frame."""
        return self._opened.grid

    @property
    def layers(self) -> list[int]:
        """Numbers of the layers, from 1: of queries and keys if there are any, else of maps."""
        blocks = self._opened.blocks
        return blocks[0].layers if blocks else self._opened.map_layers

    @property
    def heads(self) -> int:
        """Heads of each layer; 0 if all that is kept is their mean."""
        blocks = self._opened.blocks
        return blocks[0].heads if blocks else self._opened.map_heads

    @property
    def blocks(self) -> dict[str, _core.Blocks]:
        """What is stored of queries and keys: ``"global"``, ``"frame"``, ``"encoder"``."""
        return {blocks.kind: blocks for blocks in self._opened.blocks}

    @property
    def special_tokens(self) -> list[str]:
        """Names of the tokens before a frame's patches, of the first kind of blocks."""
        blocks = self._opened.blocks
        return blocks[0].special_tokens if blocks else []

    @property
    def has_store(self) -> bool:
        """Whether there are queries and keys, so that ``attention`` and ``report`` work."""
        return bool(self._opened.blocks)

    @property
    def has_maps(self) -> bool:
        """Whether there are classic maps."""
        return bool(self._opened.map_layers)

    @property
    def image_paths(self) -> list[Path]:
        """The copied picture of each frame."""
        return [self._opened.image_path(frame) for frame in range(self.frames)]

    @property
    def image_sizes(self) -> list[tuple[int, int]]:
        """Width and height of each original picture, in pixels; empty if it does not say."""
        return self._opened.image_sizes

    @property
    def sources(self) -> list[str]:
        """The file that each frame was taken from, and its time in a video; empty if unknown."""
        return self._opened.sources

    @property
    def provenance(self) -> _core.Provenance | None:
        """Which program made it, with which model."""
        return self._opened.provenance

    @property
    def model_text(self) -> str:
        """The model in words; empty if unknown."""
        known = self.provenance
        return ": ".join(t for t in (known.family, known.model_text) if t) if known else ""

    @property
    def precision(self) -> str:
        """``"f32"`` or ``"bf16"``: the numbers the model computed with; empty if unknown."""
        return self.provenance.precision if self.provenance else ""

    # What it holds.

    @property
    def maps(self) -> Maps:
        """The classic maps by layer: ``export.maps[12]`` is uint8 ``[queries, …]``."""
        return self._maps

    def q(self, layer: SupportsIndex, block: str | None = None) -> NDArray[np.float16]:
        """Queries of a layer: float16 ``[heads, tokens, head_dim]``, mapped, read-only.

        The tokens of frame 0 come first; each frame has its special tokens, then its patches row by
        row; scene tokens, of no frame, come last. They are before the rotary embedding if
        ``blocks[…].rope`` is ``"2d"``.
        """
        return self._opened.q(_block(block), integer("layer", layer))

    def k(self, layer: SupportsIndex, block: str | None = None) -> NDArray[np.float16]:
        """Keys of a layer, as ``q``."""
        return self._opened.k(_block(block), integer("layer", layer))

    def extras(
        self, layer: SupportsIndex, block: str | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Norms that are stored beside a layer's queries and keys, as float32, by name.

        ``x_norm`` ``[tokens]``: of the hidden states that the block hands on; ``x_unit_sum``
        ``[frames, channels]``: the sum of their unit vectors over a frame's patches; ``v_norm`` and
        ``wov_norm`` ``[heads, tokens]``: of values, and of what the output projection makes of
        them. Empty if nothing is stored.
        """
        return self._opened.extras(_block(block), integer("layer", layer))

    # Places.

    def patch_at(self, x: float, y: float, frame: SupportsIndex = 0) -> tuple[int, int]:
        """Row and column of the patch that shows a point of the original picture, in pixels."""
        return self._opened.patch_at(float(x), float(y), integer("frame", frame))

    def patch_box(
        self, row: SupportsIndex, col: SupportsIndex, frame: SupportsIndex = 0
    ) -> tuple[float, float, float, float]:
        """What a patch shows of the original picture: left, top, right, bottom in pixels.

        It may reach beyond the picture where the model saw padding.
        """
        return self._opened.patch_box(
            integer("row", row), integer("col", col), integer("frame", frame)
        )

    # What it answers.

    def attention(
        self,
        layer: Numbers | None = None,
        head: Numbers | None = None,
        frame: ArrayLike | None = 0,
        row: ArrayLike | None = None,
        col: ArrayLike | None = None,
        *,
        x: ArrayLike | None = None,
        y: ArrayLike | None = None,
        rows: Sequence[SupportsIndex] | str | None = None,
        cols: Sequence[SupportsIndex] | str | None = None,
        cells: Iterable[Sequence[SupportsIndex]] | str | None = None,
        token: str | None = None,
        block: str | None = None,
        definition: DefinitionName | None = None,
        rope: str | None = None,
        incoming: bool = False,
        tokens: bool = False,
        frames: Numbers | None = None,
        reduce: str | None = None,
    ) -> NDArray[np.float32]:
        """Exact attention of a query: float32 ``[frames, rows, cols]``.

        Computed from the stored queries and keys; the words are those of ``vggt-attn query``.

        Args:
            layer: a number from 1; several, or ``"all"``, make an axis of layers; None: the last.
            head: a number from 1; several, or ``"all"``, make an axis of heads; ``"mean"`` (as is
                None) and ``"max"`` reduce all heads to one.
            frame: the query's frame, from 0 (as is None).
            row: the query's row of patches, from 0.
            col: its column. Arrays of rows, columns and frames are broadcast and make leading axes:
                a batch of queries.
            x: in place of row and col: a point of the original picture, in pixels from its left;
            y: from its top.
            rows: in place of row and col: the mean over a rectangle of patches, ``(3, 7)``, both
            cols: ends included.
            cells: the mean over some patches: ``[(3, 4), (5, 6)]``.
            token: a special token as the query: ``"camera"``.
            block: ``"global"``, ``"frame"`` or ``"encoder"``; None: the first that is stored.
            definition: one of :func:`definitions`, or a name; None: ``"model"``, its own.
            rope: ``"after"`` (as is None) or ``"before"`` the rotary embedding.
            incoming: who looks at the query, not where it looks.
            tokens: all tokens, special tokens first: ``[frames, tokens]``.
            frames: which frames are answered; a number drops their axis; None: all.
            reduce: of several heads, ``"mean"`` or ``"max"``.

        Returns:
            A new array ``[(layers,) (heads,) frames, rows, cols]``. What the query does not meet
            is 0, or NaN of logits and cosines. Scene tokens, of no frame, are not there; of the
            definition ``"model"`` all values add up to 1 less their share.
        """
        words, pick = request_words(
            {"layer": layer, "head": head, "frames": frames},
            {"rows": rows, "cols": cols, "cells": cells},
            {
                "block": block,
                "definition": None if definition is None else definition_name(definition),
                "rope": rope,
                "token": token,
                "reduce": reduce,
                "incoming": "1" if incoming else None,
                "tokens": "all" if tokens else None,
            },
        )

        def ask(place: dict[str, str]) -> NDArray[np.float32]:
            return _core.attention(self._opened, words | place)[pick]

        places = {"frame": 0 if frame is None else frame, "row": row, "col": col, "x": x, "y": y}
        return each_query(ask, places, self.patch_at)

    def report(
        self, rows: SupportsIndex | str | None = None, *, progress: Progress = False
    ) -> Report:
        """Tables about all layers and heads: ``export.report().heads``.

        Args:
            rows: patches of each picture that layers and heads are measured on, or ``"all"``; None:
                all, or as many as a usual amount of computing allows.
            progress: True: one line; a function: called with (stage, share, detail).
        """
        return Report(self, rows, progress)

    def figure(
        self,
        file: AnyPath | None = None,
        recipe: Mapping[str, Any] | AnyPath | None = None,
        *,
        other: Export | AnyPath | None = None,
        overwrite: bool = False,
        **keys: Any,
    ) -> Figure:
        """A figure for print of some queries, or its numbers, as ``vggt-attn figure`` makes it.

        Args:
            file: written if given: .png, .svg, .pdf, .csv or .npy.
            recipe: keys and values, or the path of a recipe's JSON.
            other: a second export, which is shown beside this one, or subtracted
                (``compare="difference"``).
            overwrite: replace the file that is there.
            **keys: the keys of recipes (docs/http-api.md): ``queries=[(10, 20), (1, 3, 4)]``,
                ``layer=12``, ``head=3``, ``view="layers"``, ``colormap="viridis"``, ``width=85`` …
        """
        second = other if isinstance(other, Export) or other is None else Export(other)
        made = Figure(self, recipe, second, keys)
        if file is not None:
            made.save(file, overwrite=overwrite)
        return made

    # How it shows itself.

    def _facts(self) -> list[tuple[str, str]]:
        height, width = self.grid
        facts = [("pictures", f"{self.frames} of {width}×{height} patches")]
        if self.model_text:
            facts.append(("model", self.model_text))
        if self.precision:
            facts.append(("precision", self.precision))
        for blocks in self._opened.blocks:
            kept = f"{len(blocks.layers)} layers of {blocks.heads} heads"
            facts.append((f"queries and keys ({blocks.kind})", kept))
        if self._opened.store_error:
            facts.append(("queries and keys", self._opened.store_error))
        if self.has_maps:
            heads = f"{self.maps.heads} heads" if self.maps.heads else "the mean of all heads"
            facts.append(("maps", f"{len(self.maps)} layers, {heads}"))
        return facts

    def __repr__(self) -> str:
        """What it holds, in one line."""
        facts = "; ".join(f"{name}: {text}" for name, text in self._facts())
        return f"<Export {str(self._path)!r}: {facts}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        )
        title = html.escape(f"{self.name} ({self._path})")
        return f"<table><caption>{title}</caption>{rows}</table>"


def _block(name: str | None) -> str | None:
    return None if name is None else text("block", name)


def open(path: AnyPath) -> Export:
    """Opens an export: its folder, or anything in it that leads there.

    Reads only its description. What killed exports left beside it is tidied up.
    """
    return Export(path)


def _refuse(chosen: Mapping[str, Any], names: Iterable[str], why: str) -> None:
    for name in names:
        if chosen[name] is not None:
            raise OptionError(why, f"`{name}`", "Leave it out.")


def _take_images(
    options: _core.CaptureOptions,
    images: AnyPath | Picture | Iterable[Picture],
    scratch: Path,
    chosen: Mapping[str, Any],
) -> None:
    """Says which pictures are taken. `chosen`: what concerns folders or videos alone, or None."""
    number = None if chosen["num_images"] is None else integer("num_images", chosen["num_images"])
    if number is not None and number < 1:
        raise OptionError("must be at least 1", "`num_images`")
    path = path_of("images", images) if isinstance(images, str | bytes | os.PathLike) else None
    if path is not None and _core.has_video_extension(path) and not path.is_dir():
        _refuse(chosen, ("image_extension", "sort"), "is for folders, not for videos")
        fps = None if chosen["fps"] is None else float(chosen["fps"])
        every = None if chosen["every"] is None else integer("every", chosen["every"])
        if fps is None and every is None:
            number = number or _USUAL_NUMBER
        options.take_video(path, number, fps, every)
        return
    _refuse(chosen, ("fps", "every"), "is for videos")
    if path is not None and not path.is_file():
        extension = text("image_extension", chosen["image_extension"] or "")
        sort = text("sort", chosen["sort"] or "name")
        options.take_folder(path, number or _USUAL_NUMBER, extension, sort)
        return
    _refuse(chosen, ("image_extension", "sort"), "is for folders, not for lists of pictures")
    _refuse(chosen, ("num_images",), "is for folders and videos, not for lists of pictures")
    # Arrays of two or three axes are one picture; of one, they hold paths.
    one = not isinstance(images, Iterable) or getattr(images, "ndim", 4) in (2, 3)
    single = path is not None or one
    files = files_of([images] if single else cast("Iterable[Picture]", images), scratch)
    if not files:
        raise OptionError("no picture is given", "`images`")
    options.take_pictures(files)


def _layers(layers: SupportsIndex | Iterable[SupportsIndex] | str | None) -> list[int]:
    """Their numbers; none: all."""
    if layers is None or (isinstance(layers, str) and layers == "all"):
        return []
    named = integers("layers", layers)  # type: ignore[arg-type]
    if not named:
        raise OptionError("names none", "`layers`", "Leave it out for all.")
    return named


def export(
    images: AnyPath | Picture | Iterable[Picture],
    *,
    out: AnyPath,
    weights: AnyPath | None = None,
    weights_key: str = "",
    family: str = "",
    save_qk: bool = False,
    capture: str | Iterable[str] = "global",
    geometry: bool = False,
    geometry_points: bool = False,
    geometry_layers: Iterable[SupportsIndex] | None = None,
    layers_lens: SupportsIndex | Iterable[SupportsIndex] | None = None,
    geometry_from: AnyPath | None = None,
    heatmaps: bool = True,
    save_per_head: bool = False,
    layers: SupportsIndex | Iterable[SupportsIndex] | str | None = None,
    num_images: SupportsIndex | None = None,
    first_image_idx: SupportsIndex = 0,
    image_extension: str | None = None,
    sort: str | None = None,
    fps: float | None = None,
    every: SupportsIndex | None = None,
    exif_transpose: bool = False,
    picture_rule: str | None = None,
    image_size: SupportsIndex | None = None,
    stride_h: SupportsIndex = 1,
    stride_w: SupportsIndex = 1,
    compress: bool = True,
    precision: str = "auto",
    image_set_name: str | None = None,
    overwrite: bool = False,
    progress: Progress = False,
) -> Export:
    """Runs a model on pictures, on the CPU, and writes what its attention does.

    The folder appears when it is complete; Ctrl-C and errors leave nothing. The words are those of
    ``vggt-attn export``.

    Args:
        images: a folder, a video, or pictures: paths, arrays uint8 ``[height, width, 3]`` (or
            floats from 0 to 1, or ``[3, height, width]``), tensors, or pictures of Pillow.
        out: the folder to write.
        weights: a checkpoint: .safetensors, .pt, an index.json or a folder; None: the bundled
            demonstration model.
        weights_key: which of several models in it, such as ``"ema.module"``.
        family: which of the families whose tensors have these names: ``"streamvggt"`` instead of
            ``"vggt"``.
        save_qk: also keep queries and keys, from which every row of attention follows exactly, for
            ``attention`` and ``report``.
        capture: whose: some of ``"global"``, ``"frame"`` and ``"encoder"``.
        geometry: also predict cameras and depth, by the checkpoint's heads, into ``geometry/``.
        geometry_points: also the points that its point head predicts.
        geometry_layers: whose tokens depth and points are made of: four layers, from 1; None: as
            the model was trained.
        layers_lens: predict them after each of these layers, too, as if the model ended there.
        geometry_from: cameras and depth that are known, in place of predicted ones: a cameras.json,
            or a folder with one, a COLMAP model or a scan.
        heatmaps: write the classic maps.
        save_per_head: those of each head, not their mean.
        layers: only these, from 1; None or ``"all"``: all.
        num_images: of a folder or video: how many to take, evenly spaced; None: 5.
        first_image_idx: which of the pictures is the query frame, from 0.
        image_extension: of a folder: only these, such as ``"png"``.
        sort: of a folder: ``"name"`` (by bytes), or ``"natural"`` (frame_2 before frame_10).
        fps: of a video: so many frames for each second; ``num_images`` is the most then.
        every: of a video: every N-th frame, likewise.
        exif_transpose: turn pictures upright as their EXIF says, which VGGT does not.
        picture_rule: how pictures become what the model sees: ``"vggt_crop"``, ``"vggt_pad"``,
            ``"pi3"``, ``"da3"`` or ``"omega"``; None: as the model's family does it.
        image_size: width or longer side that the model sees, in pixels: whole patches; None: the
            rule's own, such as 518.
        stride_h: maps of every N-th row of patches,
        stride_w: and every N-th column.
        compress: deflate the maps; False: they are larger, and ``maps`` are mapped, not inflated.
        precision: ``"f32"``, ``"bf16"``, or ``"auto"``, which is the faster here.
        image_set_name: what the export calls what it shows; None: as the folder is called.
        overwrite: replace an export that is there.
        progress: True: one line; a function: called with (stage, share, detail).

    Returns:
        The export, opened. Its ``made`` tells seconds and precision.
    """
    folder = path_of("out", out)
    options = _core.CaptureOptions()
    options.output = folder
    if weights is not None:
        if not os.fspath(weights):
            raise OptionError("is empty", "`weights`", "Leave it out for the bundled model.")
        options.weights = path_of("weights", weights)
    options.weights_key = text("weights_key", weights_key)
    options.family = text("family", family)
    kinds = [capture] if isinstance(capture, str) else list(capture)
    if not kinds:
        raise OptionError("names none", "`capture`")
    if save_qk:
        options.set_capture([kind for each in kinds for kind in each.split(",")])
    elif kinds != ["global"]:
        raise OptionError("is for queries and keys", "`capture`", "Give save_qk=True, too.")
    if geometry:
        four = None if geometry_layers is None else integers("geometry_layers", geometry_layers)
        if four is not None and len(four) != 4:
            raise OptionError(f"names {len(four)} layers, four are needed", "`geometry_layers`")
        lens = [] if layers_lens is None else integers("layers_lens", layers_lens)
        options.set_geometry(bool(geometry_points), four, lens)
    elif geometry_points or geometry_layers is not None or layers_lens is not None:
        raise OptionError("is not asked for", "`geometry`", "Give geometry=True, too.")
    if geometry_from is not None:
        options.geometry_from = path_of("geometry_from", geometry_from)
    options.heatmaps = bool(heatmaps)
    options.save_per_head = bool(save_per_head)
    options.layers = _layers(layers)
    options.first_image_idx = integer("first_image_idx", first_image_idx)
    options.exif_transpose = bool(exif_transpose)
    if picture_rule is not None:
        options.set_picture_rule(text("picture_rule", picture_rule))
    if image_size is not None:
        options.image_size = integer("image_size", image_size)
    options.stride_h = integer("stride_h", stride_h)
    options.stride_w = integer("stride_w", stride_w)
    options.compress = bool(compress)
    options.set_precision(text("precision", precision))
    name = text("image_set_name", image_set_name or "") or folder.name.removeprefix(
        "attn_first2all_"
    ).removeprefix("attn_")
    options.image_set_name = name or "pictures"
    options.overwrite = bool(overwrite)
    chosen = {
        "num_images": num_images,
        "image_extension": image_extension,
        "sort": sort,
        "fps": fps,
        "every": every,
    }
    with (
        tempfile.TemporaryDirectory(prefix="vggt-attn-") as scratch,
        ProgressLine(progress) as line,
    ):
        _take_images(options, images, Path(scratch), chosen)
        made = _core.run_capture(options, line.note, line.update)
        line.done(f"wrote {folder}: {made['pictures']} pictures, {made['layers']} layers")
    return Export(folder, made)
