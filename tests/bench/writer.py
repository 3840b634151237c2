"""How fast a coordinator turns results into a file, beside vips and libdeflate with the same picture in the same run."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from cluster import Cluster, output_of

SIDE = 16_384
GOALS = {"none": 1.0, "deflate": 0.8}


def vips_copy(picture, out):
    """Mpx/s and CPU milliseconds per Mpx of `vips copy` into an uncompressed tiled TIFF, its start included."""
    start = time.monotonic()
    pid = os.spawnlp(os.P_NOWAIT, "vips", "vips", "copy", str(picture), f"{out}[tile,tile-width=512,tile-height=512,bigtiff]")
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit("tests/bench/run: vips copy failed")
    out.unlink()
    mpx = SIDE * SIDE / 1e6
    return {"mpx_per_second": round(mpx / seconds, 1), "cpu_ms_per_mpx": round((usage.ru_utime + usage.ru_stime) * 1e3 / mpx, 2)}


def with_workers(build, folder, picture, compression):
    """Mpx/s of the same job with two worker processes."""
    models = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "models"
    with Cluster(build, folder, models) as cluster:
        job = cluster.render("-i", picture, "-o", folder / "workers.tif", "-n", "identity", "--compression", compression)
    (folder / "workers.tif").unlink()
    return round(SIDE * SIDE / 1e6 / job["seconds"], 1)


def writer(build, rounds=3):
    """One figure for each compression with a goal. Reference and job take turns; the medians of their ratios count."""
    shm = pathlib.Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tilewright-bench.", dir=shm))
    program = build / "bench" / "writer_bench"
    models = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "models"
    try:
        picture = folder / "picture.tif"
        subprocess.run([program, "picture", picture, str(SIDE)], check=True)
        figures = []
        for compression, goal in GOALS.items():
            results = []
            for _ in range(rounds):
                if compression == "none":
                    name, reference = "vips copy", vips_copy(picture, folder / "vips.tif")
                else:
                    name, reference = "libdeflate", output_of([program, "libdeflate", picture])
                job = output_of([program, "job", picture, compression, models])
                results.append({"bench": "writer", "compression": compression, "mpx_per_second": job["mpx_per_second"],
                                "cpu_ms_per_mpx": job["cpu_ms_per_mpx"], "reference": name,
                                "reference_mpx_per_second": reference["mpx_per_second"],
                                "reference_cpu_ms_per_mpx": reference["cpu_ms_per_mpx"],
                                "ratio": round(job["mpx_per_second"] / reference["mpx_per_second"], 3), "goal": goal})
            figure = sorted(results, key=lambda result: result["ratio"])[rounds // 2]
            figure["ratios"] = [result["ratio"] for result in results]
            figure["two_workers_mpx_per_second"] = with_workers(build, folder, picture, compression)
            figures.append(figure)
        return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row_of(figure):
    """Cells of the table, and a note."""
    cells = (f"writer, {figure['compression']}", f"{figure['mpx_per_second']:.0f} Mpx/s",
             f"{figure['reference']} {figure['reference_mpx_per_second']:.0f} Mpx/s", figure["ratio"])
    note = (f"writer, {figure['compression']}: ratios {figure['ratios']}; {figure['cpu_ms_per_mpx']:.1f} CPU-ms/Mpx, "
            f"{figure['reference']} {figure['reference_cpu_ms_per_mpx']:.1f}; with two worker processes "
            f"{figure['two_workers_mpx_per_second']:.0f} Mpx/s")
    return cells, note
