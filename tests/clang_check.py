#!/usr/bin/env python3
"""Checks the torch-free sources of a build folder with Clang: warnings, and -Wthread-safety, which GCC lacks.

usage: tests/clang_check.py BUILD_FOLDER [--jobs N] [--tests]

Reads BUILD_FOLDER/compile_commands.json (made by CMake, sources generated), runs `clang++ -fsyntax-only` with the same
definitions and includes, prints what Clang says, and ends with 1 if it said anything. The headers of other projects are
parsed once and shared. Headers that no source includes first are checked alone, so that every header is self-contained.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

SOURCE_FOLDERS = ("proto", "coordinator", "worker", "client")
CHECKS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wthread-safety", "-Werror"]


def language_arguments(command):
    """The definitions, includes and language level of a compile command."""
    kept = []
    arguments = iter(shlex.split(command))
    for argument in arguments:
        if argument in ("-isystem", "-I", "-D", "-include"):
            kept += [argument, next(arguments)]
        elif argument.startswith(("-I", "-D", "-std=", "-isystem")) and not argument.startswith("-DGTEST_"):
            kept.append(argument)  # GoogleTest's own macros belong to the shared headers
    return kept


# What most sources include of other projects; parsing it again for each would take most of the time.
SHARED = ["<grpcpp/grpcpp.h>", "<gmock/gmock.h>", "<gtest/gtest.h>", '"absl/container/flat_hash_map.h"',
          '"absl/status/statusor.h"', '"absl/strings/str_cat.h"', '"absl/strings/str_format.h"',
          '"absl/strings/str_join.h"', '"absl/strings/str_split.h"', '"absl/synchronization/mutex.h"',
          '"absl/time/clock.h"', "<algorithm>", "<chrono>", "<filesystem>", "<fstream>", "<functional>", "<map>",
          "<memory>", "<optional>", "<set>", "<string>", "<thread>", "<vector>"]


def precompile(root, build):
    """A precompiled header of SHARED and the generated code; its path."""
    folder = os.path.join(build, "clang_check")
    os.makedirs(folder, exist_ok=True)
    generated = os.path.join(build, "generated")
    services = []
    for where, _, names in os.walk(generated):
        services += [f'"{os.path.relpath(os.path.join(where, name), generated)}"' for name in sorted(names)
                     if name.endswith(".pb.h")]
    header, compiled = os.path.join(folder, "shared.h"), os.path.join(folder, "shared.pch")
    with open(header, "w", encoding="utf-8") as out:
        out.writelines(f"#include {name}\n" for name in SHARED + services)
    subprocess.run(["clang++", "-x", "c++-header", "-std=c++20", "-w", "-isystem", generated, header, "-o", compiled],
                   cwd=root, check=True)
    return compiled


def is_torch(command):
    return "torch/include" in command


def first_include(path):
    if os.path.exists(path):  # generated sources may be missing
        with open(path, encoding="utf-8") as source:
            for line in source:
                if line.startswith('#include "'):
                    return line.split('"')[1]
    return ""


def sources_of(entry):
    """The sources that a compile command is for: several where CMake compiles them together."""
    path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
    if os.sep + "Unity" + os.sep not in path or not os.path.exists(path):
        return [path]
    with open(path, encoding="utf-8") as unity:
        return [line.split('"')[1] for line in unity if line.startswith("#include ")]


def collect(root, build, tests):
    """(file, arguments) of everything to check."""
    folders = SOURCE_FOLDERS + (("tests",) if tests else ())
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        entries = json.load(commands)
    shared = ["-include-pch", precompile(root, build)]
    work, covered, by_folder = [], set(), {}
    for entry in entries:
        sources = sources_of(entry)
        covered.update(first_include(source) for source in sources)
        folder = os.path.relpath(sources[0], root).split(os.sep)[0]
        if folder not in folders or is_torch(entry["command"]):
            continue  # generated, or not asked for
        arguments = language_arguments(entry["command"])
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        work.append((os.path.relpath(path, root), arguments + shared))
        by_folder.setdefault(folder, set()).update(
            [tuple(arguments[i:i + 2]) for i in range(len(arguments)) if arguments[i] == "-isystem"])
    # Headers without a source of their own: with every include folder that their part of the tree uses.
    for folder in folders:
        for where, _, names in os.walk(os.path.join(root, folder)):
            for name in names:
                relative = os.path.relpath(os.path.join(where, name), root)
                if not name.endswith(".h") or relative in covered:
                    continue
                includes = [part for pair in sorted(by_folder.get(folder, ())) for part in pair]
                with open(os.path.join(root, relative), encoding="utf-8") as header:
                    if "torch/" in header.read():
                        continue
                work.append((relative, ["-std=c++20", "-I" + root, "-I" + os.path.join(root, "client/include"),
                                        "-x", "c++", "-Wno-unused-function"] + includes))
    return work


def check(root, item):
    path, arguments = item
    result = subprocess.run(["clang++", *CHECKS, *arguments, os.path.join(root, path)], cwd=root,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return path, result.returncode, result.stdout


def main():
    parser = argparse.ArgumentParser(description="Checks the torch-free sources with Clang.")
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--tests", action="store_true", help="the tests too, which only compete with themselves")
    options = parser.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    work = collect(root, os.path.abspath(options.build), options.tests)
    if not work:
        sys.exit(f"clang_check: {options.build}/compile_commands.json names no source of this tree")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, code, text in pool.map(lambda item: check(root, item), work):
            if code != 0:
                bad += 1
                print(f"clang_check: {path}\n{text}", flush=True)
    print(f"clang_check: {len(work)} files, {bad} with complaints")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
