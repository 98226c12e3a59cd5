# SPDX-License-Identifier: Apache-2.0
"""Sees what attention is computed from, whoever calls the functions that compute it.

A `TorchFunctionMode` is told of every call of a PyTorch function in the thread that entered it,
also of functions that a model imported by name, and of nothing in other threads. It sees the fused
``scaled_dot_product_attention`` and attention that is written out as a product, a softmax and
another product. Nothing is patched, so that nothing can stay patched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from vggt_attn.errors import Error

# Logits below minus this, and far below all products, are masked: masks add -1e9 or less.
_MASKED = 1e4
_SAMPLED = 8  # rows of logits that are compared


@contextlib.contextmanager
def exactly(device: Any) -> Iterator[None]:
    """Around what is computed for a recording.

    There are no gradients then, no autocast, which would round it, and no watching.
    """
    try:
        plain: Any = torch.autocast(device.type, enabled=False)
    except RuntimeError:  # there is none for this device
        plain = contextlib.nullcontext()
    with torch._C.DisableTorchFunction(), torch.no_grad(), plain:
        yield


def is_closed(module: Any) -> bool:
    """Whether it is nn.MultiheadAttention: one function of PyTorch's, nothing of which is seen."""
    whole = torch.nn.MultiheadAttention
    return isinstance(module, whole) and type(module).forward is whole.forward


@dataclass
class Attended:
    """What one call of attention received.

    Attributes:
        q, k, v: [sequences, heads, tokens, channels]; k and v may have more tokens than q. Of the
            type in which they were multiplied: autocast rounds what it is given.
        given: q and k as they were given.
        scale: of the logits.
        mask: given to the fused function; None if there was none.
        allowed: (rows, [rows, keys] bool) of the logits that were not masked, where attention is
            written out and something was; else None.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    given: tuple[Tensor, Tensor]
    scale: float
    mask: Tensor | None = None
    allowed: tuple[Tensor, Tensor] | None = None


class Call:
    """One call of an attention module, while it runs."""

    def __init__(self, path: str, heads: int | None) -> None:
        """``path`` of the module, and how many heads it has, where it says so."""
        self.path, self.heads = path, heads
        self.attended: list[Attended] = []
        # Tokens, positions and turned tokens of each call of the module's rope.
        self.rotations: list[tuple[Tensor, Tensor | None, Tensor]] = []
        self.made: dict[str, Tensor] = {}  # what its layers qkv, q_norm and k_norm gave
        self._product: tuple[Tensor, Tensor, Any] | None = None  # q, kᵀ, shape of the logits
        self._softmax: tuple[Tensor, Tensor, Tensor, Any] | None = None  # q, kᵀ, logits, shape

    def see(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Takes note of a PyTorch function that was called."""
        if name in ("scaled_dot_product_attention", "_scaled_dot_product_attention"):
            self._fused(out, *args, **kwargs)
        elif name in ("matmul", "bmm", "__matmul__", "__rmatmul__"):
            a, b = (*args, *kwargs.values())[:2]
            if name == "__rmatmul__":
                a, b = b, a
            self._multiplied(a, b, out)
        elif name == "softmax" and self._product and isinstance(out, Tensor):
            q, k, shape = self._product
            logits = args[0] if args else kwargs["input"]
            dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
            if out.shape == shape and dim in (-1, out.dim() - 1):
                self._softmax = (q, k, logits, out.shape)

    def _heads(self, x: Tensor) -> Tensor:
        """[sequences, heads, tokens, channels] of that, or of [sequences · heads, tokens, …]."""
        if x.dim() == 4:
            return x
        if x.dim() == 3 and self.heads and x.shape[0] % self.heads == 0:
            return x.unflatten(0, (-1, self.heads))
        raise Error(
            f"attends with tensors of shape {list(x.shape)}, expected [sequences, heads, tokens, "
            "channels]",
            self.path,
            "Leave this layer out (layers=… or patterns=…).",
        )

    def _fused(
        self,
        out: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
        **_: Any,
    ) -> None:
        q, k, v = self._heads(query), self._heads(key), self._heads(value)
        cannot = "Leave this layer out (layers=… or patterns=…): an export cannot say this."
        if dropout_p > 0:
            raise Error("drops attention at random (dropout_p)", self.path, "Call model.eval().")
        if is_causal:
            raise Error("attends to earlier tokens only (is_causal)", self.path, cannot)
        if q.shape[1] != k.shape[1] or enable_gqa:
            raise Error(
                f"has {q.shape[1]} heads of queries and {k.shape[1]} of keys", self.path, cannot
            )
        scale = q.shape[-1] ** -0.5 if scale is None else float(scale)
        dtype = out.dtype if isinstance(out, Tensor) else q.dtype
        self.attended.append(
            Attended(q.to(dtype), k.to(dtype), v.to(dtype), (q, k), scale, attn_mask)
        )

    def _multiplied(self, a: Any, b: Any, out: Any) -> None:
        if not isinstance(a, Tensor) or not isinstance(b, Tensor) or a.dim() < 3 or b.dim() < 3:
            return
        if self._softmax and a.shape == self._softmax[3]:
            q, k, logits, _ = self._softmax
            self._product = self._softmax = None
            with exactly(q.device):
                self._written_out(
                    self._heads(q),
                    self._heads(k).transpose(-2, -1),
                    self._heads(logits),
                    self._heads(a),
                    self._heads(b),
                )
        else:
            # Autocast rounds what it multiplies.
            self._product = (a.to(out.dtype), b.to(out.dtype), out.shape)

    def _written_out(
        self, q: Tensor, k: Tensor, logits: Tensor, attended: Tensor, v: Tensor
    ) -> None:
        """Finds out what became of the products of q and k before the softmax, and after it.

        Masks are looked at in all rows, numbers in some; what is added to others shows in a
        weighted sum of each row.
        """
        rows = torch.linspace(0, q.shape[2] - 1, min(_SAMPLED, q.shape[2])).round().long()
        rows = rows.to(q.device)
        products = q[:, :, rows].float() @ k.float().transpose(-2, -1)
        if not bool(torch.isfinite(products).all()):
            raise Error(
                "queries and keys hold infinite or NaN values",
                self.path,
                "Is the checkpoint this model's?",
            )
        given = logits[:, :, rows].float()
        every = logits > -max(_MASKED, 100 * float(products.abs().max()))
        allowed = every[:, :, rows]
        products, kept = products * allowed, torch.where(allowed, given, given.new_zeros(()))
        # One factor a head: Σ p·l / Σ p².
        factor = (products * kept).sum((0, 2, 3)) / (products**2).sum((0, 2, 3)).clamp(min=1e-30)
        left = (products * factor[:, None, None] - kept).abs().max()
        coarse = min(torch.finfo(logits.dtype).bits, torch.finfo(q.dtype).bits) < 32
        changed = left > (4e-2 if coarse else 1e-3) * kept.abs().max().clamp(min=1e-6)
        whole = bool(every.all())
        if whole:
            weights = torch.linspace(-1, 1, k.shape[2], device=k.device)[:, None]
            weights = weights / weights.norm()
            expected = q.float() @ (k.float().transpose(-2, -1) @ weights) * factor[:, None, None]
            sums = (logits @ weights.to(logits.dtype)).float()
            # A sum of weights of length 1 is off by no more than one row's differences together.
            limit = (4e-2 if coarse else 1e-3) * kept.norm(dim=-1).max().clamp(min=1e-6)
            changed = changed | ((sums - expected).abs().max() > limit)
        if changed:
            raise Error(
                "adds something to the products of queries and keys, or changes them in a way that "
                "an export cannot say",
                self.path,
                "Leave this layer out (layers=… or patterns=…).",
            )
        scale, usual = float(factor.mean()), q.shape[-1] ** -0.5
        if abs(scale - 1) < 1e-3:  # the scale went into the queries
            q, scale, factor = q / usual, usual, factor * usual
        elif abs(scale - usual) < (3e-3 if coarse else 1e-5) * usual:
            scale = usual
        if (factor - scale).abs().max() > 1e-3 * abs(scale):  # a temperature for each head
            q = q * (factor / scale).to(q.dtype)[:, None, None]
        shares = given.softmax(-1)
        difference = (attended[:, :, rows].float() - shares).abs().max()
        coarse = coarse or torch.finfo(attended.dtype).bits < 32
        if difference > (1e-2 if coarse else 1e-4) * shares.max():
            raise Error(
                "changes attention after its softmax (dropout, or a product of its own)",
                self.path,
                "Call model.eval(), or leave this layer out (layers=… or patterns=…).",
            )
        one = every.flatten(0, 1)
        if not (one == one[0]).all():
            raise Error("masks other keys in some heads or sequences than in others", self.path)
        every_row = torch.arange(q.shape[2], device=q.device)
        allowed = None if whole else (every_row, one[0])
        self.attended.append(Attended(q, k, v, (q, k), scale, None, allowed))


class Watcher(TorchFunctionMode):  # type: ignore[misc]
    """While entered, tells the current call of the functions that it calls."""

    def __init__(self) -> None:
        """There is no call yet."""
        super().__init__()
        self.call: Call | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if self.call is not None:
            self.call.see(getattr(func, "__name__", ""), args, kwargs, out)
        return out
