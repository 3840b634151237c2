# Sourced by deploy/setup.sh, deploy/quickstart.sh and tests/run.sh: where things lie, and how messages look.
# Sets: root (the source tree), TILEWRIGHT_CACHE (exported; CMake finds LibTorch and OpenVINO there), HOME if it is missing.

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
export root

# A service or a container may start us without a home.
if [[ -z ${HOME:-} ]]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME=${HOME:-/tmp}
fi
if [[ -z ${TILEWRIGHT_CACHE:-} ]]; then
  TILEWRIGHT_CACHE=${XDG_CACHE_HOME:-}
  export TILEWRIGHT_CACHE=${TILEWRIGHT_CACHE:-$HOME/.cache}/tilewright
fi
export TILEWRIGHT_TORCH_VERSION=2.11.0
export TILEWRIGHT_TORCH_ENV=$TILEWRIGHT_CACHE/torch-$TILEWRIGHT_TORCH_VERSION
export TILEWRIGHT_TORCH_PYTHON_ENV=$TILEWRIGHT_CACHE/torch-python-$TILEWRIGHT_TORCH_VERSION
export TILEWRIGHT_OPENVINO_VERSION=2026.4.1
export TILEWRIGHT_OPENVINO_ENV=$TILEWRIGHT_CACHE/openvino-$TILEWRIGHT_OPENVINO_VERSION

# Compiler results are shared between build folders of the same depth, wherever the tree lies.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root} CCACHE_NOHASHDIR=1

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
  exit 1
}

# Runs a command as root: directly, or through sudo, which asks for a password only if somebody can type one.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    if [[ -t 0 ]]; then sudo "$@"; else sudo -n "$@"; fi
  else
    return 1
  fi
}

# apt-get that waits for another apt, repeats a broken download and never asks.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

torch_installed() { compgen -G "$TILEWRIGHT_TORCH_ENV/lib/python3*/site-packages/torch/lib/libtorch_cpu.so" >/dev/null; }
torch_python_installed() { torch_installed && [[ -e $TILEWRIGHT_TORCH_PYTHON_ENV/cuda/libcudnn.so.9 ]]; }
openvino_installed() { compgen -G "$TILEWRIGHT_OPENVINO_ENV/lib/python3*/site-packages/openvino/libs/libopenvino.so.*" >/dev/null; }
