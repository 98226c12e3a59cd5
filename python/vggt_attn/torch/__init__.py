# SPDX-License-Identifier: Apache-2.0
"""What is recorded from PyTorch models."""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        "recording needs PyTorch, which cannot be imported. Install it: pip install torch"
    ) from error

from vggt_attn.torch.record import Recording as Recording
from vggt_attn.torch.record import record as record
from vggt_attn.torch.record import vggt_transforms as vggt_transforms

__all__ = ["Recording", "record", "vggt_transforms"]
