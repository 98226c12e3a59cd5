# SPDX-License-Identifier: Apache-2.0
"""Tiny models that attend as the families do, each with its exact attention.

A twin is a PyTorch model of a few small blocks with the names, the places of tokens, the positions,
masks and calls of the family it stands for. Beside it, the same pass is written a second time in
NumPy and float64, from the same weights: what the rows of attention really are. No recording is
needed for that, so that recordings can be held against it.
"""
