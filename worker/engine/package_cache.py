"""A folder of compiled packages, each a folder NAME-KEY, that runs share: what is found there, what is put there and what goes
when they need more room than they may. Nothing is locked: a package's time of modification says when it was asked for last.
"""

import os
import re
import shutil
import sys
import time

KEEP_BYTES = 4 << 30
IN_USE_SECONDS = 3600  # after it was asked for: whoever did has loaded it by then
ABANDONED_SECONDS = 86400  # what a run that was killed left
MAKING = "making-"  # begins the name of what is no package yet, or no more


def ask_for(kept):
    """Whether the package `kept` is there; if so it is used from now on."""
    try:
        os.utime(kept)
    except FileNotFoundError:
        return False
    return True


def keep(made, kept):
    """Puts the folder `made`, of the same file system, in the place `kept`, unless another run was faster."""
    try:
        made.rename(kept)
    except OSError:
        if not ask_for(kept):
            raise


def bytes_in(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def prune(cache, keep_bytes, now=None):
    """Removes packages until those in the folder `cache` have no more than `keep_bytes` bytes, the one asked for longest ago
    first; a package's time of modification says when that was. Returns the names of those removed."""
    now = time.time() if now is None else now
    packages, removed = [], []
    for folder in cache.iterdir():
        try:
            age = now - folder.stat().st_mtime
            if folder.name.startswith(MAKING):
                if age > ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            elif re.fullmatch(r".+-[0-9a-f]{24}", folder.name):
                packages.append((age, folder, bytes_in(folder)))
        except FileNotFoundError:
            continue
    left = sum(size for _, _, size in packages)
    for age, folder, size in sorted(packages, reverse=True):
        if left <= keep_bytes or age < IN_USE_SECONDS:
            break
        try:
            # At once, so that nobody finds half of it.
            aside = folder.rename(cache / f"{MAKING}{os.getpid()}-{folder.name}")
        except FileNotFoundError:
            continue
        shutil.rmtree(aside, ignore_errors=True)
        left -= size
        removed.append(folder.name)
        print(f"removed the package {folder.name} ({size} bytes): asked for {age / 3600:.0f} h ago", file=sys.stderr)
    if left > keep_bytes:
        print(f"the packages asked for within the hour have {left} bytes; {keep_bytes} are to be kept", file=sys.stderr)
    return removed
