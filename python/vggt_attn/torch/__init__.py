# SPDX-License-Identifier: Apache-2.0
"""What is recorded from PyTorch models."""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    import sys

    text = "recording needs PyTorch, which cannot be imported. Install it: pip install torch"
    if sys.argv[:1] == ["-m"]:  # python -m vggt_attn.torch, which is still being found
        sys.exit(f"vggt_attn.torch: {text}")
    raise ImportError(text) from error

from vggt_attn.torch.recording import Recording as Recording
from vggt_attn.torch.recording import record as record
from vggt_attn.torch.recording import vggt_transforms as vggt_transforms

__all__ = ["Recording", "record", "vggt_transforms"]
