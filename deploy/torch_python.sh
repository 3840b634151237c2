#!/usr/bin/env bash
# Python with the package torch of the LibTorch that deploy/setup.sh installed, to compile AOTInductor packages.
# usage: deploy/torch_python.sh ARGUMENT...   as of python3; ends with 3 if `deploy/setup.sh --for test` has not made it
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

torch_python_installed || { say "no Python side of LibTorch here: deploy/setup.sh --for test installs it" >&2; exit 3; }
torch=$(echo "$TILEWRIGHT_TORCH_ENV"/lib/python3*/site-packages)
tools=$(echo "$TILEWRIGHT_TORCH_PYTHON_ENV"/lib/python3*/site-packages)
exec env LD_LIBRARY_PATH="$TILEWRIGHT_TORCH_PYTHON_ENV/cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" PYTHONPATH="$torch:$tools" \
  /usr/bin/python3 "$@"
