#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures kernels and whole exports beside the machine's matrix-product rate. Called by run.sh."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile

import against_torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ["vggt-attn", "kernels_bench", "artifact_bench", "heads_bench", "matmul_rate"]
CHECKS = ["ops_tests", "backend_cpu_tests", "formats_tests", "capture_tests"]
# The tests that must pass before anything is timed: they compare with the reference.
CHECKED = "^ops/|^formats/Deflate|^backend/cpu/|^capture/.*GoldenExport"
STAGES = ["load_weights", "pictures", "encoder", "frame_blocks", "global_blocks", "capture"]


def run(command, **options):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.stdout.write(done.stdout)
        sys.exit(f"run.sh: failed: {' '.join(str(c) for c in command)}")
    return done.stdout


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
    except OSError:
        return platform.processor()
    flags = set(fields.get("flags", "").split())
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    # Virtual machines hide the names of processors; family and model tell their generations.
    numbers = f"family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"
    return f"{fields.get('model name', 'unknown')}, {numbers} ({', '.join(sets)})"


class Measurements:
    """Everything that is measured, as it will be in the JSON."""

    def __init__(self, build, seconds, under):
        self.build, self.seconds, self.under, self.file = build, seconds, under, None
        self.kernels, self.exports = [], []
        self.torch = None  # {about, kernels, exports}: against_torch.py
        self.parts = False
        self.rates = []

    def beside_rates(self, command):
        """The JSON that a command prints, and the matmul rates right before and right after it."""
        rate = shlex.join([str(self.build / "bench/matmul_rate"), "4650", str(self.seconds)])
        command = shlex.join(str(c) for c in command)
        script = f"{rate} && echo + && {command} 2>/dev/null && echo + && {rate}"
        out = run([*self.under, "sh", "-c", script]).split("\n+\n")
        before, result, after = (json.loads(part) for part in out)
        self.rates += [before, after]
        mean = {
            kind: (before[kind]["all"] + after[kind]["all"]) / 2
            for kind in ("f32", "bf16")
            if before[kind]
        }
        return result, mean, [before, after]

    def kernel_rows(self, program):
        """Each benchmark with its share of its own limit, taken in the same run."""
        minimum = f"--benchmark_min_time={self.seconds}"
        command = [self.build / "bench" / program, minimum, "--benchmark_format=json"]
        out, rate, _ = self.beside_rates(command)
        copy = 0
        for row in out["benchmarks"]:
            if row.get("error_occurred"):
                continue
            entry = {"name": readable(row["name"]), "seconds": row["real_time"] * 1e-9}
            if "flops" in row:
                kind = "bf16" if "uint16_t" in row["name"] else "f32"
                entry |= {"flops": row["flops"], "limit": f"{kind} matmul"}
                entry["share"] = row["flops"] / rate[kind]
            elif "bytes_per_second" in row:
                copy = row["bytes_per_second"] if "Copy" in row["name"] else copy
                entry |= {"bytes": row["bytes_per_second"], "limit": "copying"}
                entry["share"] = row["bytes_per_second"] / copy if copy else None
            self.kernels.append(entry)

    def head_rows(self):
        """A dense head of VGGT-1B in each precision, beside the products that take turns with it."""
        lines = run([*self.under, self.build / "bench/heads_bench"]).splitlines()
        for head in map(json.loads, lines):
            rows, cols = head["patches"]
            self.kernels.append(
                {
                    "name": f"depth head {head['precision']}, {rows} × {cols} patches",
                    "seconds": head["seconds"],
                    "flops": head["gflop"] * 1e9 / head["seconds"],
                    "limit": "f32 matmul",
                    "share": head["ratio_to_f32_products"],
                }
            )

    def resume(self, file):
        """Takes what an earlier, interrupted or partial run has measured; keeps what comes there."""
        self.file = file
        if file and file.exists():
            earlier = json.loads(file.read_text())
            if earlier["processor"] != processor():
                sys.exit(f"run.sh: {file} was measured on another processor: {earlier['processor']}")
            self.kernels, self.exports = earlier["kernels"], earlier["exports"]
            self.parts = True
            self.rates = earlier["matmul"]
            self.torch = earlier.get("torch")

    def save(self):
        text = json.dumps(
            {
                "processor": processor(),
                "cores": os.cpu_count(),
                "date": datetime.date.today().isoformat(),
                "matmul": self.rates,
                "kernels": self.kernels,
                "exports": self.exports,
                "torch": self.torch,
            },
            indent=1,
        )
        if self.file:
            self.file.write_text(text + "\n")
        return text

    def export(self, label, arguments, best_of=1):
        if any(e["label"] == label for e in self.exports):
            return
        results = []
        for _ in range(best_of):
            results.append(self.export_once(label, arguments))
        self.exports.append(min(results, key=lambda r: r["seconds"]["total"]))
        self.save()
        print(f"  {label}: {self.exports[-1]['seconds']['total']:.1f} s, "
              f"efficiency {self.exports[-1]['efficiency']:.2f}", flush=True)

    def export_once(self, label, arguments):
        with tempfile.TemporaryDirectory(prefix="vggt-bench-") as folder:
            command = [self.build / "vggt-attn", "export", "--quiet", "--json", *arguments]
            result, rates, around = self.beside_rates(
                [*command, "--output_dir_prefix", f"{folder}/"]
            )
        kind = result["precision"]
        rate = rates[kind]
        computing = result["seconds"]["total"] - result["seconds"]["load_weights"]
        return {
            "label": label,
            "pictures": result["pictures"],
            "per_head": result["per_head"],
            "precision": kind,
            "seconds": result["seconds"],
            "flops": result["flops"],
            "matmul_rate": rate,
            "matmul_rate_before": around[0][kind]["all"],
            "matmul_rate_after": around[1][kind]["all"],
            "efficiency": result["flops"] / computing / rate,
            "peak_rss_bytes": result["peak_rss_bytes"],
            "bytes_written": result["bytes_written"],
        }


def readable(name):
    """BM_Linear<uint16_t>/in:1024/out:3072/epilogue:1/real_time -> linear bf16, in 1024, …"""
    name = name.replace("BM_", "").replace("/real_time", "").replace("<float>", " f32")
    name = name.replace("<uint16_t>", " bf16").replace("/epilogue:0", "")
    name = name.replace("<float, Attention>", " f32").replace("<uint16_t, AttentionBf16OnVectors>", " bf16")
    name = name.replace("<uint16_t, AttentionOnTiles>", " bf16, on tiles")
    name = name.replace("/epilogue:1", ", GELU").replace("/epilogue:2", ", added")
    return name.replace("/", ", ").replace(":", " ")


def pictures(folder, count):
    """`count` pictures: the bundled ones by turns, under names in order."""
    bundled = sorted((ROOT / "examples/demo/images").iterdir())
    folder.mkdir()
    for i in range(count):
        picture = bundled[i % len(bundled)]
        shutil.copy(picture, folder / f"{i:03}{picture.suffix}")
    return folder


def measure_torch(m, arguments, export):
    print("beside PyTorch …", flush=True)
    torch = against_torch.Torch(arguments.against_torch, m.under)

    def run_under(command, **options):
        return run([*m.under, *command], **options)

    kernels = against_torch.compare(run_under, m.build, torch, m.seconds, arguments.rounds)

    def seconds(dtype):
        if not any(k["dtype"] == dtype for k in kernels):
            return None
        with tempfile.TemporaryDirectory(prefix="vggt-bench-") as folder:
            result = json.loads(run_under(export + ["--precision", dtype, "--output_dir_prefix", f"{folder}/"],
                                          stderr=subprocess.DEVNULL))
        return result["seconds"]["total"] - result["seconds"]["load_weights"]

    exports = [] if arguments.kernels_only else against_torch.compare_exports(seconds, torch, arguments.rounds)
    m.torch = {"about": torch.about, "kernels": kernels, "exports": exports}
    m.save()


def measure(m, arguments, work):
    if not m.kernels:
        print("kernels …", flush=True)
        m.kernel_rows("kernels_bench")
        m.kernel_rows("artifact_bench")
        m.head_rows()
        m.save()
    if arguments.kernels_only:
        if arguments.against_torch and not m.torch:
            measure_torch(m, arguments, [])
        return
    print("writing synthetic weights …", flush=True)
    weights = arguments.weights or work / "weights.safetensors"
    if not arguments.weights:
        run([m.build / "vggt-attn", "synth-weights", "-o", weights], stderr=subprocess.DEVNULL)
    with open(weights, "rb") as file:  # brings the file into the page cache
        while file.read(1 << 24):
            pass
    print("exports …", flush=True)
    many = pictures(work / "pictures", max(50 if arguments.fifty else 20, 20))

    if arguments.against_torch and not m.torch:
        command = [m.build / "vggt-attn", "export", "--quiet", "--json", "--save_per_head", "--weights", weights]
        measure_torch(m, arguments, command + ["--image_dir", many, "--image_set_name", "bench", "--num_images", 5])

    def export(label, count, *more):
        m.export(
            label,
            ["--weights", weights, "--image_dir", many, "--image_set_name", "bench"]
            + ["--num_images", count, *more],
        )

    for count in arguments.pictures:
        export(f"VGGT-1B, S = {count}, averaged", count)
        export(f"VGGT-1B, S = {count}, per head", count, "--save_per_head")
    export("VGGT-1B, S = 5, per head, f32", 5, "--save_per_head", "--precision", "f32")
    if arguments.fifty:
        export("VGGT-1B, S = 50, averaged", 50)
    m.export(
        "bundled model, S = 5, per head",
        ["--image_set_name", "demo", "--num_images", 5, "--save_per_head"]
        + ["--image_dir", ROOT / "examples/demo/images"],
        best_of=3,
    )


def kernel_table(m):
    lines = ["| kernel | time | rate | limit | share |", "|---|---|---|---|---|"]
    for k in m.kernels:
        rate = f"{k['flops'] / 1e9:.0f} GFLOP/s" if "flops" in k else "—"
        rate = f"{k['bytes'] / 1e9:.1f} GB/s" if "bytes" in k else rate
        share = f"{k['share']:.2f}" if k.get("share") else "—"
        lines.append(
            f"| {k['name']} | {k['seconds'] * 1e3:.3g} ms | {rate} | {k.get('limit', '—')} | {share} |"
        )
    return lines


def export_table(m):
    titles = ["export", "total", *[s.replace("_", " ") for s in STAGES], "matmul", "efficiency"]
    lines = [f"| {' | '.join(titles + ['peak memory', 'written'])} |"]
    lines.append("|---" * (len(titles) + 2) + "|")
    for e in m.exports:
        cells = [e["label"], f"{e['seconds']['total']:.2f} s"]
        cells += [f"{e['seconds'][stage]:.2f}" for stage in STAGES]
        cells += [f"{e['matmul_rate'] / 1e9:.0f}", f"{e['efficiency']:.2f}"]
        cells += [f"{e['peak_rss_bytes'] / 1e9:.2f} GB", f"{e['bytes_written'] / 1e6:.0f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def growth(m):
    """Seconds of S = 20 over S = 5 beside the FLOPs' ratio, for averaged exports."""
    by_count = {
        e["pictures"]: e for e in m.exports if "1B" in e["label"] and not e["per_head"]
    }
    if not {5, 20} <= set(by_count):
        return []
    five, twenty = by_count[5], by_count[20]
    seconds = [e["seconds"]["total"] - e["seconds"]["load_weights"] for e in (five, twenty)]
    work = twenty["flops"] / five["flops"]
    # In units of the matmul rate, which drifts on shared machines.
    taken = seconds[1] / seconds[0] * twenty["matmul_rate"] / five["matmul_rate"]
    return ["", f"From 5 to 20 pictures the arithmetic grows {work:.2f} times, the time {taken:.2f} times."]


def document(m, command, checked):
    rates = [f"{kind} {sum(r[kind]['all'] for r in m.rates) / len(m.rates) / 1e9:.0f} GFLOP/s"
             for kind in ("f32", "bf16") if m.rates[0][kind]]
    lines = [
        "# Performance",
        "",
        "Written by `" + command + f"` on {datetime.date.today().isoformat()}{', in parts' if m.parts else ''}; "
        + "results were "
        + ("" if checked else "not ") + "compared with the reference before.",
        "",
        f"* Processor: {processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"* oneDNN's matrix products at the model's shapes (4650 rows; 1024 × 3072, 1024 × 1024, "
        f"1024 × 4096, 4096 × 1024): {', '.join(rates)}, the mean of {len(m.rates)} measurements",
        "",
        "## Whole exports",
        "",
        "518×350 pictures, synthetic weights of VGGT-1B's extents, file in the page cache. Stages in "
        "seconds; *capture* is computing, quantising, deflating and writing the maps. *matmul* is oneDNN's rate in "
        "GFLOP/s, the mean of a measurement right before and one right after the export; *efficiency* is "
        "FLOPs ÷ ((total − load weights) × matmul rate).",
        "",
        *export_table(m),
        *growth(m),
        "",
        "## Kernels",
        "",
        "Each alone, on all threads unless the name says otherwise, beside its limit: the rate of oneDNN's "
        "products for arithmetic, copying memory for the rest.",
        "",
        *kernel_table(m),
        "",
    ]
    if m.torch:
        lines += against_torch.section(m.torch["about"], m.torch["kernels"], m.torch["exports"])
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        prog="bench/run.sh",
        description="Compares results with the reference, measures, prints a table and JSON, and "
        "writes docs/performance.md. Takes about five minutes, 4 GB of a temporary folder and 6 GB of "
        "memory; nothing else should run meanwhile.",
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder [build]")
    parser.add_argument("--weights", type=pathlib.Path, help="VGGT-1B's, instead of synthetic ones")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs/performance.md")
    parser.add_argument(
        "--json", type=pathlib.Path, help="also write the JSON here; what it holds is not measured again"
    )
    parser.add_argument(
        "--pictures", type=int, nargs="+", default=[1, 5, 10, 20], help="how many [1 5 10 20]"
    )
    parser.add_argument("--seconds", type=float, default=0.25, help="for each kernel [0.25]")
    parser.add_argument("--fifty", action="store_true", help="also 50 pictures: ten minutes more")
    parser.add_argument("--kernels_only", action="store_true", help="no exports, no document")
    parser.add_argument(
        "--under", default="", help='run each measurement under this command, such as "taskset -c 0,1"'
    )
    parser.add_argument(
        "--against-torch", "--against_torch", nargs="?", const=sys.executable, metavar="PYTHON",
        help="also PyTorch's kernels and forward pass, by turns with ours; PYTHON is one that has PyTorch, "
        "such as that of a virtual environment [this one]",
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns with PyTorch [5]")
    parser.add_argument("--unchecked", action="store_true", help="skip the comparison")
    arguments = parser.parse_args()
    build = arguments.build
    if not (build / "CMakeCache.txt").exists():
        run(["cmake", "--preset", "release"], cwd=ROOT)
    targets = PROGRAMS + ([] if arguments.unchecked else CHECKS)
    run(["cmake", "--build", build, "--target", *targets], cwd=ROOT)
    if not arguments.unchecked:
        print("comparing with the reference …", flush=True)
        run(["ctest", "--test-dir", build, "-R", CHECKED, "--output-on-failure"])
    m = Measurements(build, arguments.seconds, shlex.split(arguments.under))
    m.resume(arguments.json)
    with tempfile.TemporaryDirectory(prefix="vggt-bench-") as work:
        measure(m, arguments, pathlib.Path(work))
    m.exports.sort(key=lambda e: ("bundled" in e["label"], e["precision"], e["per_head"], e["pictures"]))
    print(m.save())
    print("\n".join(kernel_table(m) + [""] + (export_table(m) if m.exports else [])))
    if m.exports:
        command = shlex.join(["bench/run.sh", "--pictures", *map(str, arguments.pictures)])
        command += " --fifty" if arguments.fifty else ""
        checked = not arguments.unchecked
        arguments.output.write_text(document(m, command, checked))


if __name__ == "__main__":
    main()
