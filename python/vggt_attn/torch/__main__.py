# SPDX-License-Identifier: Apache-2.0
"""``python -m vggt_attn.torch`` records VGGT."""

import sys

from vggt_attn.torch.vggt_command import main

sys.exit(main())
