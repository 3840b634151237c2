"""Engines side by side on this machine's CPU: the SRVGG-16 test network through each, and how threads and processes share cores."""

import json
import pathlib
import subprocess
import sys
import tempfile

TILES = {128: 8, 256: 4}
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def together(build, configurations):
    """One process each, warmed up, then all at once; their figures, or None where an engine does not do it."""
    children = [subprocess.Popen([build / "bench" / "engine_bench", *flags], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True) for flags in configurations]
    ready = [child.stdout.readline().strip() == "ready" for child in children]
    results = []
    for child in children:
        if all(ready):
            child.stdin.write("go\n")
        child.stdin.close()
    for child in children:
        results.append(child.stdout.read())
        child.wait()
    return [json.loads(result) for result in results] if all(ready) else None


def flags_of(model, dtype, tile, threads, tiles):
    """Of engine_bench; `model` is one of those in engines()."""
    return [*model, "--dtype", dtype, "--tile", str(tile), "--threads", str(threads), "--batches", str(tiles)]


def package_of(networks, name):
    """The folder of a test network as an AOTInductor package, or None where nothing compiles it."""
    made = subprocess.run(["bash", SOURCE / "deploy" / "torch_python.sh", SOURCE / "worker" / "engine" / "aot_package.py",
                           "--networks", networks, name], stdout=subprocess.PIPE, text=True)
    return made.stdout.strip() if made.returncode == 0 else None


def engines(build):
    """Rows of figures: `relative_cpu` compares CPU seconds of a tile with torch fp32 in the same run."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="tilewright-bench.") as folder:
        models = {"torch": ("--model", f"{folder}/srvgg16x4/1"),
                  "torch plain": ("--model", f"{folder}/srvgg16x4/1", "--plain")}
        flags = []
        if (build / "lib" / "libtilewright_openvino.so").exists():
            models["openvino"] = ("--engine", "openvino", "--model", f"{folder}/srvgg16x4-openvino/1")
            flags = ["--openvino"]
        subprocess.run([build / "bin" / "tilewright-testnets", "--out", folder, *flags], check=True, stdout=subprocess.DEVNULL)
        if package := package_of(folder, "srvgg16x4"):
            models["torch .pt2"] = ("--model", package)
        for tile, tiles in TILES.items():
            for threads in (1, 2):
                base = None
                for name, dtype in (("torch", "fp32"), ("torch plain", "fp32"), ("torch .pt2", "fp32"),
                                    ("openvino", "fp32"), ("torch", "bf16"), ("openvino", "bf16")):
                    if name not in models:
                        continue
                    rows = together(build, [flags_of(models[name], dtype, tile, threads, tiles)])
                    if rows is None:
                        print(f"engines: no figures of {name} in {dtype}", file=sys.stderr)
                        continue
                    row = {**rows[0], "engine": name}
                    base = base or row
                    figures.append({"bench": "engines", **row, "relative_cpu":
                                    round(base["cpu_seconds_per_tile"] / row["cpu_seconds_per_tile"], 3)})
        for name, model in models.items():
            one_of_two = together(build, [flags_of(model, "fp32", 128, 2, 16)])[0]
            two_of_one = together(build, [flags_of(model, "fp32", 128, 1, 8)] * 2)
            figures.append({"bench": "engines_two_workers", "engine": name,
                            "one_of_two_seconds": one_of_two["seconds"],
                            "two_of_one_seconds": max(row["seconds"] for row in two_of_one),
                            "ratio": round(one_of_two["seconds"] / max(row["seconds"] for row in two_of_one), 3)})
    return figures


def row_of(figure):
    """(what, measured, reference, ratio, goal) for the table."""
    if figure["bench"] == "engines_two_workers":
        return (f"{figure['engine']}, 128 px", f"two of 1 thread {figure['two_of_one_seconds']:.2f} s",
                f"one of 2 threads {figure['one_of_two_seconds']:.2f} s", figure["ratio"], "")
    return (f"{figure['engine']} {figure['dtype']} {figure['tile']} px, {figure['threads']} threads",
            f"{figure['median_seconds']:.3f} s/tile, {figure['cpu_seconds_per_tile']:.3f} CPU-s",
            f"in the engine {figure['engine_share']:.3f}", figure["relative_cpu"], "")
