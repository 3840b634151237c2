"""Two workers, one of them slowed down: the speed of a job beside the sum of what each does alone in the same run."""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

from cluster import Cluster, write_picture

PERIOD = 0.1  # seconds of a slowed worker's cycle
GOAL = 0.95


@contextlib.contextmanager
def slowed(process, part):
    """Lets the process have `part` of a core: by a cgroup's quota where that is writable, else by stopping and continuing it."""
    for parent, quota, period in (("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "cpu.cfs_period_us"),
                                  ("/sys/fs/cgroup", "cpu.max", None)):
        group = pathlib.Path(parent) / f"tilewright-bench-{process.pid}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            micros = int(PERIOD * 1e6)
            if period:
                (group / period).write_text(str(micros))
                (group / quota).write_text(str(int(micros * part)))
            else:
                (group / quota).write_text(f"{int(micros * part)} {micros}")
            (group / "cgroup.procs").write_text(str(process.pid))
        except OSError:
            group.rmdir()
            continue
        try:
            yield "a cgroup's quota"
        finally:
            (pathlib.Path(parent) / "cgroup.procs").write_text(str(process.pid))
            group.rmdir()
        return
    over = threading.Event()

    def cycle():
        while not over.wait(PERIOD * part):
            process.send_signal(signal.SIGSTOP)
            over.wait(PERIOD * (1 - part))
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=cycle)
    thread.start()
    try:
        yield "SIGSTOP and SIGCONT"
    finally:
        over.set()
        thread.join()
        process.send_signal(signal.SIGCONT)


def uneven(build):
    """One figure for each of: 1/4 and 1/10 with at least 100 tiles, 1/10 with 12 tiles."""
    shm = pathlib.Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tilewright-bench.", dir=shm))
    try:
        models = folder / "models"
        testnets = build / "bin" / "tilewright-testnets"
        if not testnets.exists():
            sys.exit("tests/bench/run: the uneven figure needs LibTorch")
        if os.spawnl(os.P_WAIT, testnets, "tilewright-testnets", "--out", str(models)) != 0:
            sys.exit("tests/bench/run: tilewright-testnets failed")
        sizes = {108: (788, 608), 12: (308, 248), 6: (248, 188)}  # tiles of 128 px, halo 34, no overlap: 60 px apart
        pictures = {}
        for tiles, (width, height) in sizes.items():
            pictures[tiles] = folder / f"{tiles}.png"
            write_picture(pictures[tiles], width, height)
        return [measure(build, folder, models, pictures, part, tiles) for part, tiles in ((4, 108), (10, 108), (10, 12))]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(build, folder, models, pictures, slowdown, tiles):
    flags = ["-n", "srvgg32x4", "-t", "128", "--halo", "34", "--overlap", "0", "--compression", "none"]
    with Cluster(build, folder, models, ()) as cluster:
        render = lambda count: cluster.render("-i", pictures[count], "-o", folder / "out.tif", *flags)
        fast = cluster.add_worker("fast")
        render(6)  # loads and warms the model
        fast_alone = render(tiles)
        cluster.remove(fast)
        slow = cluster.add_worker("slow")
        render(6)
        with slowed(slow, 1 / slowdown) as how:
            slow_alone = render(6)
            fast = cluster.add_worker("fast")
            deadline = time.monotonic() + 60
            while len(cluster.workers()) < 2:
                if time.monotonic() > deadline:
                    sys.exit("tests/bench/run: the second worker did not join")
                time.sleep(0.1)
            render(12)  # the second worker loads and warms too
            both = render(tiles)
    speed = lambda job: job["tiles"] / job["compute_seconds"]
    return {"bench": "uneven", "slowed_to": f"1/{slowdown}", "by": how, "tiles": both["tiles"],
            "job_seconds": round(both["compute_seconds"], 2), "fast_alone_seconds": round(fast_alone["compute_seconds"], 2),
            "slow_alone_seconds_per_tile": round(1 / speed(slow_alone), 3), "workers": both["workers"],
            "never_slower_than_fast_alone": both["compute_seconds"] <= fast_alone["compute_seconds"],
            "ratio": round(speed(both) / (speed(fast_alone) + speed(slow_alone)), 3), "goal": GOAL}
