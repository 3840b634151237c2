"""Compiles test networks to AOTInductor packages for this machine; run it with deploy/torch_python.sh.

usage: aot_package.py --networks REPOSITORY [--keep-bytes BYTES] NAME...
For each network NAME that tilewright-testnets wrote to REPOSITORY, prints the folder (manifest.textproto and model.pt2)
that holds it as a package. What was compiled before, from the same file for the same machine, is taken from
$TILEWRIGHT_CACHE/packages. At the end, the packages there that were asked for longest ago are removed until the rest has
no more than BYTES (4 GiB); those that were asked for within the last hour, in this run or another, stay.

A package of one's own is made with `compile_package`, on a machine like those that are to run it: the code is for
this machine's processor (or GPU) and this LibTorch. A worker refuses it elsewhere.
"""

import argparse
import hashlib
import os
import pathlib
import re
import sys
import tempfile

import package_cache


def compile_package(module, examples, dynamic_shapes, path):
    """Compiles `module`, which takes tensors like `examples` (each 1, channels, height, width), to the package `path`."""
    import torch

    with torch.no_grad():
        program = torch.export.export(module.eval(), examples, dynamic_shapes=(dynamic_shapes,) * len(examples))
        torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(path),
            inductor_configs={
                "cpp.dynamic_threads": True,  # as many as the worker was given, not as this process has
                "aot_inductor.metadata": {"torch_version": torch.__version__.split("+")[0]},
            },
        )


class Operators:
    """torch as the code of a scripted network means it."""

    @staticmethod
    def size(tensor, axis):
        return tensor.size(axis)

    @staticmethod
    def slice(tensor, axis=0, begin=None, end=None):
        return tensor[(slice(None),) * axis + (slice(begin, end),)]

    def __getattr__(self, name):
        import torch

        return getattr(torch, name)


def module_of(scripted):
    """A scripted network as a plain module, which is what can be exported: its code is Python, nearly."""
    import torch

    scope = {"torch": Operators(), "Tensor": torch.Tensor}
    exec(scripted.code, scope)
    module = type("Network", (torch.nn.Module,), {"forward": scope["forward"]})()
    for name, weight in scripted.named_parameters():
        setattr(module, name, torch.nn.Parameter(weight.detach().clone(), requires_grad=False))
    return module


def compile_network(source, target):
    """Makes the folder `target` of the folder `source`, for any tile of 16 to 4,096 pixels a side."""
    import torch

    target.mkdir(parents=True)
    manifest = (source / "manifest.textproto").read_text().replace('"model.pt"', '"model.pt2"')
    manifest = re.sub(r"^dtypes:.*\n", "", manifest, flags=re.M)  # a package has the one that it was compiled for
    (target / "manifest.textproto").write_text(manifest)
    sides = {axis: torch.export.Dim(name, min=16, max=4096) for axis, name in ((2, "height"), (3, "width"))}
    channels = [int(number) for number in re.findall(r"^inputs .*channels: (\d+)", manifest, flags=re.M)]
    examples = tuple(torch.rand(1, number, 64, 72) for number in channels)
    compile_package(module_of(torch.jit.load(str(source / "model.pt"))), examples, sides, target / "model.pt2")


def key_of(source):
    """Whatever decides what is compiled."""
    import importlib.util

    torch = pathlib.Path(importlib.util.find_spec("torch").origin).parent
    processor = re.search(r"^flags\s*:.*$", pathlib.Path("/proc/cpuinfo").read_text(), flags=re.M)
    parts = [pathlib.Path(__file__).read_bytes(), (torch / "version.py").read_bytes(),
             (processor.group(0) if processor else "").encode()]
    parts += [(source / name).read_bytes() for name in ("manifest.textproto", "model.pt")]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:24]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--networks", type=pathlib.Path, required=True)
    parser.add_argument("--keep-bytes", type=int, default=package_cache.KEEP_BYTES)
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    cache = pathlib.Path(os.environ["TILEWRIGHT_CACHE"]) / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=package_cache.MAKING) as making:
        # For the compiler's files too, among them headers that every network of this process uses.
        tempfile.tempdir = os.environ["TMPDIR"] = os.environ["TORCHINDUCTOR_CACHE_DIR"] = making
        for name in arguments.names:
            source = arguments.networks / name / "1"
            kept = cache / f"{name}-{key_of(source)}"
            if not package_cache.ask_for(kept):
                made = pathlib.Path(making) / f"made-{name}"
                compile_network(source, made)
                package_cache.keep(made, kept)
            print(kept, flush=True)
    package_cache.prune(cache, arguments.keep_bytes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
