# SPDX-License-Identifier: Apache-2.0
"""PyTorch computes what the specifications of VGGT's relatives say, and recordings hold it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import golden_models
import make_families_golden as golden
import numpy as np
import pytest
import read_store
import torch
from torch import nn

import vggt_attn.torch
from vggt_attn.torch import families

FOLDER = Path(__file__).parents[3] / "tests/golden/families"
CASES = [case for case in golden.CASES if "mono" not in case]  # nothing to record: one picture each


class Case:
    def __init__(self, name: str) -> None:
        family, _, _ = name.partition("/")
        model, self.frames, rows, columns, _ = golden.CASES[name]
        self.trace = dict(np.load(FOLDER / name / "trace.npz"))
        self.patches = rows * columns
        self.model: nn.Module = golden_models.FAMILIES[family](**golden.MODELS[f"{family}/{model}"])
        weights = {k: torch.from_numpy(v.copy()) for k, v in golden.weights_of(name).items()}
        self.model.load_state_dict(weights)
        self.images = torch.from_numpy(self.trace["frames_u8"]).permute(0, 3, 1, 2) / 255
        self.order = self.trace.get("order", np.arange(self.frames))

    def run(self) -> None:
        how = {"reference": int(self.order[0])} if "order" in self.trace else {}
        with torch.no_grad():
            self.model.eval()(self.images[None], **how)

    def rows(self, kind: str, number: int) -> np.ndarray:
        """[sequences, heads, tokens, tokens]."""
        q, k = (self.trace[f"{kind}_{number}_{which}"].astype(float) for which in "qk")
        sequences = 1 if kind == "global" else self.frames
        q, k = (x.reshape(len(x), sequences, -1, x.shape[2]).swapaxes(0, 1) for x in (q, k))
        logits = q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5
        if kind == "global" and isinstance(self.model, golden_models.StreamVggt):
            frame = np.arange(q.shape[2]) // (q.shape[2] // self.frames)
            logits = np.where(frame[:, None] >= frame, logits, -np.inf)
        rows = np.exp(logits - logits.max(-1, keepdims=True))
        return rows / rows.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", CASES)
def test_queries_and_keys_are_the_specifications(name: str) -> None:
    case = Case(name)
    family = families.recognise(case.model)
    assert family is not None
    seen: dict[str, torch.Tensor] = {}

    def attend(real: Any, block: str, q: torch.Tensor, k: torch.Tensor, *rest: Any) -> Any:
        seen[f"{block}_q"], seen[f"{block}_k"] = (torch.cat(list(x), 1) for x in (q, k))
        return real(q, k, *rest)

    modules = dict(case.model.named_modules())
    for kind, blocks in family.blocks.items():
        for number, path in blocks.paths.items():
            block = f"{'register' if number in blocks.patchless else kind}_{number}"
            modules[path].attend = partial(attend, modules[path].attend, block)
    case.run()
    assert seen.keys() == {each for each in case.trace if each.endswith(("_q", "_k"))}
    start = getattr(modules.get("model.backbone.pretrained"), "alt_start", 1)
    for each, value in seen.items():
        heads, _, width = value.shape
        mine, wanted = value.reshape(heads, case.frames, -1, width).numpy(), case.trace[each]
        if not each.startswith("encoder") or int(each.split("_")[1]) >= start - 1:
            mine = mine[:, np.argsort(case.order)]
        assert abs(mine.reshape(wanted.shape) - wanted).max() < 1e-5 * abs(wanted).max()


@pytest.mark.parametrize("name", CASES)
def test_recordings_have_the_specifications_rows(name: str, tmp_path: Path) -> None:
    case = Case(name)
    family = families.recognise(case.model)
    assert family is not None
    kinds = list(family.blocks)
    with vggt_attn.torch.record(
        case.model, tmp_path / "out", images=list(case.images), capture=kinds
    ):
        case.run()
    about, compared = read_store.description(tmp_path / "out"), set()
    for kind in kinds:
        for layer in about["blocks"][kind]["layers"]:
            number = layer["index"]
            wanted = case.rows(kind, number)
            assert wanted.shape[2] == (1 if kind != "global" else case.frames) * (
                len(about["blocks"][kind]["special_tokens"]) + case.patches
            )
            rows = read_store.attention(tmp_path / "out", kind, number)
            # A share of each row's peak, as float16 makes it of queries and keys.
            assert (abs(rows - wanted).max(-1) / wanted.max(-1)).max() < 6e-3
            compared.add(f"{kind}_{number}_q")
    expected = {each for each in case.trace if each.endswith("_q")}
    assert compared == {each for each in expected if not each.startswith("register")}
