#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes pictures from videos: cli_video_test.py PROGRAM MAKE_VIDEO."""

import json
import shutil
import subprocess
import sys
import unittest
import zlib
from pathlib import Path

import numpy as np

MAKE_VIDEO = Path(sys.argv.pop(2)).resolve()

from cli_case import Case, load  # noqa: E402, it takes its argument off

STEADY = [40 * i for i in range(50)]  # 2 s
BITS = 10


def read_png(path):
    """uint8 [height, width, 3] of an RGB picture that is not interlaced."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        chunk = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height = (int.from_bytes(chunk[i:i + 4], "big") for i in (0, 4))
            assert chunk[8:] == b"\x08\x02\0\0\0"
        elif kind == b"IDAT":
            packed += chunk
        at += size + 12
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    out = np.zeros((height + 1, 3 * width + 3), int)  # with a row above and a pixel to the left
    for y in range(height):
        above = out[y]
        for x in range(3 * width):
            a, b, c = out[y + 1, x], above[x + 3], above[x]
            nearest = min((a, b, c), key=lambda value: abs(a + b - c - value))
            guess = (0, a, b, (a + b) // 2, nearest)[rows[y, 0]]
            out[y + 1, x + 3] = (rows[y, x + 1] + guess) % 256
    return out[1:, 3:].reshape(height, width, 3).astype(np.uint8)


def number_in(path):
    """Which frame of its video this is."""
    picture = read_png(path)
    height, width, _ = picture.shape
    bright = picture[height // 2, [(2 * i + 1) * width // (2 * BITS) for i in range(BITS)], 1] > 127
    return sum(1 << i for i in range(BITS) if bright[i])


class VideoCase(Case):
    def setUp(self):
        super().setUp()
        self.video("clip.mp4", STEADY)

    def video(self, name, times):
        subprocess.run([MAKE_VIDEO, self.dir / name, *map(str, times)], check=True)
        return self.dir / name

    def export_video(self, *arguments, out="out"):
        done = self.succeed("export", "--weights", self.tiny, "--image_size", 56,
                            "--output_dir_prefix", "", "--image_set_name", out, *arguments)
        metadata, _ = load(self.dir / out, 1)
        names = [Path(name).name for name in metadata["image_paths"]]
        images = self.dir / out / "images"
        self.assertEqual(sorted(p.name for p in images.iterdir()), names)
        self.assertEqual(names, [f"frame_{i:02}.png" for i in range(len(names))])
        self.assertEqual({s["file"] for s in metadata["sources"]}, {self.source})
        return ([number_in(images / name) for name in names],
                [s["time"] for s in metadata["sources"]], done)

    source = "clip.mp4"


class Export(VideoCase):
    def test_evenly(self):
        numbers, times, done = self.export_video("--video", "clip.mp4", "--num_images", 4)
        self.assertEqual(numbers, [0, 12, 25, 37])
        self.assertEqual(times, [0, 0.48, 1.0, 1.48])
        self.assertIn("\npictures: 4 frames of clip.mp4 (0.00 to 1.48 s of 2.00 s)\n", done.stdout)

    def test_five_unless_told(self):
        self.assertEqual(self.export_video("--video", "clip.mp4")[0], [0, 10, 20, 30, 40])

    def test_rate(self):
        self.assertEqual(self.export_video("--video", "clip.mp4", "--fps", "5/2")[0],
                         [0, 10, 20, 30, 40])
        numbers, times, done = self.export_video("--video", "clip.mp4", "--fps", 12.5,
                                                 "--num_images", 3, out="few")
        self.assertEqual((numbers, times), ([0, 2, 4], [0, 0.08, 0.16]))
        self.assertIn("taking the first 3 of the 25 frames that --fps chooses", done.stderr)

    def test_every(self):
        numbers, times, _ = self.export_video("--video", "clip.mp4", "--every", 20)
        self.assertEqual((numbers, times), ([0, 20, 40], [0, 0.8, 1.6]))

    def test_the_query_frame_comes_first(self):
        numbers, times, _ = self.export_video("--video", "clip.mp4", "--every", 20,
                                              "--first_image_idx", 1)
        self.assertEqual((numbers, times), ([20, 0, 40], [0.8, 0, 1.6]))

    def test_variable_rate(self):
        self.source = "v.mkv"
        self.video("v.mkv", [0, 10, 20, 30, 1000, 2000, 3000])
        self.assertEqual(self.export_video("--video", "v.mkv", "--num_images", 4)[:2],
                         ([0, 4, 5, 6], [0, 1, 2, 3]))

    def test_fewer_than_asked_for(self):
        self.source = "v.mp4"
        self.video("v.mp4", [0, 40])
        numbers, _, done = self.export_video("--video", "v.mp4")
        self.assertEqual(numbers, [0, 1])
        self.assertIn("the video holds 2 frames, fewer than the 5 asked for: taking all",
                      done.stderr)

    def test_the_same_as_image_dir(self):
        one = self.export_video("--video", "clip.mp4", "--num_images", 3, out="a")
        other = self.export_video("--image_dir", "clip.mp4", "--num_images", 3, out="b")
        self.assertEqual(one[:2], other[:2])
        np.testing.assert_array_equal(load(self.dir / "a", 2)[1], load(self.dir / "b", 2)[1])

    # Frames as pictures give what the video gives.
    def test_the_same_as_its_frames(self):
        self.export_video("--video", "clip.mp4", "--num_images", 3, out="a")
        self.succeed("export", "--weights", self.tiny, "--image_size", 56, "--image_dir",
                     "a/images", "--output_dir_prefix", "", "--image_set_name", "b")
        (a, maps_a), (b, maps_b) = load(self.dir / "a", 2), load(self.dir / "b", 2)
        np.testing.assert_array_equal(maps_a, maps_b)
        self.assertEqual(a["transforms"], b["transforms"])

    def test_what_is_said(self):
        done = self.succeed("export", "--weights", self.tiny, "--image_size", 56, "--video",
                            "clip.mp4", "--num_images", 2, "--output_dir_prefix", "",
                            "--image_set_name", "out", "--save_qk", "--json", "--quiet")
        self.assertEqual(json.loads(done.stdout)["video"],
                         "2 frames of clip.mp4 (0.00 to 1.00 s of 2.00 s)")
        self.assertEqual(done.stderr, "")
        store = json.loads((self.dir / "out" / "qk" / "attention.json").read_text())
        self.assertEqual(store["sources"], [{"file": "clip.mp4", "time": 0.0},
                                            {"file": "clip.mp4", "time": 1.0}])
        self.assertIn("from clip.mp4 at 1.00 s", self.succeed("inspect", "out").stdout)

    def test_a_cut_file(self):
        self.source = "v.mkv"
        path = self.video("v.mkv", STEADY)
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
        numbers, times, done = self.export_video("--video", "v.mkv", "--every", 1)
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertGreater(len(numbers), 10)
        self.assertLess(len(numbers), 40)
        self.assertIn("the video ends early: at ", done.stderr)

    def test_the_query_frame_may_be_lost(self):
        path = self.video("lost.mp4", STEADY)
        data = bytearray(path.read_bytes())
        begin = data.index(b"mdat") + 4
        middle = begin + (len(data) - begin) * 2 // 5
        data[middle:middle + (len(data) - begin) // 10] = b"\x5a" * ((len(data) - begin) // 10)
        path.write_bytes(data)
        self.source = "lost.mp4"
        numbers, _, done = self.export_video("--video", path, "--every", 1, "--first_image_idx", 49,
                                             "--save_qk")
        self.assertIn("cannot be decoded and are left out", done.stderr)
        self.assertLess(len(numbers), 50)
        store = json.loads((self.dir / "out/qk/attention.json").read_text())
        self.assertEqual(store["order"][0], len(numbers) - 1)
        self.assertEqual(sorted(store["order"]), list(range(len(numbers))))
        self.succeed("query", "out", "--row", 0, "--col", 0)


class Refusals(VideoCase):
    def refuse_video(self, status, arguments, *parts):
        self.refuse(status, ["export", "--weights", self.tiny, "--image_size", 56,
                             "--output_dir_prefix", "new/", *arguments], *parts)

    def test_flags(self):
        self.refuse_video(2, ["--video", "clip.mp4", "--image_dir", "pictures"],
                          "--video: pictures are taken from a folder or from a video")
        self.refuse_video(2, ["--image_dir", "pictures", "--fps", 1], "--fps: only a video")
        self.refuse_video(2, ["--image_dir", "pictures", "--every", 1], "--every: only a video")
        self.refuse_video(2, ["--video", "clip.mp4", "--fps", 1, "--every", 2], "--every", "--fps")
        self.refuse_video(2, ["--video", "clip.mp4", "--fps", 0], "--fps: '0' is no number above 0")
        self.refuse_video(2, ["--video", "clip.mp4", "--every", 0], "--every: '0' is no whole")
        self.refuse_video(2, ["--video", "clip.mp4", "--image_extension", "png"],
                          "--image_extension: frames of a video have no extension")
        self.refuse_video(1, ["--video", "clip.mp4", "--first_image_idx", 5],
                          "there is no picture 5 among the 5 selected")

    def test_files(self):
        self.write("text.mp4", "no video")
        self.write("empty.mp4", "")
        self.refuse_video(1, ["--video", "text.mp4"], "text.mp4: cannot be opened as a video")
        self.refuse_video(1, ["--image_dir", "text.mp4"], "text.mp4: cannot be opened as a video")
        self.refuse_video(1, ["--video", "empty.mp4"], "empty.mp4: is empty")
        self.refuse_video(1, ["--video", "none.mp4"], "none.mp4: cannot open the video")
        self.refuse_video(1, ["--image_dir", "none.mp4"], "none.mp4: cannot open the video")
        self.refuse_video(1, ["--video", "pictures"], "pictures: is not a regular file")
        self.refuse_video(1, ["--video", "pictures/0.png"], "cannot be opened as a video")
        path = self.dir / "clip.mp4"
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
        self.refuse_video(1, ["--video", "clip.mp4"], "clip.mp4: cannot be opened as a video",
                          "whose end is missing")

    def test_too_many(self):
        self.video("long.mkv", range(1001))
        self.refuse_video(1, ["--video", "long.mkv", "--every", 1],
                          "1001 of its 1001 frames would be taken, more than 1000. Give a larger "
                          "--every, or --num_images")

    def test_an_export_that_holds_the_video_is_not_replaced(self):
        self.export()
        shutil.move(self.dir / "clip.mp4", self.dir / "out" / "clip.mp4")
        self.refuse(1, ["export", "--weights", self.tiny, "--image_size", 56, "--video",
                        "out/clip.mp4", "--output_dir_prefix", "", "--image_set_name", "out",
                        "--overwrite"], "out: holds the pictures that are read")


class Preprocess(VideoCase):
    def test_writes_what_the_model_sees(self):
        for video in (["--video", "clip.mp4"], ["clip.mp4"]):
            done = self.succeed("preprocess", *video, "--every", 25, "-o", "seen", "--image_size",
                                56, "--overwrite")
            names = ["000_clip_0.00s.png", "001_clip_1.00s.png"]
            self.assertEqual(sorted(p.name for p in (self.dir / "seen").iterdir()), names)
            self.assertEqual([number_in(self.dir / "seen" / name) for name in names], [0, 25])
            self.assertEqual(done.stdout.splitlines()[1],
                             "clip.mp4 at 1.00 s: 80×48 -> 56×28, 4×2 patches -> "
                             "seen/001_clip_1.00s.png")
            self.assertIn("2 frames of clip.mp4 (0.00 to 1.00 s of 2.00 s)", done.stderr)

    def test_the_rule_of_another_family(self):
        done = self.succeed("preprocess", "clip.mp4", "--num_images", 6, "-o", "seen",
                            "--picture_rule", "pi3", "--image_size", 56)
        self.assertEqual(done.stdout.count("80×48 -> 70×42, 5×3 patches"), 6)

    def test_wrong_usage(self):
        for arguments, part in (
                ([], "there is nothing to read"),
                (["pictures", "--fps", 1], "--fps: only a video"),
                (["pictures", "--num_images", 3], "--num_images: all pictures that are named"),
                (["pictures", "--video", "clip.mp4"], "not from both"),
                (["--video", "clip.mp4", "--fps", "x"], "--fps: 'x' is no number")):
            self.refuse(2, ["preprocess", *arguments, "-o", "new"], part)

    def test_existing_files_stay(self):
        self.write("seen/000_clip_0.00s.png", "mine")
        self.refuse(1, ["preprocess", "--video", "clip.mp4", "-o", "seen", "--image_size", 56],
                    "seen/000_clip_0.00s.png: exists already")


if __name__ == "__main__":
    unittest.main()
