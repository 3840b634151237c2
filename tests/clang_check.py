#!/usr/bin/env python3
"""Checks the torch-free sources of a build folder with Clang: warnings, and -Wthread-safety, which GCC lacks.

usage: tests/clang_check.py BUILD_FOLDER [--jobs N] [--extra-arg ARG]

Reads BUILD_FOLDER/compile_commands.json (made by CMake, sources generated), runs `clang++ -fsyntax-only` with the same
definitions and includes, prints what Clang says, and ends with 1 if it said anything. Headers that no source of the same
name includes first are checked on their own, so that every header is self-contained.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys

SOURCE_FOLDERS = ("proto", "coordinator", "worker", "client", "tests")
CHECKS = ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wthread-safety", "-Werror"]


def language_arguments(command):
    """The definitions, includes and language level of a compile command."""
    kept = []
    arguments = iter(shlex.split(command))
    for argument in arguments:
        if argument in ("-isystem", "-I", "-D", "-include"):
            kept += [argument, next(arguments)]
        elif argument.startswith(("-I", "-D", "-std=", "-isystem")):
            kept.append(argument)
    return kept


def is_torch(command):
    return "torch/include" in command


def first_include(path):
    with open(path, encoding="utf-8") as source:
        for line in source:
            if line.startswith('#include "'):
                return line.split('"')[1]
    return ""


def collect(root, build):
    """(file, arguments) of everything to check."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        entries = json.load(commands)
    work, covered, by_folder = [], set(), {}
    for entry in entries:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        relative = os.path.relpath(path, root)
        if relative.split(os.sep)[0] not in SOURCE_FOLDERS:
            continue  # generated
        covered.add(first_include(path))
        if is_torch(entry["command"]):
            continue
        arguments = language_arguments(entry["command"])
        work.append((relative, arguments))
        by_folder.setdefault(relative.split(os.sep)[0], set()).update(
            [tuple(arguments[i:i + 2]) for i in range(len(arguments)) if arguments[i] == "-isystem"])
    # Headers without a source of their own: with every include folder that their part of the tree uses.
    for folder in SOURCE_FOLDERS:
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
                                        "-x", "c++", "-Wno-pragma-once-outside-header"] + includes))
    return work


def check(root, item, extra):
    path, arguments = item
    result = subprocess.run(["clang++", *CHECKS, *arguments, *extra, os.path.join(root, path)], cwd=root,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return path, result.returncode, result.stdout


def main():
    parser = argparse.ArgumentParser(description="Checks the torch-free sources with Clang.")
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--extra-arg", action="append", default=[], help="one more argument for clang++")
    options = parser.parse_args()
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    work = collect(root, os.path.abspath(options.build))
    if not work:
        sys.exit(f"clang_check: {options.build}/compile_commands.json names no source of this tree")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, code, text in pool.map(lambda item: check(root, item, options.extra_arg), work):
            if code != 0:
                bad += 1
                print(f"clang_check: {path}\n{text}", flush=True)
    print(f"clang_check: {len(work)} files, {bad} with complaints")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
