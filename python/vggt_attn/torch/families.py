# SPDX-License-Identifier: Apache-2.0
"""The model families that a recording knows by the names of their modules.

A family says which of a model's attention modules are global, frame and encoder blocks, where their
special tokens stand and what those are called, and what is peculiar: blocks without patches, blocks
whose attention no export can hold, pictures that the model puts in another order. What really
enters attention (masks, rotations, scales) is seen during the pass; nothing is taken on trust here.

Nothing of this needs PyTorch to be imported: modules and tensors are only asked.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from vggt_attn.errors import Error

Kind = Literal["global", "frame", "encoder"]

# Parts of paths that wrappers put between a module and its own name: DataParallel, torch.compile,
# activation checkpoints, FSDP.
_WRAPPERS = frozenset(("module", "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"))


@dataclass(frozen=True)
class Blocks:
    """The attention modules of one kind of blocks.

    Attributes:
        paths: number of the block, from 0, as the model counts it → path of its attention module,
            as ``named_modules()`` spells it.
        attends: to which tokens, as far as the family says: "all", "frame" (those of the same
            frame) or "causal" (those of the same and earlier frames).
        first: name of a frame's first special token, of which the others are ``register_1`` …;
            None where all of them are registers.
        place: whether special tokens stand before ("first") or behind ("last") a frame's patches.
        scene: names of tokens that belong to no frame and stand behind all of them, if the
            sequence has them.
        patchless: numbers of blocks whose attention is among special tokens alone.
        refused: number of a block → why its attention cannot be stored, and what to do, in two
            sentences.
    """

    paths: dict[int, str]
    attends: Literal["all", "frame", "causal"] = "frame"
    first: str | None = "camera"
    place: Literal["first", "last"] = "first"
    scene: tuple[str, ...] = ()
    patchless: frozenset[int] = frozenset()
    refused: dict[int, tuple[str, str]] = field(default_factory=dict)

    def special_tokens(self, count: int) -> list[str]:
        """The names of a frame's special tokens, if there are ``count`` of them."""
        if self.first is None:
            return [f"register_{i + 1}" for i in range(count)]
        return [self.first, *(f"register_{i}" for i in range(1, count))][:count]


@dataclass(frozen=True)
class Family:
    """A model that was recognised.

    Attributes:
        name: "vggt", "fastvggt", "streamvggt", "omega", "pi3", "da3" or "mapanything".
        blocks: kind → its blocks; kinds that the model does not have are missing.
        patch_conv: path of the convolution that makes patches: its outputs [pictures, channels,
            rows, columns] tell grid and number of pictures (it may run several times); None if
            there is no such module.
        reorders: paths of two blocks, of which the second follows the first, between which the
            model may put its pictures in another order; see `frame_order`.
    """

    name: str
    blocks: dict[Kind, Blocks]
    patch_conv: str | None = None
    reorders: tuple[str, str] | None = None


def recognise(model: Any) -> Family | None:
    """The family of a ``torch.nn.Module``, whatever it is wrapped in or part of; None if unknown.

    Raises:
        Error: several models are inside, or a model without attention between pictures.
    """
    tree = _Tree(model)
    found = [*_aggregators(tree), *_pi3(tree), *_da3(tree), *_mapanything(tree)]
    if len(found) > 1:
        places = ", ".join(prefix.rstrip(".") or "the model itself" for prefix, _ in found)
        raise Error(
            f"{type(model).__name__} holds {len(found)} models ({places})",
            hint="Give the one that is to be recorded, not what holds them.",
        )
    return found[0][1] if found else None


def frame_order(before: Any, after: Any, frames: int) -> list[int] | None:
    """The frame of tensor ``before`` that each frame of ``after`` is, bit for bit.

    Both hold one scene's frames, one after another along their first dimensions. None if some
    frame of ``after`` is not among those before. Of frames that are the same bit for bit the
    earlier is taken first.
    """
    if before.shape != after.shape:
        return None
    if before.data_ptr() == after.data_ptr() and before.stride() == after.stride():
        return list(range(frames))
    earlier, left, order = before.reshape(frames, -1), list(range(frames)), []
    for frame in after.reshape(frames, -1):
        same = next((i for i in left if earlier[i].equal(frame)), None)
        if same is None:
            return None
        left.remove(same)
        order.append(same)
    return order


class _Tree:
    """A model's modules by their own paths, without the names of wrappers."""

    def __init__(self, model: Any) -> None:
        self.modules: dict[str, Any] = {}
        self.spelled: dict[str, str] = {}  # own path → as named_modules() spells it
        for path, module in model.named_modules():
            own = ".".join(part for part in path.split(".") if part not in _WRAPPERS)
            self.modules[own] = module  # of a wrapper and what it wraps, what it wraps
            self.spelled[own] = path

    def attention(self, name: str) -> dict[str, dict[int, str]]:
        """What precedes ``name`` → block number → path of its module ``attn``, which has a qkv."""
        expression = re.compile(rf"((?:.*\.)?){name}\.(\d+)\.attn")
        found: dict[str, dict[int, str]] = {}
        for own, path in self.spelled.items():
            match = expression.fullmatch(own)
            if match and f"{own}.qkv" in self.modules:
                found.setdefault(match[1], {})[int(match[2])] = path
        return found

    def at(self, prefix: str) -> Any:
        return self.modules[prefix.rstrip(".")]

    def patch_conv(self, prefix: str) -> str | None:
        """The convolution of the patch embedding, a vision transformer's or a layer alone."""
        for own in (f"{prefix}patch_embed.patch_embed.proj", f"{prefix}patch_embed.proj"):
            if hasattr(self.modules.get(own), "kernel_size"):
                return self.spelled[own]
        return None


def _of(paths: dict[int, str], numbers: Iterable[int]) -> dict[int, str]:
    wanted = set(numbers)
    return {number: path for number, path in paths.items() if number in wanted}


def _kinds(*kinds: Blocks) -> dict[Kind, Blocks]:
    """Global, frame and encoder blocks, those that there are."""
    names: tuple[Kind, ...] = ("global", "frame", "encoder")
    return {name: blocks for name, blocks in zip(names, kinds, strict=True) if blocks.paths}


_Found = list[tuple[str, Family]]  # a model's place and what it is


_MERGED = (
    "merges tokens before its attention, so that there are no rows of single tokens",
    "Switch merging off: VGGT(merging=None), or model.aggregator.merging = None.",
)


def _aggregators(tree: _Tree) -> _Found:
    """VGGT and those that keep its two lists: FastVGGT, StreamVGGT, VGGT-Omega."""
    found = []
    for name, listed in (("vggt", "global_blocks"), ("omega", "inter_frame_blocks")):
        for prefix, paths in tree.attention(listed).items():
            aggregator = tree.at(prefix)
            streams = "past_key_values" in inspect.signature(aggregator.forward).parameters
            merges = hasattr(aggregator, "merging")
            start = getattr(aggregator, "merging", None)
            if start is None or not getattr(aggregator, "global_merging", True):
                start = max(paths) + 1
            kinds = getattr(aggregator, "inter_frame_attention_types", ())
            blocks = _kinds(
                Blocks(
                    paths,
                    "causal" if streams else "all",
                    patchless=frozenset(i for i, kind in enumerate(kinds) if kind == "register"),
                    refused={i: _MERGED for i in paths if i >= start},
                ),
                Blocks(tree.attention("frame_blocks").get(prefix, {})),
                Blocks(tree.attention(r"patch_embed\.blocks").get(prefix, {}), first="cls"),
            )
            own = "streamvggt" if streams else "fastvggt" if merges else name
            found.append((prefix, Family(own, blocks, tree.patch_conv(prefix))))
    return found


def _pi3(tree: _Tree) -> _Found:
    """Pi3 and Pi3X: one list, even blocks see a frame, odd ones all of them; registers alone."""
    found = []
    for prefix, paths in tree.attention("decoder").items():
        encoder = tree.attention(r"encoder\.blocks").get(prefix, {})
        if not encoder or not hasattr(tree.at(prefix), "register_token"):
            continue
        blocks = _kinds(
            Blocks(_of(paths, (i for i in paths if i % 2 == 1)), "all", first=None),
            Blocks(_of(paths, (i for i in paths if i % 2 == 0)), first=None),
            Blocks(encoder, first="cls"),
        )
        found.append((prefix, Family("pi3", blocks, tree.patch_conv(f"{prefix}encoder."))))
    return found


_UNSEEN = (
    "may belong to pictures in another order, which is chosen where it cannot be seen",
    'Give ref_view_strategy="first" to the model, and the blocks by patterns=.',
)


def _da3(tree: _Tree) -> _Found:
    """Depth Anything 3: one list; from `alt_start` on odd blocks see all frames, even ones one."""
    found, alone = [], []
    for prefix, paths in tree.attention("blocks").items():
        start = getattr(tree.at(prefix), "alt_start", None)
        if not isinstance(start, int):
            continue
        if start < 0:
            alone.append(prefix.rstrip("."))
            continue
        mixing = [i for i in paths if i >= start]
        # Pictures are put in order before block start - 1: what precedes it must be seen.
        reorders = None
        if start > 1:
            reorders = (paths[start - 2].rpartition(".")[0], paths[start - 1].rpartition(".")[0])
        unseen = {} if reorders else dict.fromkeys(paths, _UNSEEN)
        blocks = _kinds(
            Blocks(_of(paths, (i for i in mixing if i % 2 == 1)), "all", refused=unseen),
            Blocks(_of(paths, (i for i in mixing if i % 2 == 0)), refused=unseen),
            Blocks(_of(paths, paths.keys() - set(mixing)), first="cls", refused=unseen),
        )
        found.append((prefix, Family("da3", blocks, tree.patch_conv(prefix), reorders)))
    if alone and not found:
        raise Error(
            "looks at each picture alone (alt_start is -1), as the Mono and Metric models of Depth "
            "Anything 3 do",
            alone[0],
            "There is no attention between pictures to record: take another of its models.",
        )
    return found


def _mapanything(tree: _Tree) -> _Found:
    """MapAnything: even blocks see all frames and the scale token, odd ones a frame."""
    found = []
    for prefix, paths in tree.attention("self_attention_blocks").items():
        classes = " ".join(each.__name__ for each in type(tree.at(prefix)).__mro__)
        if "InfoSharing" not in classes:
            continue
        crossing = [i for i in paths if i % 2 == 0 or "GlobalAttention" in classes]
        whole = prefix.removesuffix("info_sharing.")  # what holds the encoder, too
        blocks = _kinds(
            Blocks(_of(paths, crossing), "all", first="cls", place="last", scene=("scale",)),
            Blocks(_of(paths, paths.keys() - set(crossing)), first="cls", place="last"),
            Blocks(tree.attention(r"encoder\.model\.blocks").get(whole, {}), first="cls"),
        )
        conv = tree.patch_conv(f"{whole}encoder.model.")
        found.append((prefix, Family("mapanything", blocks, conv)))
    return found
