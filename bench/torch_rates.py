#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's rates at the shapes of kernels_bench.cc. Runs in a Python that has PyTorch; called by run.py.

Reads lines of JSON on stdin, {"kernel": "linear", "dtype": "bf16", "tokens": 4650, "in": 1024, "out": 3072} or
{"kernel": "attention", "dtype": "f32", "batch": 1, "tokens": 4650, "heads": 16}, each with "seconds" to measure for,
and answers each with a line: {"seconds": the median of one call, "flops": its rate}. {"kernel": "aggregator", "dtype": …,
"pictures": 5, "rows": 25, "cols": 37} runs blocks of VGGT-1B's extents once: encoder, frame and global, nothing else. The first line it writes says
what measures: {"torch": "2.9.0", "onednn": "3.8.1", "threads": 2}.
"""

import json
import re
import statistics
import sys
import time

import torch

DIM, HEAD_DIM, DEPTH, SPECIALS = 1024, 64, 24, 5


def linear(ask, dtype):
    layer = torch.nn.Linear(ask["in"], ask["out"]).to(dtype)
    x = torch.rand(ask["tokens"], ask["in"]).to(dtype) * 2 - 1
    return lambda: layer(x), 2.0 * ask["tokens"] * ask["in"] * ask["out"]


def attention(ask, dtype):
    batch, tokens, heads = ask["batch"], ask["tokens"], ask["heads"]
    # As VGGT calls it: [batch, heads, tokens, head size], taken out of one tensor of q, k and v.
    qkv = torch.rand(batch, tokens, 3, heads, HEAD_DIM).to(dtype) * 2 - 1
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    flops = 4.0 * batch * heads * tokens * tokens * HEAD_DIM
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v), flops


class Block(torch.nn.Module):
    """A transformer block of VGGT-1B's extents; `rotary`: with q/k-norm and RoPE, as outside the encoder."""

    def __init__(self, rotary):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(DIM), torch.nn.LayerNorm(DIM)
        self.qkv, self.proj = torch.nn.Linear(DIM, 3 * DIM), torch.nn.Linear(DIM, DIM)
        self.fc1, self.fc2 = torch.nn.Linear(DIM, 4 * DIM), torch.nn.Linear(4 * DIM, DIM)
        self.scale1 = torch.nn.Parameter(torch.full((DIM,), 0.01))
        self.scale2 = torch.nn.Parameter(torch.full((DIM,), 0.01))
        if rotary:
            self.q_norm, self.k_norm = torch.nn.LayerNorm(HEAD_DIM), torch.nn.LayerNorm(HEAD_DIM)
        self.rotary = rotary

    def forward(self, x, turn):
        batch, tokens, _ = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, DIM // HEAD_DIM, HEAD_DIM)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.rotary:
            q, k = (rotate(norm(each), *turn) for norm, each in ((self.q_norm, q), (self.k_norm, k)))
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.scale1 * self.proj(mixed.transpose(1, 2).reshape(batch, tokens, DIM))
        return x + self.scale2 * self.fc2(torch.nn.functional.gelu(self.fc1(self.norm2(x))))


def rotate(x, cos, sin):
    """RoPE of rows in the first half of the channels, of columns in the second."""
    first, second, third, fourth = x.chunk(4, dim=-1)
    turned = torch.cat((-second, first, -fourth, third), dim=-1)
    return (x * cos + turned * sin).to(x.dtype)


def turns(rows, cols):
    """cos and sin [tokens, HEAD_DIM] of one picture's tokens, special ones first, at position 0."""
    frequency = 100.0 ** -(torch.arange(0, HEAD_DIM // 2, 2) / (HEAD_DIM // 2))
    row, col = torch.meshgrid(torch.arange(rows) + 1, torch.arange(cols) + 1, indexing="ij")
    halves = [torch.cat((torch.zeros(SPECIALS), axis.flatten())).outer(frequency) for axis in (row, col)]
    angles = torch.cat([half.repeat(1, 2) for half in halves], dim=-1)
    return angles.cos(), angles.sin()


def aggregator(ask, dtype):
    pictures, tokens = ask["pictures"], SPECIALS + ask["rows"] * ask["cols"]
    encoder = torch.nn.ModuleList(Block(False) for _ in range(DEPTH))
    frames = torch.nn.ModuleList(Block(True) for _ in range(DEPTH))
    globals_ = torch.nn.ModuleList(Block(True) for _ in range(DEPTH))
    turn = turns(ask["rows"], ask["cols"])
    turn_all = tuple(each.repeat(pictures, 1) for each in turn)
    x = torch.rand(pictures, tokens, DIM)

    def call():
        # As people run it: float32 weights, and autocast for bfloat16.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = x
            for block in encoder:
                y = block(y, turn)
            for frame, whole in zip(frames, globals_):
                y = frame(y, turn)
                y = whole(y.reshape(1, pictures * tokens, DIM), turn_all).reshape(pictures, tokens, DIM)
        return y

    linears = 3 * DEPTH * 24.0 * pictures * tokens * DIM * DIM
    attentions = DEPTH * 4.0 * DIM * pictures * tokens * tokens * (2 + pictures)
    return call, linears + attentions


def measure(ask):
    dtype = torch.bfloat16 if ask["dtype"] == "bf16" else torch.float32
    make = {"linear": linear, "attention": attention, "aggregator": aggregator}[ask["kernel"]]
    times = []
    with torch.inference_mode():
        call, flops = make(ask, dtype)
        if ask["kernel"] != "aggregator":
            call()
        end = time.perf_counter() + ask["seconds"]
        while not times or time.perf_counter() < end:
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    seconds = statistics.median(times)
    return {"seconds": seconds, "flops": flops / seconds}


def say(answer):
    print(json.dumps(answer), flush=True)


def main():
    torch.manual_seed(1)
    onednn = re.search(r"(?:oneDNN|MKL-DNN) v([0-9.]+)", torch.__config__.show())
    say({
        "torch": torch.__version__,
        "onednn": onednn.group(1) if onednn else None,
        "threads": torch.get_num_threads(),
    })
    for line in sys.stdin:
        say(measure(json.loads(line)))


if __name__ == "__main__":
    main()
