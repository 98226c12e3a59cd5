# SPDX-License-Identifier: Apache-2.0
"""The values of a layer: taken, brought to the CPU, checked and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vggt_attn.errors import Error

OF_KEYS = ("k", "v_norm", "wov_norm")  # a cache holds them of all earlier frames, too


class Copies:
    """Brings tensors to the CPU; from a GPU beside what it computes, over a stream of their own."""

    def __init__(self) -> None:
        """Has no streams yet."""
        self._streams: dict[Any, Any] = {}

    def start(self, tensors: dict[str, Tensor]) -> dict[str, Callable[[], Tensor]]:
        """Starts copying, and returns what waits for each copy."""
        return {name: self._one(x) for name, x in tensors.items()}

    def start_small(self, values: dict[str, Tensor]) -> Callable[[], dict[str, float]]:
        """The same of single numbers, all at once."""
        names, wait = list(values), self._one(torch.stack([x.float() for x in values.values()]))
        return lambda: dict(zip(names, wait().tolist(), strict=True))

    def _one(self, x: Tensor) -> Callable[[], Tensor]:
        if not x.is_cuda:
            here = x.detach().to("cpu").contiguous()
            return lambda: here
        stream = self._streams.get(x.device)
        if stream is None:
            stream = self._streams[x.device] = torch.cuda.Stream(x.device)
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            # Named, for the model's code may run under torch.device("cuda").
            copy = torch.empty(x.shape, dtype=x.dtype, device="cpu", pin_memory=True)
            copy.copy_(x, non_blocking=True)
            done = stream.record_event()
        x.record_stream(stream)

        def wait() -> Tensor:
            done.synchronize()
            return copy

        return wait


def joined(name: str, values: list[Tensor]) -> Tensor:
    """One tensor of frames that came one after another."""
    if len(values) == 1:
        return values[0]
    axis = 0 if name in ("x_norm", "x_unit_sum") else 1
    return torch.cat(values, dim=axis).contiguous()


def check(path: str, name: str, peak: float) -> None:
    """Refuses values whose largest is ``peak``, if they cannot be stored."""
    if peak == peak and peak <= 65504:  # noqa: PLR0124  # NaN is no number
        return
    if name.startswith("x_"):
        if peak == peak and peak != float("inf"):  # noqa: PLR0124
            return
        raise Error(
            "its block makes infinite or NaN values", path, "Is the checkpoint this model's?"
        )
    raise Error(
        f"{name} holds infinite or NaN values, or such as float16 cannot hold",
        path,
        "Is the checkpoint this model's?",
    )


def half(x: Tensor) -> Tensor:
    """A copy in float16."""
    return x.detach().to(torch.float16, copy=True).contiguous()


def value_norms(module: Any, v: Tensor) -> dict[str, Tensor]:
    """|v| and |W v| of each head and token, where W are the head's columns of proj."""
    v = v.float()
    norms = {"v_norm": half(v.norm(dim=-1))}
    proj = getattr(module, "proj", None)
    weight: Any = getattr(proj, "weight", None)
    if (
        isinstance(proj, torch.nn.Linear)
        and type(weight) in (Tensor, torch.nn.Parameter)  # a DTensor lies in many processes
        and weight.is_floating_point()
        and weight.dim() == 2  # FSDP's are flat
        and weight.device == v.device  # others are offloaded
        and weight.shape[1] == v.shape[0] * v.shape[2]
    ):
        columns = weight.float().unflatten(1, (len(v), -1)).transpose(0, 1)
        grams = columns.transpose(1, 2) @ columns
        norms["wov_norm"] = half(((v @ grams) * v).sum(-1).clamp(min=0).sqrt())
    return norms
