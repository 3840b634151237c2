"""What the benchmarks share: a picture to render, programs that answer with JSON, and a cluster on loopback."""

import json
import random
import struct
import subprocess
import sys
import time
import zlib


def output_of(command, **options):
    """The last line on stdout as JSON; ends the program with the command's words if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"tests/bench/run: {' '.join(map(str, command))} ended with {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def write_picture(path, width, height):
    """A PNG with structure at several scales and noise; the same one each time."""
    rng = random.Random(7)
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            base = (x * 5 // 7 + y * 3 // 4 + ((x // 37) ^ (y // 29)) * 11) & 255
            rows += bytes(((base + rng.randrange(24)) & 255, (base * 3 // 4 + rng.randrange(24)) & 255,
                           (255 - base + rng.randrange(24)) & 255))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(bytes(rows), 1)) + chunk(b"IEND", b""))


class Cluster:
    """A coordinator and workers of one thread each, on loopback; ends with the block."""

    def __init__(self, build, folder, models, workers=("one", "two")):
        self.bin, self.folder, self.models, self.names, self.children = build / "bin", folder, models, workers, []

    def start(self, name, *command):
        log = open(self.folder / f"{name}.log", "w", encoding="utf-8")
        self.children.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.children[-1]

    def __enter__(self):
        port_file = self.folder / "port"
        self.start("coordinator", self.bin / "tilewright-coordinator", "--listen", "127.0.0.1:0", "--port-file", port_file,
                   "--state-dir", self.folder / "state", "--models", self.models)
        deadline = time.monotonic() + 30
        while not port_file.exists():
            if self.children[0].poll() is not None or time.monotonic() > deadline:
                sys.exit("tests/bench/run: the coordinator did not start:\n" + (self.folder / "coordinator.log").read_text())
            time.sleep(0.02)
        self.address = "127.0.0.1:" + port_file.read_text().strip()
        for name in self.names:
            self.add_worker(name)
        return self

    def add_worker(self, name, *flags, device="cpu"):
        return self.start(name, self.bin / "tilewright-worker", "--coordinator", self.address, "--name", name, "--device", device,
                          "--threads", "1", "--cache-dir", self.folder / "cache", *flags)

    def remove(self, child):
        """Ends one worker as a user would."""
        child.terminate()
        child.wait(30)
        self.children.remove(child)

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def workers(self):
        """Those connected now."""
        return output_of([self.bin / "tilewright", "--coordinator", self.address, "--json", "workers", "list"])["workers"]

    def render(self, *arguments):
        return output_of([self.bin / "tilewright", "render", "--coordinator", self.address, "--json", "--overwrite",
                          "--progress", "none", *arguments])
