"""How much memory a coordinator takes for giant pictures, with two workers of which one sleeps 300 ms over each tile."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from cluster import Cluster

SLOW_MS = 300  # 60 times what a tile takes
K = 1024
TILES = ["-n", "identity", "-t", "512", "--overlap", "32"]
# The first is held against those that begin with the same word.
PICTURES = [
    ("x1 64k x 64k", 64, 64, TILES),
    ("x1 64k x 16k", 64, 16, TILES),
    ("x1 16k x 64k", 16, 64, TILES),
    ("x4 16k x 16k", 16, 16, ["-n", "lanczos4x", "-t", "512"]),
    ("x4 16k x 4k", 16, 4, ["-n", "lanczos4x", "-t", "512"]),
    ("x4 4k x 16k", 4, 16, ["-n", "lanczos4x", "-t", "512"]),
]
# Decoded once, from top to bottom: held against what --dry-run says that the job takes, beside the idle coordinator and what it shares
# with its workers.
ROWS_IN_ORDER = ("png 16k x 16k", 16, 16, TILES)


class Watch:
    """What a process had resident at the moment when it was most, in kB by kind; and what its job held at most, in bytes."""

    def __init__(self, pid, jobs):
        self.pid, self.jobs, self.over = pid, jobs, threading.Event()
        self.peak, self.hwm, self.held, self.spilled = {"VmRSS": 0}, 0, 0, 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        count = 0
        while not self.over.wait(0.1):
            try:
                status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines())
            except FileNotFoundError:
                return
            now = {key: int(status[key].split()[0]) for key in ("VmRSS", "RssAnon", "RssShmem", "RssFile", "VmHWM")}
            hwm = now.pop("VmHWM")
            if now["VmRSS"] > self.peak["VmRSS"]:
                self.peak = now
            self.hwm = hwm
            count += 1
            if count % 20 == 0:
                for job in self.jobs():
                    self.held = max(self.held, job["held_bytes"])
                    self.spilled = max(self.spilled, job["spilled_bytes"])

    def stop(self):
        self.over.set()
        self.thread.join()
        return {"peak_kb": self.hwm, **{key: value for key, value in self.peak.items() if key != "VmRSS"}, "held_mib_max": self.held >> 20,
                "spilled_mib_max": self.spilled >> 20}


def resident_kb(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * (os.sysconf("SC_PAGESIZE") >> 10)


def measure(build, name, width, height, flags):
    """Renders a picture of that many pixels by a fresh coordinator; a PNG if the name begins so."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tilewright-bench."))
    models = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "models"
    try:
        picture = folder / "in.tif"
        subprocess.run([build / "tests" / "tilewright-giant-tiff", picture, str(width), str(height)], check=True)
        if name.startswith("png"):
            subprocess.run(["vips", "copy", picture, f"{folder / 'in.png'}[compression=1]"], check=True)
            picture = folder / "in.png"
        with Cluster(build, folder, models, ()) as cluster:
            cluster.add_worker("fast")
            os.environ["TILEWRIGHT_TEST_FAULT"] = f"slow:{SLOW_MS}"
            cluster.add_worker("slow")
            del os.environ["TILEWRIGHT_TEST_FAULT"]
            deadline = time.monotonic() + 60
            while len(cluster.workers()) < 2:
                if time.monotonic() > deadline:
                    sys.exit("tests/bench/run: the workers did not join")
                time.sleep(0.1)

            def jobs():
                done = subprocess.run([build / "bin" / "tilewright", "--coordinator", cluster.address, "--json", "jobs", "list"],
                                      stdout=subprocess.PIPE, text=True)
                return json.loads(done.stdout.strip().splitlines()[-1])["jobs"] if done.returncode == 0 else []

            idle_kb = resident_kb(cluster.children[0].pid)
            command = ("-i", picture, "-o", folder / "out.tif", *flags)
            plan = cluster.render(*command, "--dry-run")
            watch = Watch(cluster.children[0].pid, jobs)
            job = cluster.render(*command)
            figure = watch.stop()
        return {"bench": "memory", "picture": name, "seconds": round(job["seconds"], 1), "tiles": job["tiles"], "idle_kb": idle_kb,
                "planned_kb": plan["plan"]["memory_bytes"] >> 10, **figure}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def memory(build):
    """One figure for each picture: the peak, and what the largest of its kind has of it, or what the plan promised."""
    figures = [measure(build, name, width * K, height * K, flags) for name, width, height, flags in PICTURES]
    for figure in figures:
        whole = next(other for other in figures if other["picture"].split()[0] == figure["picture"].split()[0])
        figure["ratio"], figure["goal"] = round(whole["peak_kb"] / figure["peak_kb"], 3), 1.1
    name, width, height, flags = ROWS_IN_ORDER
    figure = measure(build, name, width * K, height * K, flags)
    figure["ratio"], figure["goal"] = round((figure["peak_kb"] - figure["idle_kb"] - figure["RssShmem"]) / figure["planned_kb"], 3), 1.0
    return [*figures, figure]


def row_of(figure):
    """Cells of the table."""
    kinds = f"own {figure['RssAnon'] >> 10}, shared {figure['RssShmem'] >> 10}, files {figure['RssFile'] >> 10}"
    return (f"memory, {figure['picture']}", f"{figure['peak_kb'] >> 10} MiB ({kinds}) in {figure['seconds']:.0f} s",
            f"idle {figure['idle_kb'] >> 10}, planned {figure['planned_kb'] >> 10}, held {figure['held_mib_max']}, "
            f"spilled {figure['spilled_mib_max']} MiB", figure["ratio"])
