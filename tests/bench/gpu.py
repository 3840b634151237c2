"""What a GPU does: graphs against plain runs, fp16 against fp32, how busy the device is kept, alone and in a cluster.

Written without a device at hand: nothing here but the skip has been run yet."""

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

from cluster import Cluster, write_picture
from engines import together

SECONDS = 12  # of device time in a steady state
TILE = 256
# The same network and tile in a plain loop, copies and 8-bit samples included.
LOOP = """
import sys, time, torch
path, tile, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
model = torch.jit.load(path, map_location="cuda").eval()
image = torch.randint(0, 256, (1, tile, tile, 3), dtype=torch.uint8)
def step():
    x = image.cuda().permute(0, 3, 1, 2).float() / 255
    return (model(x).clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu()
with torch.inference_mode():
    for _ in range(5): step()
    start, tiles = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        tiles += 1
print(tiles / (time.perf_counter() - start))
"""


def why_none():
    """Why there is no CUDA device; None if there is one."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"no driver ({error})"
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the driver shows no device"
    return None


def bench(build, model, batches, *flags):
    rows = together(build, [["--model", model, "--device", "cuda:0", "--tile", str(TILE), "--batches", str(batches), *flags]])
    if rows is None:
        sys.exit(f"tests/bench/run: engine_bench does not run on cuda:0 with {flags}")
    return rows[0]


def steady(build, model, *flags):
    probe = bench(build, model, 20, *flags)
    return bench(build, model, max(20, int(20 * SECONDS / probe["seconds"])), *flags)


def python_loop(model):
    done = subprocess.run([sys.executable, "-c", LOOP, f"{model}/model.pt", str(TILE), str(SECONDS)], stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        print(f"gpu: no plain loop: {sys.executable} has no torch that runs on CUDA", file=sys.stderr)
        return None
    return float(done.stdout)


def in_cluster(build, folder, *flags):
    """Device seconds of the tiles against the seconds of the job, by the worker's log."""
    picture = folder / "picture.png"
    if not picture.exists():
        write_picture(picture, 6000, 4000)
    with Cluster(build, folder, folder / "models", workers=()) as cluster:
        cluster.add_worker("gpu", "--log-level", "debug", *flags, device="cuda:0")
        render = ["-o", folder / "out.tif", "-n", "srvgg16x4", "-t", str(TILE), "--compression", "none"]
        cluster.render("-i", picture, *render)  # loads and warms the model
        log = folder / "gpu.log"
        before = log.stat().st_size
        job = cluster.render("-i", picture, *render, "--overwrite")
        with open(log, encoding="utf-8") as text:
            text.seek(before)
            device = sum(float(match) for match in re.findall(r"device ([0-9.]+) s", text.read()))
    return {"device_seconds": round(device, 2), "job_seconds": round(job["compute_seconds"], 2),
            "ratio": round(device / job["compute_seconds"], 3)}


def gpu(build):
    """Rows of figures; none, and a line that says why, without a device."""
    reason = why_none()
    if reason:
        print(f"gpu: SKIPPED, no CUDA device: {reason}")
        return []
    figures = []
    with tempfile.TemporaryDirectory(prefix="tilewright-bench.") as name:
        folder = pathlib.Path(name)
        subprocess.run([build / "bin" / "tilewright-testnets", "--out", folder / "models"], check=True, stdout=subprocess.DEVNULL)
        model = str(folder / "models" / "srvgg16x4" / "1")
        loop = python_loop(model)
        for batch in (1, 8):
            plain = steady(build, model, "--batch", str(batch))
            for flags in ((), ("--graphs",), ("--dtype", "fp16"), ("--dtype", "fp16", "--graphs")):
                row = steady(build, model, "--batch", str(batch), *flags) if flags else plain
                figures.append({"bench": "gpu", **row, "goal": 0.95, "tiles_per_second": round(row["tiles"] / row["seconds"], 1),
                                "loop_tiles_per_second": loop,
                                "bits_of_plain": row["canary"] == plain["canary"] if row["dtype"] == "fp32" else None})
        for transport, flags in (("segments", ()), ("inline", ("--no-shared-memory",))):
            figures.append({"bench": "gpu_cluster", "transport": transport, "goal": 0.9, **in_cluster(build, folder, *flags)})
    return figures


def row_of(figure):
    """(what, measured, reference, ratio) for the table."""
    if figure["bench"] == "gpu_cluster":
        return (f"cluster, {figure['transport']}", f"device {figure['device_seconds']:.2f} s", f"job {figure['job_seconds']:.2f} s",
                figure["ratio"])
    what = f"{figure['dtype']} batch {figure['batch']}{' graphs' if figure['graphs'] else ''}"
    notes = [f"PSNR {figure['psnr']} dB"] if figure["psnr"] else []
    if figure["bits_of_plain"] is False:
        notes.append("OTHER BITS THAN PLAIN")
    if figure["steps"]:
        notes.append(figure["steps"])
    loop = figure["loop_tiles_per_second"]
    return (what, ", ".join([f"{figure['tiles_per_second']} tiles/s", *notes]),
            f"Python loop {loop:.1f} tiles/s" if loop else "", figure["device_share"])
