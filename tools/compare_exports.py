#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two classic exports layer by layer, for instance the Python toolkit's and vggt-attn's.

Exit code 0: equal within the limits; 1: not; 2: one of them cannot be read. Needs numpy.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from classic_export import read_layers

# What the maps mean: has to be the same in both.
MEANING = ["S", "H_p", "W_p", "stride_h", "stride_w", "H_ds", "W_ds", "normalized_by",
           "per_head_data", "num_heads"]


def relative_difference(a, b):
    """The largest of |a - b| / |a| over two scales, or two lists of scales."""
    a, b = np.atleast_1d(a).astype(float), np.atleast_1d(b).astype(float)
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(a), 1e-30)))


def compare_layers(a, b, limits):
    """(line of the table, list of faults)."""
    unlike = [f"{k} is {a.metadata.get(k)} and {b.metadata.get(k)}" for k in MEANING
              if a.metadata.get(k) != b.metadata.get(k)]
    if unlike:
        return "not comparable", unlike
    maps_a, maps_b = a.maps(), b.maps()
    if maps_a.shape != maps_b.shape:
        return "not comparable", [f"shapes {maps_a.shape} and {maps_b.shape}"]
    level = np.abs(maps_a.astype(np.int16) - maps_b)
    scales = [k for k in ("layer_vmax99", "per_head_vmax99") if k in a.metadata]
    vmax = float(np.max([relative_difference(a.metadata[k], b.metadata[k]) for k in scales]))
    most, share = int(level.max()), float((level > 0).mean())
    faults = []
    for what, value, limit in (("level difference", most, limits.max_level),
                               ("share of differing entries", share, limits.max_share),
                               ("relative difference of vmax", vmax, limits.vmax_rel)):
        if not value <= limit:  # so that NaN is a fault too
            faults.append(f"{what} {value:.3g}, at most {limit:g} allowed")
    return f"{most:9d}  {share:15.6f}  {vmax:18.1e}", faults


def print_key_differences(layers_a, layers_b):
    """Metadata keys that only one of the exports has: said, but not counted as a fault."""
    keys = [set().union(*(x.metadata for x in layers.values())) for layers in (layers_a, layers_b)]
    for name, only in (("A", keys[0] - keys[1]), ("B", keys[1] - keys[0])):
        if only:
            print(f"metadata keys only in {name}: {', '.join(sorted(only))}")


def compare(layers_a, layers_b, limits):
    """Prints the comparison; returns whether the exports are equal within the limits."""
    failed = False
    print("layer      max level  share differing  max vmax rel. diff")
    for name in sorted(layers_a.keys() | layers_b.keys()):
        if name not in layers_a or name not in layers_b:
            line, faults = "", [f"only in {'A' if name in layers_a else 'B'}"]
        else:
            line, faults = compare_layers(layers_a[name], layers_b[name], limits)
        print(f"{name:9s}  {line}".rstrip())
        for fault in faults:
            print(f"    {fault}")
        failed |= bool(faults)
    print_key_differences(layers_a, layers_b)
    print("DIFFERENT" if failed else "equal within the limits")
    return not failed


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", metavar="A", type=Path, help="an export's folder")
    parser.add_argument("b", metavar="B", type=Path)
    parser.add_argument("--max-level", type=int, default=1,
                        help="largest difference of two uint8 entries (default: 1)")
    parser.add_argument("--max-share", type=float, default=0.001,
                        help="share of a layer's entries that may differ (default: 0.001)")
    parser.add_argument("--vmax-rel", type=float, default=1e-4,
                        help="relative difference of layer and head scales (default: 1e-4)")
    args = parser.parse_args(argv)
    try:
        return 0 if compare(read_layers(args.a), read_layers(args.b), args) else 1
    except (OSError, ValueError, KeyError) as error:
        print(f"compare_exports.py: {error!r}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
