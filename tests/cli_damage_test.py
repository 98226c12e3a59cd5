#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to exports when processes are killed and files change: cli_damage_test.py PROGRAM.

Nothing may be lost, nothing left behind, and nothing half stand under its name.
"""

import io
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest
import urllib.error

import numpy as np

from cli_case import PROGRAM, Case, load
from cli_view_test import Viewer

EXPORT = ["export", "--image_dir", "pictures", "--output_dir_prefix", "", "--image_size", "56"]


def start(case, *arguments):
    return subprocess.Popen([PROGRAM, *EXPORT, *arguments], cwd=case.dir, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def hidden(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


class Killed(Case):
    def kill_after(self, seconds, *arguments):
        process = start(self, *arguments)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def kill_while_staging(self, name="out"):
        """Kills an export that has begun to write."""
        before = set(hidden(self.dir))
        process = start(self, "--image_set_name", name, "--save_qk")
        while process.poll() is None and not any(
                list(self.dir.glob(f"{folder}/new")) for folder in set(hidden(self.dir)) - before):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def test_the_next_export_tidies_up(self):
        for _ in range(3):  # each tidies up after the one before
            self.kill_while_staging()
        self.assertEqual(len(hidden(self.dir)), 1)
        self.assertRegex(hidden(self.dir)[0], r"\.out\.partial-")
        said = self.succeed(*EXPORT, "--image_set_name", "other").stderr
        self.assertRegex(said, r"removed what killed commands had left: \S*\.out\.partial-")
        self.assertEqual(hidden(self.dir), [])
        self.assertNotIn("removed", self.succeed(*EXPORT, "--image_set_name", "third").stderr)

    def test_reading_commands_tidy_up(self):
        folder = self.export("--save_qk")
        for command in (["inspect", folder], ["inspect", self.dir / "out"],
                        ["query", folder, "--row", 1, "--col", 1]):
            self.kill_while_staging("other")
            self.assertIn("removed what killed commands had left",
                          self.succeed(*command).stderr)
            self.assertEqual(hidden(self.dir), [])
        for path in (".", "out"):
            self.kill_while_staging("other")
            with Viewer(self.dir, path):
                self.assertEqual(hidden(self.dir), [])

    def test_running_exports_are_left_alone(self):
        process = start(self, "--image_set_name", "out", "--save_per_head", "--save_qk")
        while process.poll() is None and not list(self.dir.glob(".*/new")):
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        self.addCleanup(process.kill)
        names = hidden(self.dir)
        self.assertEqual(len(names), 1)
        self.assertNotIn("removed", self.succeed(*EXPORT, "--image_set_name", "other").stderr)
        self.assertEqual(hidden(self.dir), names)
        process.send_signal(signal.SIGCONT)
        self.assertEqual((process.communicate(timeout=60), process.returncode)[1], 0)
        load(self.dir / "out", 3)

    def test_overwriting_leaves_old_or_new(self):
        chance = random.Random(1)
        folder = self.export("--num_images", 2)
        begin = time.monotonic()
        self.succeed(*EXPORT, "--image_set_name", "timed")
        whole = time.monotonic() - begin
        for _ in range(25):
            self.kill_after(chance.uniform(0, whole), "--image_set_name", "out", "--overwrite",
                            "--num_images", str(chance.choice([1, 2, 3])))
            for layer in (1, 2, 3):
                metadata, _ = load(folder, layer)
                self.assertEqual(metadata["S"], load(folder, 1)[0]["S"])
                for path in metadata["image_paths"]:
                    self.assertTrue((folder / "attn_maps" / path).exists())
        self.succeed(*EXPORT, "--image_set_name", "out", "--overwrite")
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["out", "pictures", "timed"])


class Races(Case):
    def test_what_appears_meanwhile_is_not_replaced(self):
        process = start(self, "--image_set_name", "out")
        while process.poll() is None and not list(self.dir.glob(".*/new")):
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        self.write("out/precious.txt", "precious")
        process.send_signal(signal.SIGCONT)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 1)
        self.assertIn("out: was created meanwhile. It was not touched.", said)
        self.assertIn("out-2", said)
        self.assertEqual([p.name for p in (self.dir / "out").iterdir()], ["precious.txt"])
        load(self.dir / "out-2", 3)
        self.assertEqual(hidden(self.dir), [])

    def test_two_exports_of_one_name(self):
        for overwrite in ([], ["--overwrite"]):
            processes = [start(self, "--image_set_name", "out", *overwrite) for _ in range(3)]
            said = [process.communicate(timeout=120)[1] for process in processes]
            done = [process.returncode for process in processes].count(0)
            self.assertEqual(done, 3 if overwrite else 1, said)
            load(self.dir / "out", 3)
            self.assertEqual(hidden(self.dir), [])


class ChangedFiles(Case):
    """A store whose files change under a server that is asked all the time."""

    def setUp(self):
        super().setUp()
        self.folder = self.export("--save_qk")
        self.file = self.folder / "qk" / "global_02.safetensors"
        self.whole = self.file.read_bytes()
        self.viewer = Viewer(self.dir, "out")
        self.addCleanup(self.viewer.__exit__)
        self.right = {layer: self.ask(layer) for layer in (1, 2, 3)}
        self.stop = threading.Event()
        self.wrong = []
        self.asked = 0
        self.threads = [threading.Thread(target=self.keep_asking, args=(i,)) for i in range(4)]
        for thread in self.threads:
            thread.start()

    def tearDown(self):
        self.end_load()
        super().tearDown()

    def end_load(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def ask(self, layers, incoming=0):
        path = (f"api/maps.npy?layers={layers}&heads=all&definition=model&frame=1&row=1&col=2"
                f"&incoming={incoming}")
        return np.load(io.BytesIO(self.viewer.get(path)))

    def refusal(self, layers=2):
        path = f"api/maps.npy?layers={layers}&heads=all&definition=model&frame=1&row=1&col=2"
        return self.viewer.refused(path)

    def keep_asking(self, i):
        """Layers 1 and 3 are always right; what is asked of layer 2 may fail, but in words."""
        while not self.stop.is_set():
            try:
                for layer in (1, 3):
                    if not np.array_equal(self.ask(layer), self.right[layer]):
                        self.wrong.append(f"layer {layer} is wrong")
            except (urllib.error.URLError, OSError) as error:
                self.wrong.append(repr(error))
            try:
                self.ask("all" if i % 2 else 2, incoming=i // 2)
            except urllib.error.HTTPError as error:
                if error.code not in (404, 422):
                    self.wrong.append(f"status {error.code}")
            except OSError as error:
                self.wrong.append(repr(error))
            self.asked += 1

    def check_refused(self, status, *parts):
        for layers in (2, "all"):
            found, error = self.refusal(layers)
            self.assertEqual(found, status, error)
            for part in ("global_02.safetensors", *parts):
                self.assertIn(part, error["where"] + ": " + error["what"])

    def check_right(self):
        np.testing.assert_array_equal(self.ask(2), self.right[2])

    def test_every_change(self):
        for size in (0, 5, 100, len(self.whole) // 2, len(self.whole) - 1):
            os.truncate(self.file, size)
            self.check_refused(422)
            with open(self.file, "r+b") as file:  # in place, as cp does it
                file.write(self.whole)
            self.check_right()
        with open(self.file, "ab") as file:
            file.write(b"more")
        self.check_refused(422)
        os.truncate(self.file, len(self.whole))
        self.check_right()
        self.file.unlink()
        self.check_refused(404)
        self.file.write_bytes(self.whole)
        self.check_right()
        other = self.folder / "qk" / "global_01.safetensors"
        shutil.copy(other, self.dir / "new")
        os.replace(self.dir / "new", self.file)
        np.testing.assert_array_equal(self.ask(2), self.right[1])
        self.file.unlink()
        self.file.mkdir()
        self.check_refused(422, "is a folder")
        self.file.rmdir()
        self.file.write_bytes(self.whole)
        self.check_right()
        self.end_load()
        self.assertEqual(self.wrong, [])
        self.assertGreater(self.asked, 4)
        self.assertIsNone(self.viewer.process.poll())

    def test_at_any_moment(self):
        chance = random.Random(2)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            os.truncate(self.file, chance.randrange(len(self.whole)))
            time.sleep(chance.uniform(0, 0.01))
            with open(self.file, "r+b") as file:
                file.write(self.whole)
            time.sleep(chance.uniform(0, 0.01))
        self.end_load()
        self.assertEqual(self.wrong, [])
        self.check_right()
        np.testing.assert_allclose(self.ask(2, incoming=1).shape, self.right[2].shape)

    def test_the_command_line_says_so(self):
        self.end_load()
        os.truncate(self.file, 1000)
        self.refuse(1, ["query", "out", "--layer", 2, "--row", 1, "--col", 2],
                    "global_02.safetensors")


if __name__ == "__main__":
    unittest.main()
