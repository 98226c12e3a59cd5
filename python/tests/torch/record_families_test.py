# SPDX-License-Identifier: Apache-2.0
"""Families are recognised by the names of their modules, however they are wrapped."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from twins import da3, fastvggt, mapanything, omega, pi3, streamvggt, vggt

from vggt_attn.errors import Error
from vggt_attn.torch import families

TWINS = {
    "vggt": vggt.make,
    "fastvggt": fastvggt.make,
    "streamvggt": streamvggt.make,
    "pi3": pi3.make,
    "da3": da3.make,
    "omega": omega.make,
    "mapanything": mapanything.make,
}


@pytest.mark.parametrize("name", TWINS)
def test_a_family_is_recognised_with_its_blocks(name: str) -> None:
    twin = TWINS[name]()
    family = families.recognise(twin.model)
    assert family is not None
    assert family.name == name
    modules = dict(twin.model.named_modules())
    assert family.blocks.keys() == twin.exact.keys()
    for kind, blocks in family.blocks.items():
        assert sorted(set(blocks.paths) - blocks.patchless) == sorted(twin.exact[kind])
        assert all(hasattr(modules[path], "qkv") for path in blocks.paths.values())
        assert blocks.special_tokens(len(twin.special[kind])) == twin.special[kind]
        assert list(blocks.scene) == twin.scene.get(kind, [])
        assert not blocks.refused
    assert isinstance(modules[family.patch_conv or ""], nn.Conv2d)


def test_wrappers_do_not_hide_a_family() -> None:
    model = vggt.make().model
    nested = nn.Module()
    nested.inner = nn.DataParallel(model)
    family = families.recognise(nested)
    assert family is not None
    assert family.blocks["global"].paths[1] == "inner.module.aggregator.global_blocks.1.attn"
    if not hasattr(torch, "compile"):  # before 2.0
        return
    for block in range(vggt.DEPTH):
        wrapped = model.aggregator.global_blocks[block]
        model.aggregator.global_blocks[block] = torch.compile(wrapped)
    family = families.recognise(torch.compile(model))
    assert family is not None
    assert family.blocks["global"].paths[1] == (
        "_orig_mod.aggregator.global_blocks.1._orig_mod.attn"
    )
    assert family.patch_conv == "_orig_mod.aggregator.patch_embed.patch_embed.proj"


def test_a_patch_embedding_may_be_a_layer_alone() -> None:
    model = vggt.make().model
    model.aggregator.patch_embed = model.aggregator.patch_embed.patch_embed
    family = families.recognise(model)
    assert family is not None
    assert family.patch_conv == "aggregator.patch_embed.proj"
    assert "encoder" not in family.blocks


def test_other_models_are_not_recognised() -> None:
    assert families.recognise(nn.Linear(2, 2)) is None
    assert families.recognise(nn.TransformerEncoderLayer(8, 2)) is None
    encoder = vggt.make().model.aggregator.patch_embed
    assert families.recognise(encoder) is None


def test_two_models_in_one_are_refused() -> None:
    both = nn.Module()
    both.teacher, both.student = vggt.make().model, pi3.make().model
    with pytest.raises(Error, match=r"holds 2 models \(teacher.aggregator, student\)"):
        families.recognise(both)


def test_models_without_attention_between_pictures_are_refused() -> None:
    model = da3.make().model
    model.backbone.pretrained.alt_start = -1
    with pytest.raises(Error, match="each picture alone"):
        families.recognise(model)
    nested = nn.Module()  # one that does and one that does not, as in the nested models
    nested.da3, nested.da3_metric = da3.make().model, model
    family = families.recognise(nested)
    assert family is not None
    assert family.blocks["global"].paths[3] == "da3.backbone.pretrained.blocks.3.attn"


def test_blocks_that_merge_are_refused() -> None:
    family = families.recognise(fastvggt.make(merging=1).model)
    assert family is not None
    assert sorted(family.blocks["global"].refused) == [1]


def test_register_blocks_are_known() -> None:
    family = families.recognise(omega.make().model)
    assert family is not None
    assert family.blocks["global"].patchless == {1}


def test_an_order_that_cannot_be_seen_is_refused() -> None:
    model = da3.make().model
    model.backbone.pretrained.alt_start = 1
    family = families.recognise(model)
    assert family is not None
    assert family.reorders is None
    assert all(blocks.refused.keys() >= blocks.paths.keys() for blocks in family.blocks.values())


def test_order_of_frames_is_read_off_their_tokens() -> None:
    before = torch.rand(4, 5, 3)
    assert families.frame_order(before, before, 4) == [0, 1, 2, 3]
    assert families.frame_order(before, before[[2, 0, 1, 3]], 4) == [2, 0, 1, 3]
    assert families.frame_order(before, before.reshape(1, 20, 3).clone(), 4) is None
    assert families.frame_order(before, before + 1, 4) is None
    before[1] = before[0]
    assert families.frame_order(before, before[[1, 0, 3, 2]], 4) == [0, 1, 3, 2]


def test_the_order_that_a_model_chooses_is_seen() -> None:
    twin = da3.make(4, reference=2)
    family = families.recognise(twin.model)
    assert family is not None
    assert family.reorders is not None
    earlier, later = map(twin.model.get_submodule, family.reorders)
    seen = []
    earlier.register_forward_hook(lambda _, inputs, output: seen.append(output))
    later.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        twin.run()
    assert families.frame_order(*seen, 4) == twin.order == [2, 0, 1, 3]
