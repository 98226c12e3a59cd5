#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the viewer as its users do, and as they should not: cli_view_test.py PROGRAM.

What each address answers is tested beside the code; here it is the command, the process, and the
whole way from a file to a client.
"""

import http.client
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from cli_case import PROGRAM, Case, load, noise, png, processor_seconds

ADDRESS = re.compile(r"^  (http://\S+/)$", re.MULTILINE)
CELL = "row=1&col=2"


class Viewer:
    """The running program; `said` is what it has printed."""

    def __init__(self, folder, *arguments, **environment):
        self.process = subprocess.Popen(
            [PROGRAM, "view", "--server_port", "0", *map(str, arguments)], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment)
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Ctrl-C"):
                break
        found = ADDRESS.search(self.said)
        if not found:
            raise AssertionError(self.said + self.process.communicate(timeout=60)[1])
        self.url = found[1]
        self.port = int(re.search(r":(\d+)/$", self.url)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=60)

    def end(self, number=signal.SIGINT):
        """Exit status, what is said on stderr, and the seconds it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        error = self.process.communicate(timeout=60)[1]
        return self.process.returncode, error, time.monotonic() - begin

    def get(self, path, **headers):
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def json(self, path):
        return json.loads(self.get(path))

    def refused(self, path, **headers):
        """Status and error of an answer that is none."""
        try:
            self.get(path, **headers)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["error"]
        raise AssertionError(f"{path} was answered")

    def open(self, path):
        body = json.dumps({"path": str(path)}).encode()
        request = urllib.request.Request(self.url + "api/open", body,
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def threads(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"Threads:\s+(\d+)", status)[1])

    def processor_seconds(self):
        return processor_seconds(self.process.pid)

    def resident(self):
        """Bytes of memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1000


class View(Case):
    def view(self, *arguments, **environment):
        viewer = Viewer(self.dir, *arguments, **environment)
        self.addCleanup(viewer.__exit__)
        return viewer

    def test_behind_a_proxy(self):
        folder = self.export("--save_per_head")
        viewer = self.view(folder, "--base_url", "/user/me/proxy/7860/", "--allow_host",
                           "hub.example", "--allow_host", "lab")
        for host in ("hub.example", "lab:8888"):
            page = viewer.get("user/me/proxy/7860/", Host=host)
            self.assertIn(b"app.js", page)
        json.loads(viewer.get("user/me/proxy/7860/api/export", Host="lab",
                              Origin="https://hub.example"))
        self.assertEqual(viewer.refused("api/export", Host="evil.example")[0], 403)
        for flags, said in ((("--base_url", "proxy"), "'proxy' is no path such as /proxy/7860"),
                            (("--allow_host", "https://hub"), "is no name of a host")):
            self.assert_refused(2, self.run_program("view", folder, *flags), said)

    def test_two_lines_of_python(self):
        folder = self.export("--save_per_head")
        viewer = self.view(folder)
        url = f"http://127.0.0.1:{viewer.port}/api/maps.npy?export=.&layers=all&heads=all&{CELL}"
        # As docs/http-api.md shows it.
        answer = urllib.request.urlopen(url)
        self.assertEqual(answer.headers["X-Export"], ".")
        maps = np.load(io.BytesIO(answer.read()))

        info = viewer.json("api/export")
        metadata, stored = load(folder, 2)
        query = 1 * metadata["W_ds"] + 2
        self.assertEqual(maps.shape, (len(info["layers"]), info["heads"], *stored.shape[2:]))
        np.testing.assert_array_equal(maps[1], stored[query])
        scales = viewer.json(f"api/maps.json?layers=2&heads=all&{CELL}")["scales"]
        np.testing.assert_allclose(scales[0], metadata["per_head_vmax99"])

    def test_mean_of_heads_as_documented(self):
        metadata, stored = load(self.export("--save_per_head"), 3)
        viewer = self.view("out")
        vmax = np.array(metadata["per_head_vmax99"], np.float32)[:, None, None, None]
        mean = (stored[1 * metadata["W_ds"] + 2] / np.float32(255) * vmax).mean(0)
        scale = np.quantile(mean, 0.99) + 1e-8
        levels = np.trunc(np.clip(mean / scale, 0, 1) * 255 + 0.5)
        shown = np.load(io.BytesIO(viewer.get(f"api/maps.npy?layers=3&{CELL}")))[0, 0]
        self.assertLessEqual(np.abs(shown - levels).max(), 1)
        told = viewer.json(f"api/maps.json?layers=3&{CELL}")["scales"][0][0]
        self.assertAlmostEqual(told / scale, 1, 5)

    def test_numbers_are_what_query_writes(self):
        folder = self.export("--save_qk", "--precision", "f32", "--save_per_head")
        viewer = self.view(folder)
        for words, arguments in (
                ("queries=1.2&layer=2&head=1", ["--row", 1, "--col", 2, "--layer", 2, "--head", 1]),
                ("queries=1~0.0-1.2&view=heads&incoming=1",
                 ["--frame", 1, "--row", "0-1", "--col", "0-2", "--head", "all", "--incoming"]),
                ("queries=0.0@camera&view=layers&reduce=max&frames=1",
                 ["--token", "camera", "--layer", "all", "--head", "max", "--frames", 1])):
            for kind in ("npy", "csv"):
                written = self.dir / f"rows.{kind}"
                self.succeed("query", folder, *arguments, "--overwrite", "-o", written)
                answer = viewer.get(f"api/numbers.{kind}?export=.&definition=model&{words}")
                self.assertEqual(answer, written.read_bytes(), words)

    def test_numbers_of_stored_maps_are_probabilities(self):
        folder = self.export("--save_per_head")
        metadata, stored = load(folder, 2)
        url = self.view(folder).url + f"api/numbers.npy?export=.&queries=1.2&layer=2&view=heads"
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.headers["X-Export"], ".")
            self.assertRegex(answer.headers["Content-Disposition"],
                             r'^attachment; filename="\w+_layer2_heads_row1_col2\.npy"; filename\*=')
            numbers = np.load(io.BytesIO(answer.read()))
        vmax = np.array(metadata["per_head_vmax99"])[:, None, None, None]
        expected = stored[1 * metadata["W_ds"] + 2] / 255 * vmax
        np.testing.assert_allclose(numbers[0], expected, rtol=1e-6)

    def test_the_page_and_the_pictures(self):
        self.export()
        viewer = self.view("out")
        page = viewer.get("").decode()
        self.assertIn("<!doctype html>", page.lower())
        assets = re.findall(r'(?:src|href)="/?([\w./-]+)"', page)
        self.assertIn("app.js", assets)
        for asset in assets:
            self.assertTrue(viewer.get(asset), asset)
        frames = viewer.json("api/export")["frames"]
        for i, frame in enumerate(frames):
            picture = (self.dir / "out" / "images" / frame["name"]).read_bytes()
            self.assertEqual(viewer.get(frame["url"]), picture, i)
            self.assertEqual((frame["width"], frame["height"]), (70, 56))

    def test_each_kind_of_path(self):
        maps = self.export("--save_per_head") / "attn_maps"
        for path in ("out", "out/", maps, maps / "layers_manifest.json",
                     maps / "layer_02_metadata.json"):
            with self.view(path) as viewer:
                info = viewer.json("api/export")
                self.assertEqual(len(info["layers"]), 1 if "metadata" in str(path) else 3, path)
                # The pictures lie beside attn_maps/.
                self.assertTrue(viewer.get("api/frames/0"), path)

    def test_a_folder_of_exports_shows_the_newest(self):
        for i, name in enumerate(("a", "b", "c")):
            self.export(out=f"sets/{name}")
            when = 1_700_000_000 + (i != 1) * -1000 * i
            os.utime(self.dir / "sets" / name / "attn_maps", (when, when))
        os.utime(self.dir / "sets/b/attn_maps", (1_800_000_000, 1_800_000_000))
        viewer = self.view("sets")
        self.assertEqual(viewer.json("api/export")["id"], "b")
        self.assertEqual([e["id"] for e in viewer.json("api/exports")["exports"]], ["a", "b", "c"])
        self.assertEqual(viewer.open("c")["id"], "c")
        self.assertEqual(viewer.open(self.dir / "sets/a/attn_maps")["id"], "a")
        # What others open changes nothing for those who name no export.
        self.assertEqual(viewer.json("api/export")["id"], "b")
        self.assertEqual(viewer.json("api/export?export=a")["id"], "a")

    def test_without_a_path_the_current_folder(self):
        viewer = self.view()
        self.assertIn("No export yet", viewer.said)
        self.assertEqual(viewer.refused("api/export")[0], 404)
        self.export()
        self.assertEqual(viewer.open("out")["id"], "out")
        self.assertEqual(viewer.json("api/export")["id"], "out")
        self.assertEqual(self.view().json("api/export")["id"], "out")

    def test_says_who_can_reach_it(self):
        self.export()
        quiet = self.view("out")
        self.assertTrue(quiet.url.startswith("http://127.0.0.1:"))
        self.assertNotIn("password", quiet.said)
        loud = self.view("out", "--server_name", "0.0.0.0")
        self.assertIn("no password", loud.said)
        self.assertIn(str(self.dir / "out"), loud.said)
        loud.get("api/export", Host="192.168.1.2:7860")
        self.assertEqual(loud.refused("api/export", Host="evil.example")[0], 403)

    def test_only_the_root(self):
        self.export(out="in/a")
        self.export(out="outside")
        (self.dir / "in/link").symlink_to(self.dir / "outside")
        viewer = self.view("in/a", "--root", "in")
        self.assertEqual(viewer.json("api/export")["id"], "a")
        for path in ("../outside", self.dir / "outside", "link", "/etc/passwd", "/"):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                viewer.open(path)
            self.assertEqual(caught.exception.code, 403, path)
            caught.exception.close()
        self.assertEqual(viewer.refused("api/export", Host="evil.example")[0], 403)
        self.assertEqual(viewer.refused("api/export", Origin="http://evil.example")[0], 403)

    def test_ends_at_once(self):
        self.export("--save_per_head")
        cache = self.dir / "cache"
        cache.mkdir()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            viewer = self.view("out", TMPDIR=str(cache))
            open_connection = http.client.HTTPConnection("127.0.0.1", viewer.port)
            open_connection.request("GET", "/api/export")
            open_connection.getresponse().read()
            status, error, seconds = viewer.end(number)
            open_connection.close()
            self.assertEqual((status, error), (0, ""))
            self.assertLess(seconds, 20)  # keep-alive alone lasts longer
            self.assertEqual(list(cache.iterdir()), [])
        self.assertEqual([p.name for p in self.dir.iterdir() if p.name.startswith(".")], [])

    def test_a_browser_that_cannot_be_opened(self):
        self.export()
        viewer = self.view("out", "--open", PATH="/nonexistent")
        self.assertTrue(viewer.get("api/export"))
        self.assertIn("open the address yourself", viewer.process.stderr.readline())

    def test_a_browser_that_can(self):
        self.export()
        opener = self.write("bin/xdg-open",
                            '#!/bin/sh\necho "$1" > opened.tmp\nmv opened.tmp opened\n')
        opener.chmod(0o755)
        viewer = self.view("out", "--open", PATH=f"{opener.parent}:{os.environ['PATH']}")
        for _ in range(600):
            if (self.dir / "opened").exists():
                break
            time.sleep(0.05)
        self.assertEqual((self.dir / "opened").read_text().strip(), viewer.url)

    def test_an_artifact_that_breaks_meanwhile(self):
        folder = self.export("--save_per_head", "--no_compress")
        viewer = self.view("out")
        array = folder / "attn_maps/layer_02/heatmaps_uint8.npz"
        viewer.get(f"api/maps.npy?layers=2&{CELL}")
        os.truncate(array, 1000)
        status, error = viewer.refused(f"api/maps.npy?layers=2&{CELL}")
        self.assertEqual(status, 422)
        self.assertIn("layer_02", error["where"])
        (folder / "images/frame_01.png").unlink()
        self.assertEqual(viewer.refused("api/frames/1")[0], 404)
        self.assertTrue(viewer.get(f"api/maps.npy?layers=1&{CELL}"))
        shutil.rmtree(folder)
        self.assertEqual(viewer.refused("api/frames/0")[0], 404)
        self.assertTrue(viewer.get(""))


class Refusals(Case):
    def test_wrong_usage(self):
        for arguments, part in (
                (["--server_port", "x"], "no whole number from 0 to 65535"),
                (["--server_port", 70000], "no whole number from 0 to 65535"),
                (["--cache_gb", 0], "no whole number"),
                (["--server_prot", 1], "did you mean --server_port?"),
                (["--root"], "--root needs a value"),
                (["a", "b"], "unknown argument 'b'")):
            self.refuse(2, ["view", *arguments], part)

    def test_paths(self):
        self.write("notes.txt", "text")
        self.write("damaged/attn_maps/layers_manifest.json", "{")
        (self.dir / "empty").mkdir()
        self.export(out="in/a")
        self.export(out="b")
        for arguments, part in (
                (["missing"], "missing: no such file or folder"),
                (["notes.txt"], "notes.txt: is no export"),
                (["empty"], "empty: holds no export"),
                (["damaged"], "layers_manifest.json"),
                (["b", "--root", "in"], "lies outside the folder that is served"),
                (["in", "--root", "missing"], "missing: is no folder"),
                (["--root", "notes.txt"], "notes.txt: is no folder"),
                (["b", "--server_name", "192.0.2.1"], "192.0.2.1: is no address of this machine")):
            self.refuse(1, ["view", *arguments], part)

    def test_a_port_that_is_taken(self):
        self.export()
        with Viewer(self.dir, "out") as first:
            self.refuse(1, ["view", "out", "--server_port", first.port],
                        f"port {first.port} is taken. Try --server_port ")
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = self.run_program("view", "out", "--server_port", port)
            self.assertEqual(done.returncode, 1)
            suggested = int(re.search(r"--server_port (\d+)\.", done.stderr)[1])
            self.assertGreater(suggested, port)
            with Viewer(self.dir, "out", "--server_port", suggested) as viewer:
                self.assertEqual(viewer.port, suggested)


class LongQuestions(Case):
    """What takes minutes to compute is computed for nobody who has gone."""

    LONG = "api/maps.npy?definition=model&layers=all&heads=all&incoming=1&row=1&col=2&frames=0"
    QUICK = "api/maps.npy?definition=model&layers=2&row={}&col=2"

    def ask(self, viewer, path):
        """Sends a request; the connection, without waiting for the answer."""
        connection = socket.create_connection(("127.0.0.1", viewer.port), timeout=60)
        connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connection

    def await_processor(self, viewer, busy, seconds=20):
        """Waits until the program computes, or until it no longer does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = viewer.processor_seconds()
            time.sleep(1)
            if (viewer.processor_seconds() - before > 0.015) == busy:
                return
        self.fail(f"busy is not {busy} after {seconds} s")

    def test_end_with_their_client_and_hold_up_nobody(self):
        viewer = self.enterContext(Viewer(self.dir, self.big_store(12)))
        with self.ask(viewer, self.LONG), self.ask(viewer, self.LONG.replace("row=1", "row=3")):
            self.await_processor(viewer, busy=True)
            for row in range(20):
                begin = time.monotonic()
                viewer.get(self.QUICK.format(row))
                self.assertLess(time.monotonic() - begin, 5)
            self.await_processor(viewer, busy=True)  # still at it
        self.await_processor(viewer, busy=False)
        # The next one has the processors to itself.
        self.assertEqual(viewer.json("api/maps.json?definition=model&incoming=1&row=1&col=2"
                                     "&layers=1&heads=1")["layers"], [1])
        self.assertEqual(viewer.end()[0], 0)

    def test_too_many_are_refused_and_others_are_not(self):
        viewer = self.enterContext(Viewer(self.dir, self.big_store(12)))
        waiting = [self.ask(viewer, self.LONG.replace("row=1", f"row={i}")) for i in range(20)]
        try:
            refused = [c for c in waiting if select.select([c], [], [], 0.5)[0]]
            # Eight wait, and one is computed unless that has not begun.
            self.assertIn(len(refused), (20 - 8 - 1, 20 - 8))
            answer = refused[0].recv(10000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
            self.assertIn(b"Retry-After: 5\r\n", answer)
            self.assertTrue(viewer.get("api/export"))
            self.assertTrue(viewer.get(self.QUICK.format(1)))
        finally:
            for connection in waiting:
                connection.close()
        self.await_processor(viewer, busy=False)


class Load(Case):
    CLIENTS, REQUESTS = 50, 40
    MOST_GROWTH = 10e6
    MOST_THREADS = 39  # with two processors

    def test_many_clients(self):
        self.export("--save_per_head", "--save_qk")
        exact = f"/api/maps.npy?definition=model&layers=all&heads=all&{CELL}"
        paths = [exact, exact + "&incoming=1", f"/api/maps.npy?layers=all&{CELL}", f"/api/maps.npy?layers=2&heads=all&{CELL}",
                 f"/api/maps.json?heads=1&{CELL}", "/api/export", "/api/frames/1", "/",
                 "/api/exports", "/api/none"]
        failures = []

        def client(number, port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            for i in range(self.REQUESTS):
                path = paths[(number + i) % len(paths)]
                try:
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != (404 if path == "/api/none" else 200):
                        failures.append((path, answer.status))
                except OSError as error:
                    failures.append((path, repr(error)))
                    connection.close()
            connection.close()

        # What a sanitizer keeps back, of freed memory and of stacks, is no growth.
        checks = (os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0"
                  ":thread_local_quarantine_size_kb=0:detect_stack_use_after_return=0")
        with Viewer(self.dir, "out", ASAN_OPTIONS=checks, OMP_NUM_THREADS="2") as viewer:
            resident = []
            for _ in range(4):
                clients = [threading.Thread(target=client, args=(i, viewer.port))
                           for i in range(self.CLIENTS)]
                for thread in clients:
                    thread.start()
                for thread in clients:
                    thread.join()
                self.assertEqual(failures, [])
                resident.append(viewer.resident())
                self.assertLessEqual(viewer.threads(), self.MOST_THREADS)
            # The first rounds have warmed every thread.
            self.assertLess(resident[3] - resident[1], self.MOST_GROWTH, resident)
            self.assertEqual(viewer.end()[0], 0)


if __name__ == "__main__":
    unittest.main()
