# SPDX-License-Identifier: Apache-2.0
"""Our kernels and exports by turns with PyTorch's, in one run. Called by run.py."""

import json
import pathlib
import statistics
import subprocess
import sys

TOKENS = 4650
SHAPES = [
    *({"kernel": "linear", "tokens": TOKENS, "in": i, "out": o} for i, o in ((1024, 3072), (1024, 1024), (4096, 1024))),
    *({"kernel": "attention", "batch": b, "tokens": t, "heads": h} for b, t, h in ((5, 930, 16), (1, 4650, 16), (1, 46500, 2))),
]


class Torch:
    """PyTorch in a process of its own: two OpenMP runtimes in one would measure each other."""

    def __init__(self, python, under=()):
        script = pathlib.Path(__file__).with_name("torch_rates.py")
        self.process = subprocess.Popen([*under, python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"run.sh: {self.process.args[-2]} cannot measure PyTorch; what it said stands above")
        return json.loads(line)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.answer()


def filter_of(shape, dtype):
    """The benchmarks of kernels_bench.cc for this shape."""
    kind = "float" if dtype == "f32" else "uint16_t"
    if shape["kernel"] == "linear":
        added = 0 if shape["out"] == 3072 else 2
        return f"^BM_Linear<{kind}>/in:{shape['in']}/out:{shape['out']}/epilogue:{added}/"
    # In bfloat16 on AMX's tiles or on vectors; an export takes tiles where there are some.
    return f"^BM_Attention<{kind}, .*>/batch:{shape['batch']}/tokens:{shape['tokens']}/heads:{shape['heads']}/"


def title(shape):
    if shape["kernel"] == "linear":
        return f"Linear, {shape['tokens']} rows, {shape['in']} to {shape['out']}"
    return f"Attention, {shape['batch']} × {shape['tokens']} tokens, {shape['heads']} heads"


def compare(run, build, torch, seconds, rounds):
    """Rates in FLOP/s, the medians over the rounds, and the median of the ratios of neighbours."""
    rows = []
    for dtype in ("f32", "bf16"):
        for shape in SHAPES:
            ours, theirs = [], []
            for _ in range(rounds):
                out = run([build / "bench/kernels_bench", f"--benchmark_filter={filter_of(shape, dtype)}",
                           f"--benchmark_min_time={seconds}", "--benchmark_format=json"])
                found = [b for b in json.loads(out)["benchmarks"] if not b.get("error_occurred")]
                if not found:
                    break
                ours.append(max(b["flops"] for b in found))
                theirs.append(torch.ask(**shape, dtype=dtype, seconds=seconds)["flops"])
            if ours:
                rows.append({"name": title(shape), "dtype": dtype, "ours": statistics.median(ours),
                             "torch": statistics.median(theirs),
                             "ratio": statistics.median(a / b for a, b in zip(ours, theirs))})
                print(f"  {rows[-1]['name']}, {dtype}: {rows[-1]['ratio']:.2f} times PyTorch's rate", flush=True)
    return rows


def compare_exports(export, torch, rounds):
    """Exports of five pictures, per head, after loading the weights, beside PyTorch's aggregator alone."""
    rows = []
    for dtype in ("f32", "bf16"):
        ours, theirs = [], []
        for _ in range(rounds):
            seconds = export(dtype)
            if seconds is None:
                break
            ours.append(seconds)
            theirs.append(torch.ask(kernel="aggregator", dtype=dtype, pictures=5, rows=25, cols=37, seconds=0)["seconds"])
        if ours:
            rows.append({"dtype": dtype, "ours": statistics.median(ours), "torch": statistics.median(theirs),
                         "ratio": statistics.median(a / b for a, b in zip(ours, theirs))})
            print(f"  export, {dtype}: {rows[-1]['ratio']:.2f} times PyTorch's time", flush=True)
    return rows


def section(about, kernels, exports):
    """The section of the performance document."""
    version = f"PyTorch {about['torch']}" + (f" (oneDNN {about['onednn']})" if about["onednn"] else "")
    lines = [
        "## Beside PyTorch",
        "",
        f"{version}, {about['threads']} threads, by turns with ours in one run; medians. *ratio*: of our rate to "
        "PyTorch's, the median over neighbouring measurements. PyTorch's attention is `scaled_dot_product_attention`.",
        "",
        "| kernel | numbers | ours, GFLOP/s | PyTorch, GFLOP/s | ratio |",
        "|---|---|---|---|---|",
        *(f"| {k['name']} | {k['dtype']} | {k['ours'] / 1e9:.0f} | {k['torch'] / 1e9:.0f} | {k['ratio']:.2f} |"
          for k in kernels),
        "",
    ]
    if exports:
        lines += [
            "An export of five pictures per head (reading pictures, forward pass, capturing, quantising, writing; weights "
            "loaded before) beside a forward pass of PyTorch through blocks of the same extents, which captures nothing "
            "(bf16: autocast).",
            "",
            "| numbers | our export, s | PyTorch's blocks, s | ratio of times |",
            "|---|---|---|---|",
            *(f"| {e['dtype']} | {e['ours']:.2f} | {e['torch']:.2f} | {e['ratio']:.2f} |" for e in exports),
            "",
        ]
    return lines
