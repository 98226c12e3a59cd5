# SPDX-License-Identifier: Apache-2.0
"""What is recorded from PyTorch models."""
