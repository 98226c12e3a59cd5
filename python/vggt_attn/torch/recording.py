# SPDX-License-Identifier: Apache-2.0
"""Records the attention of a PyTorch model's forward pass."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vggt_attn.errors import Error
from vggt_attn.torch import heatmaps as maps
from vggt_attn.torch import picture_rules, pictures, store
from vggt_attn.torch.families import Blocks, Family, Kind, recognise
from vggt_attn.torch.place import Wishes
from vggt_attn.torch.recorder import Recorder
from vggt_attn.torch.watch import is_closed

KINDS: tuple[Kind, ...] = ("global", "frame", "encoder")
_MUCH = 0.02  # row error that is worth a warning
_ATTENDS = {"global": ("all", "causal"), "frame": ("frame",), "encoder": ("frame",)}


class Recording:
    """What `record` gives: how the recording is going, and in the end how exact it is.

    Attributes:
        folder: where it appears when the block ends well.
        family: of the model that was recognised, such as "vggt"; None of one told by patterns.
        row_error: kind of blocks → the largest difference between sampled rows of attention from
            what is stored and from what the model attended with, as a share of the row's largest
            value. Known when the block has ended.
        notes: what there is to know, one sentence each.
    """

    def __init__(self, folder: Path, family: str | None) -> None:
        """Nothing is recorded yet."""
        self.folder, self.family = folder, family
        self.row_error: dict[str, float] = {}
        self.notes: list[str] = []


@contextlib.contextmanager
def record(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    images: Any,
    grid: Sequence[int] | None = None,
    capture: str | Iterable[str] = ("global",),
    layers: Iterable[int] | None = None,
    name: str | None = None,
    patterns: Mapping[str, str] | None = None,
    attends: Mapping[str, str] | None = None,
    rope: Mapping[str, Any] | None = None,
    special_tokens: Mapping[str, Sequence[str]] | None = None,
    special_tokens_place: Mapping[str, str] | None = None,
    model_text: str | None = None,
    picture_rule: str | None = None,
    transforms: Sequence[Mapping[str, Any]] | None = None,
    batch: int | None = None,
    forward_pass: int | None = None,
    heatmaps: bool = False,
    save_per_head: bool = False,
    stride_h: int = 1,
    stride_w: int = 1,
    compress: bool = True,
    overwrite: bool = False,
) -> Iterator[Recording]:
    """Records the one forward pass of ``model`` that runs inside it.

    ``folder`` appears if it ends well. VGGT, FastVGGT (merging off), StreamVGGT (also a picture at
    a time), Pi3, Pi3X, Depth Anything 3, VGGT-Omega and MapAnything are recognised by the names of
    their modules; other models need ``patterns``. What entered attention is what is stored, and
    where it cannot be stored the pass ends with an error.

    Args:
        model: a ``torch.nn.Module``, on any device, in eval mode.
        folder: of the export, which ``vggt_attn.open`` and the command ``vggt-attn`` read.
        images: the pictures of the model's frames, in its order: paths, tensors [3, H, W] from 0
            to 1, arrays or PIL pictures.
        grid: patches of a picture: rows, columns; None: it is seen.
        capture: which blocks: some of "global", "frame" and "encoder".
        layers: numbers of global and frame blocks that are wanted, from 1; None: all.
        name: of the set of pictures; None: the folder's.
        patterns: {"global": regular expression with one group, the block's number} … of attention
            modules, for models that are not recognised.
        attends: {"global": "causal"} or "all": what is expected; anything else is then refused.
        rope: {"frame": "applied"} stores queries and keys as they were turned, {"frame": {"type":
            "2d"}} as they were before VGGT's embedding; left out, that is chosen by how exact
            rows then are. "none": what is expected.
        special_tokens: {"global": ["camera", …]}: their names.
        special_tokens_place: {"global": "last"}: that they stand behind a frame's patches, where
            it cannot be seen.
        model_text: what the export says of the model; None: its class.
        picture_rule: how pictures became what the model saw: ``"vggt_crop"``, ``"vggt_pad"``,
            ``"pi3"``, ``"da3"`` or ``"omega"``; None: as the family does it. It is left out, with
            a note, if it does not make as many patches of these pictures as were seen.
        transforms: how they did, in numbers (docs/formats.md), one a picture.
        batch: which scene of a batch is recorded, from 0.
        forward_pass: which of several passes is recorded, from 0; None: there is one.
        heatmaps: also write the classic maps of the global blocks, as ``vggt_attn.export`` does.
            They are computed on the CPU after the pass. If that fails, they are left out, with a
            warning.
        save_per_head: those of each head, not their mean.
        stride_h: maps of every N-th row of patches,
        stride_w: and every N-th column.
        compress: deflate the maps.
        overwrite: replaces an earlier recording.

    Raises:
        Error: something contradicts what was told or cannot be stored; nothing is left then. If
            only putting the folder in its place fails, what was recorded is kept, and the error
            names the folder and the command that finishes it.
    """
    if not isinstance(model, torch.nn.Module):
        raise Error(f"model is a {type(model).__name__}, expected a torch.nn.Module")
    to = Path(folder).expanduser().resolve()
    kinds = _kinds(capture)
    set_name = _text("name", name) or pictures.printable(to.name)
    text = _text("model_text", model_text)
    listed = pictures.checked(images)
    family, blocks = _blocks(model, patterns, kinds)
    wishes = Wishes(
        frames=len(listed),
        grid=_grid(grid),
        blocks=blocks,
        numbers=_numbers(blocks, kinds, layers, model),
        rope=_told("rope", rope, kinds, _check_rope),
        attends=_told("attends", attends, kinds, _check_attends),
        place=_told("special_tokens_place", special_tokens_place, kinds, _check_place),
        batch=_count("batch", batch),
        forward_pass=_count("forward_pass", forward_pass),
        names=_told("special_tokens", special_tokens, kinds, _check_names),
    )
    turned = _transforms(transforms, len(listed))
    fit = _fit(picture_rule, transforms, model, family)
    write_maps = None
    if heatmaps:
        write_maps = maps.writer(
            blocks,
            stride_h=stride_h,
            stride_w=stride_w,
            save_per_head=save_per_head,
            compress=compress,
        )
    store.check_folder(to, overwrite)
    rec = Recording(to, family.name if family else None)
    if layers is None:
        rec.notes += _left_out(blocks)
    staging = store.stage(to, len(listed))
    try:
        kept = pictures.keep(listed, staging)
        recorder = Recorder(model, family, wishes, staging)
        with _uncompiled(model, rec):
            try:
                recorder.start()
                yield rec
            except BaseException:
                recorder.error = None  # it is on its way; kept, it would keep the pass's tensors
                raise
            finally:
                recorder.stop()
        recorder.raise_error()
        described = recorder.blocks()
        rec.row_error = recorder.row_error
        alarms = [
            recorder.predictions.save(staging / "predictions.npz", len(listed)),
            _inexact(max(rec.row_error.values())),
        ]
        order = recorder.scene.order
        if order is not None and order != sorted(order):
            rec.notes.append(
                f"The model looked at its pictures in the order {order}, which is undone."
            )
        description = {
            "format": "vggt-attn-qk",
            "format_version": 2,
            "generator": store.GENERATOR,
            "image_set_name": set_name,
            "model": {"text": text or _model_text(model, family)},
            "precision": recorder.parts.precision,
            "frames": len(listed),
            "grid": dict(zip(("H_p", "W_p"), recorder.grid(), strict=True)),
            "image_paths": [f"../{picture.path}" for picture in kept],
            "image_sizes": [{"width": p.size[0], "height": p.size[1]} for p in kept],
            "transforms": turned or fit([picture.size for picture in kept], recorder.grid(), rec),
            "sources": [{"file": picture.source} for picture in kept],
            "order": list(range(len(listed))),
            "blocks": described,
        }
        if write_maps is not None:
            alarms.append(_add_maps(write_maps, staging, description, rec))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    alarms = [alarm for alarm in alarms if alarm]
    rec.notes += alarms
    store.publish(staging, to, description, overwrite)
    for alarm in alarms:  # once all is in its place, for a warning may be an error
        warnings.warn(alarm, stacklevel=3)


def _inexact(worst: float) -> str:
    if worst <= _MUCH:
        return ""
    return (
        f"Rows of attention from this recording are up to {worst:.1%} of their largest value "
        "off: its queries and keys are too large for float16 to hold them more exactly."
    )


def _add_maps(
    write: Callable[[Path], None], staging: Path, description: Mapping[str, Any], rec: Recording
) -> str:
    """The classic maps of what is staged. Returns why they are left out, or nothing."""
    try:
        store.describe(staging, description)
        write(staging)
    except (Error, OSError, MemoryError) as error:
        shutil.rmtree(staging / "attn_maps", ignore_errors=True)
        why = str(error).replace(str(staging), str(rec.folder)) or "memory does not suffice"
        return f"Maps are left out: {why}"
    return ""


# --- what is told, before anything is computed -----------------------------------


def _kinds(capture: Any) -> list[Kind]:
    wanted = capture.split(",") if isinstance(capture, str) else list(capture)
    unknown = [kind for kind in wanted if kind not in KINDS]
    if unknown or not wanted:
        raise Error(f"capture={capture!r}: expected some of {', '.join(KINDS)}")
    return [kind for kind in KINDS if kind in wanted]


def _text(what: str, value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{what} is a {type(value).__name__}, expected a str")
    return pictures.printable(value or "")


def _count(what: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 0:
        raise Error(f"{what}={value!r}: expected a number from 0")
    return int(value.__index__())


def _grid(grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    try:
        rows, columns = (int(n.__index__()) for n in grid)
    except (TypeError, ValueError, AttributeError):
        rows = columns = 0
    if rows < 1 or columns < 1:
        raise Error(f"grid={grid!r}: expected patches of a picture, (rows, columns)")
    return rows, columns


def _told(what: str, value: Any, kinds: Sequence[Kind], check: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Error(f"{what}={value!r}: expected a dictionary such as {{'global': …}}")
    for kind, told in value.items():
        if kind not in kinds:
            raise Error(
                f"{what} is told for {kind!r}, which is not recorded",
                hint=f"capture is {', '.join(kinds)}.",
            )
        check(f"{what}[{kind!r}]", kind, told)
    return dict(value)


def _check_rope(what: str, kind: str, told: Any) -> None:
    if isinstance(told, Mapping):
        base, first = told.get("base", 100), told.get("first_patch", 1)
        unknown = told.keys() - {"type", "base", "first_patch"}
        if (
            told.get("type") == "2d"
            and not unknown
            and isinstance(base, int | float)
            and base > 0
            and isinstance(first, int)
        ):
            return
    elif told in ("none", "applied"):
        return
    raise Error(
        f"{what} is {told!r}, expected 'none', 'applied' or "
        "{'type': '2d', 'base': 100, 'first_patch': 1}"
    )


def _check_attends(what: str, kind: str, told: Any) -> None:
    if told not in _ATTENDS[kind]:
        raise Error(f"{what} is {told!r}, expected {' or '.join(map(repr, _ATTENDS[kind]))}")


def _check_place(what: str, kind: str, told: Any) -> None:
    if told not in ("first", "last"):
        raise Error(f"{what} is {told!r}, expected 'first' or 'last'")


def _check_names(what: str, kind: str, told: Any) -> None:
    fine = isinstance(told, list | tuple) and all(
        isinstance(one, str) and one and pictures.printable(one) == one for one in told
    )
    if not fine or len(set(told)) != len(told):
        raise Error(f"{what} is {told!r}, expected a list of names that differ")


_TRANSFORM = frozenset(
    (
        "original_width",
        "original_height",
        "resized_width",
        "resized_height",
        "crop_top",
        "crop_height",
        "pad_top",
        "pad_left",
        "model_width",
        "model_height",
    )
)


def _transforms(transforms: Any, frames: int) -> list[dict[str, int]]:
    if transforms is None:
        return []
    if isinstance(transforms, Mapping | str) or not isinstance(transforms, Iterable):
        raise Error("transforms: expected a list of dictionaries, one a picture")
    out = []
    for number, one in enumerate(transforms):
        if not isinstance(one, Mapping) or not one.keys() >= _TRANSFORM:
            lacks = sorted(_TRANSFORM - set(one)) if isinstance(one, Mapping) else ["a dictionary"]
            raise Error(
                f"transforms[{number}] lacks {', '.join(lacks)}",
                hint="docs/formats.md says what they are.",
            )
        out.append({key: int(value) for key, value in one.items()})
    if len(out) != frames:
        raise Error(f"transforms has {len(out)} entries, images names {frames} pictures")
    return out


_Fit = Callable[[Sequence[picture_rules.Size], tuple[int, int], Recording], list[dict[str, int]]]


def _fit(told: Any, transforms: Any, model: Any, family: Family | None) -> _Fit:
    """What makes transforms of the pictures' sizes and the grid that was seen."""
    if told is not None and told not in picture_rules.RULES:
        raise Error(f"picture_rule={told!r}: expected one of {', '.join(picture_rules.RULES)}")
    if told is not None and transforms is not None:
        raise Error("picture_rule and transforms are both given", hint="Give one of them.")
    rule = told or (picture_rules.FAMILY_RULES.get(family.name) if family else None)
    patch = picture_rules.own_patch(rule)
    if family and family.patch_conv:
        patch = int(model.get_submodule(family.patch_conv).kernel_size[0])

    def fit(
        sizes: Sequence[picture_rules.Size], grid: tuple[int, int], rec: Recording
    ) -> list[dict[str, int]]:
        made = picture_rules.fitting(rule, sizes, grid, patch) if rule else []
        if made is None:
            rec.notes.append(
                f"The picture rule {rule} does not make the {grid[0]} × {grid[1]} patches that "
                "the model saw of these pictures: each map is laid over its whole picture."
            )
        return made or []

    return fit


# --- the model --------------------------------------------------------------------


def _blocks(
    model: Any, patterns: Mapping[str, str] | None, kinds: Sequence[Kind]
) -> tuple[Family | None, dict[Kind, Blocks]]:
    """The blocks of each kind that is recorded."""
    if patterns is not None:
        _told("patterns", patterns, KINDS, _check_pattern)
    family = recognise(model)
    blocks: dict[Kind, Blocks] = {}
    for kind in kinds:
        if patterns and kind in patterns:
            paths = _matching(model, patterns[kind])
            first = "cls" if kind == "encoder" else "camera"
            blocks[kind] = Blocks(paths, "all" if kind == "global" else "frame", first)
        elif family and kind in family.blocks:
            blocks[kind] = family.blocks[kind]
        if kind not in blocks or not blocks[kind].paths:
            raise Error(
                f"no attention modules of {kind} blocks are found",
                type(model).__name__,
                f"Give patterns={{{kind!r}: …}}. {_what_there_is(model)}",
            )
    if patterns:
        family = None if any(kind in patterns for kind in kinds) else family
    return family, blocks


def _check_pattern(what: str, kind: str, told: Any) -> None:
    try:
        groups = re.compile(told).groups
    except (re.error, TypeError) as error:
        raise Error(f"{what} is {told!r}, which is no regular expression ({error})") from error
    if groups != 1:
        raise Error(f"{what} is {told!r}, expected one group in parentheses: the block's number")


def _matching(model: Any, pattern: str) -> dict[int, str]:
    expression = re.compile(rf"(?:^|.*\.){pattern}$")
    found: dict[int, str] = {}
    for path, _ in model.named_modules():
        match = expression.match(path)
        if not match:
            continue
        if not match[1].isdecimal():
            raise Error(f"patterns: {match[1]!r} in {path} is no number of a block")
        if int(match[1]) in found:
            raise Error(
                f"patterns: block {match[1]} is both {found[int(match[1])]} and {path}",
                hint="Say more of the name.",
            )
        found[int(match[1])] = path
    return found


def _what_there_is(model: Any) -> str:
    """The attention modules that there are, a line of names with * for numbers."""
    groups: dict[str, int] = {}
    for path, module in model.named_modules():
        if not is_closed(module) and any(
            hasattr(module, name) for name in ("qkv", "to_qkv", "in_proj_weight", "q_proj")
        ):
            group = re.sub(r"\.\d+(?=\.|$)", ".*", path)
            groups[group] = groups.get(group, 0) + 1
    if not groups and any(map(is_closed, model.modules())):
        return "All attention is nn.MultiheadAttention's, which cannot be recorded."
    if not groups:
        return "No module looks like attention (none has qkv, q_proj or in_proj_weight)."
    return "Attention modules: " + ", ".join(f"{g} ({n})" for g, n in groups.items()) + "."


def _numbers(
    blocks: dict[Kind, Blocks], kinds: Sequence[Kind], layers: Any, model: Any
) -> dict[Kind, list[int]]:
    """The numbers, from 0, of the blocks that are recorded."""
    wanted: list[int] | None = None
    if layers is not None:
        if isinstance(layers, str) or not isinstance(layers, Iterable):
            raise Error(f"layers={layers!r}: expected a list of numbers from 1")
        numbers = list(layers)
        if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in numbers):
            raise Error(f"layers={numbers}: expected whole numbers from 1")
        wanted = sorted({int(n.__index__()) for n in numbers})
        if not wanted:
            raise Error("layers is empty: leave it out for all layers")
    out: dict[Kind, list[int]] = {}
    for kind in kinds:
        one = blocks[kind]
        there = sorted(one.paths)
        chosen = there if wanted is None or kind == "encoder" else [n - 1 for n in wanted]
        strange = [n + 1 for n in chosen if n not in one.paths]
        if strange:
            raise Error(
                f"layers names {', '.join(map(str, strange))}; the {kind} blocks are "
                f"{', '.join(str(n + 1) for n in there)}",
                type(model).__name__,
            )
        if wanted is None:
            chosen = [n for n in chosen if n not in one.patchless]
        without = [n + 1 for n in chosen if n in one.patchless]
        if without:
            raise Error(
                f"{kind} blocks {', '.join(map(str, without))} attend among special tokens alone: "
                "they have no rows of patches",
                hint="Leave them out of layers.",
            )
        refused = [n for n in chosen if n in one.refused]
        if refused:
            what, hint = one.refused[refused[0]]
            raise Error(f"{kind} block {refused[0] + 1} {what}", hint=hint)
        out[kind] = chosen
    return out


def _left_out(blocks: dict[Kind, Blocks]) -> list[str]:
    return [
        f"{kind.capitalize()} blocks {', '.join(str(n + 1) for n in sorted(one.patchless))} are "
        "left out: they attend among special tokens alone."
        for kind, one in blocks.items()
        if one.patchless
    ]


def _model_text(model: Any, family: Family | None) -> str:
    inner = getattr(model, "_orig_mod", model)
    inner = getattr(inner, "module", inner)
    text = type(inner).__name__
    return f"{text} ({family.name})" if family and family.name not in text.lower() else text


@contextlib.contextmanager
def _uncompiled(model: Any, rec: Recording) -> Iterator[None]:
    """Runs what torch.compile made as it was written, for this pass."""
    compiled = any(_is_compiled(module) for module in model.modules())
    stance = getattr(getattr(torch, "compiler", None), "set_stance", None)
    if compiled and stance is None:
        raise Error(
            "is compiled, which this PyTorch cannot undo for one pass",
            type(model).__name__,
            "Record it before torch.compile, or with PyTorch 2.6 or newer.",
        )
    if not compiled:
        yield
        return
    note = "The model is compiled; it runs uncompiled while it is recorded."
    rec.notes.append(note)
    warnings.warn(note, stacklevel=5)
    with _EAGER.entered(stance):
        yield


def _is_compiled(module: Any) -> bool:
    forward = getattr(module, "forward", None)
    if getattr(forward, "_torchdynamo_disable", False):  # bears the mark, too
        forward = None
    return (
        hasattr(module, "_orig_mod")
        or getattr(module, "_compiled_call_impl", None) is not None
        or hasattr(forward, "_torchdynamo_orig_callable")
    )


class _Eager:
    """PyTorch's stance is the whole process's: the first recording sets it, the last restores."""

    def __init__(self) -> None:
        self._lock, self._count, self._held = threading.Lock(), 0, contextlib.ExitStack()

    @contextlib.contextmanager
    def entered(self, stance: Any) -> Iterator[None]:
        with self._lock:
            if not self._count:
                self._held.enter_context(stance("force_eager"))
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if not self._count:
                    self._held.close()


_EAGER = _Eager()


def vggt_transforms(sizes: Iterable[tuple[int, int]]) -> list[dict[str, int]]:
    """How VGGT's ``load_and_preprocess_images`` (mode "crop") fits pictures of these sizes.

    Args:
        sizes: (width, height) of each picture.
    """
    return pictures.vggt_transforms(sizes)
