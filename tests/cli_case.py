# SPDX-License-Identifier: Apache-2.0
"""What tests that drive the program share. Scripts that import it are run as SCRIPT PROGRAM."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

import numpy as np

# Shells ignore interrupts for what they run in the background, and programs inherit that.
for number in (signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)

PROGRAM = Path(sys.argv.pop(1)).resolve()
ROOT = Path(__file__).resolve().parent.parent
DEMO = sorted((ROOT / "examples" / "demo" / "images").iterdir())
GOLDEN = ROOT / "tests" / "golden"
MINI = ROOT / "models" / "vggt-mini.safetensors"

NUMBERS = {"num_images": 1, "first_image_idx": 0, "stride_h": 1, "stride_w": 1, "threads": 1}
TEXTS = ["image_set_name", "image_dir", "image_extension", "output_dir_prefix", "weights", "layers",
         "precision", "capture", "sort", "weights_key", "family", "picture_rule"]
SWITCHES = ["save_per_head", "save_qk", "no_compress", "overwrite", "quiet", "json",
            "exif_transpose"]


def png(pixels, orientation=None):
    """An RGB picture of uint8 [height, width, 3] as a PNG file, with an EXIF orientation or none."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
              (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    if orientation:
        tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
        chunks.insert(1, (b"eXIf", b"MM\0*" + struct.pack(">IH", 8, 1) + tag + bytes(4)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks)


def turned(pixels, orientation):
    """As an EXIF orientation says."""
    turn = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
            7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: np.rot90}
    return np.ascontiguousarray(turn[orientation](pixels))


def noise(width=70, height=56, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def safetensors(tensors):
    """A file of {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def read_safetensors(path):
    file = path.read_bytes()
    size = struct.unpack("<Q", file[:8])[0]
    header, data = json.loads(file[8:8 + size]), file[8 + size:]
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]])
            for name, t in header.items()}


def processor_seconds(pid):
    """What a process has computed so far, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Case(unittest.TestCase):
    """A folder of its own with pictures/ and tiny weights, in which the program runs."""

    @classmethod
    def setUpClass(cls):
        shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(shared.cleanup)
        cls.tiny = Path(shared.name) / "tiny.safetensors"
        subprocess.run([PROGRAM, "synth-weights", "--preset", "tiny-conv", "-o", cls.tiny],
                       check=True, capture_output=True)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        (self.dir / "pictures").mkdir()
        for i in range(4):
            (self.dir / "pictures" / f"{i}.png").write_bytes(png(noise(seed=i)))

    def write(self, name, data):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def tree(self):
        return sorted(str(path.relative_to(self.dir)) for path in self.dir.rglob("*"))

    def run_program(self, *arguments, **options):
        options = {"capture_output": True, "text": True, "timeout": 120} | options
        return subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.dir, **options)

    def succeed(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def export(self, *arguments, out="out"):
        """Exports with tiny weights to the folder `out`."""
        self.succeed("export", "--image_dir", "pictures", "--weights", self.tiny,
                     "--image_size", 56, "--output_dir_prefix", "", "--image_set_name", out,
                     *arguments)
        return self.dir / out

    def big_store(self, frames, height=26, width=35, layers=24, heads=16):
        """A store of VGGT-1B's shape whose layers share one sparse file of zeros."""
        store = self.dir / "big" / "qk"
        store.mkdir(parents=True)
        tokens = frames * (5 + height * width)
        special = ["camera", "register_1", "register_2", "register_3", "register_4"]
        (self.dir / "big" / "images").mkdir()
        for i in range(frames):
            self.write(f"big/images/frame_{i:02}.png", png(noise(70, 52, seed=i)))
        size = heads * tokens * 64 * 2
        header = json.dumps({name: {"dtype": "F16", "shape": [heads, tokens, 64],
                                    "data_offsets": [i * size, (i + 1) * size]}
                             for i, name in enumerate("qk")}).encode()
        header += b" " * (-len(header) % 8)
        with open(store / "global_01.safetensors", "wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + 2 * size)
        for layer in range(2, layers + 1):
            (store / f"global_{layer:02}.safetensors").hardlink_to(
                store / "global_01.safetensors")
        self.write("big/qk/attention.json", json.dumps({
            "format": "vggt-attn-qk", "format_version": 1, "image_set_name": "big",
            "frames": frames, "grid": {"H_p": height, "W_p": width},
            "image_paths": [f"../images/frame_{i:02}.png" for i in range(frames)],
            "blocks": {"global": {
                "heads": heads, "head_dim": 64, "special_tokens": special, "attends": "all",
                "rope": {"type": "2d", "base": 100, "first_patch": 1},
                "layers": [{"index": i, "name": f"layer_{i + 1:02}",
                            "file": f"global_{i + 1:02}.safetensors"}
                           for i in range(layers)]}}}))
        return self.dir / "big"

    def assert_refused(self, status, done, *parts):
        self.assertEqual(done.returncode, status, done)
        if done.stdout is not None:
            self.assertEqual(done.stdout, "")
        lines = done.stderr.splitlines()
        self.assertTrue(lines[-1].startswith("vggt-attn: "), done.stderr)
        self.assertEqual(done.stderr.count("vggt-attn: "), 1, done.stderr)
        self.assertNotIn("\x1b", done.stderr)
        for part in parts:
            self.assertIn(str(part), lines[-1])

    def refuse(self, status, arguments, *parts, **options):
        """One line on stderr that holds all `parts`, and nothing has changed on disk."""
        before = self.tree()
        with self.subTest(arguments=[str(a) for a in arguments]):
            self.assert_refused(status, self.run_program(*arguments, **options), *parts)
            self.assertEqual(self.tree(), before)

    def refuse_export(self, status, arguments, *parts, **options):
        """The same of an export to a folder that does not exist, below others that do not."""
        given = ["--image_dir", "pictures", "--weights", self.tiny, "--image_size", 56,
                 "--output_dir_prefix", "new/deep/"]
        self.refuse(status, ["export", *given, *arguments], *parts, **options)


def load(folder, layer):
    """Metadata and maps of a layer, found through the manifest."""
    maps = folder / "attn_maps"
    manifest = json.loads((maps / "layers_manifest.json").read_text())
    entry = next(e for e in manifest["layers"] if e["name"] == f"layer_{layer:02}")
    metadata = json.loads((maps / entry["metadata_path"]).read_text())
    with np.load(maps / metadata["npz_path"]) as arrays:
        assert arrays.files == ["heatmaps"]
        return metadata, arrays["heatmaps"]
