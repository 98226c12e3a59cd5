# SPDX-License-Identifier: Apache-2.0
"""What is recorded from PyTorch models."""

from vggt_attn.torch.record import Recording as Recording
from vggt_attn.torch.record import record as record
from vggt_attn.torch.record import vggt_transforms as vggt_transforms

__all__ = ["Recording", "record", "vggt_transforms"]
