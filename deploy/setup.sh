#!/usr/bin/env bash
# Installs what Tilewright needs on Debian 12 (amd64): Debian packages, and LibTorch and OpenVINO from their PyPI wheels
# into virtual environments outside the source tree. Run it as root or with sudo at hand. A second run finds everything in place,
# needs no network and takes a moment.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<USAGE
usage: deploy/setup.sh [--for build|quickstart|test] [--no-torch] [--no-openvino] [--list]
  --for build       compiler, libraries, LibTorch and OpenVINO (default)
  --for quickstart  that, and the tool that makes the preview
  --for test        that, and what the tests need (clang, clang-format, image tools, NumPy, the Python side of LibTorch)
  --no-torch        without LibTorch, for builds with -DTILEWRIGHT_TORCH=OFF
  --no-openvino     without OpenVINO; a build then has no engine of that name
  --list            print the Debian packages and leave
LibTorch goes to \$TILEWRIGHT_CACHE/torch-$TILEWRIGHT_TORCH_VERSION, OpenVINO to openvino-$TILEWRIGHT_OPENVINO_VERSION beside it;
TILEWRIGHT_CACHE is ${TILEWRIGHT_CACHE} now.
USAGE
}

build_packages=(
  g++ cmake ninja-build pkg-config ccache ca-certificates python3 python3-venv
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev
  libvips-dev libtiff-dev libcli11-dev libspdlog-dev libxxhash-dev libzstd-dev libdeflate-dev
  libssl-dev libgtest-dev libgmock-dev libbenchmark-dev
)
quickstart_packages=(libvips-tools)
test_packages=(libvips-tools libtiff-tools clang clang-format python3-numpy)

purpose=build
torch=yes
openvino=yes
list=no
while (($#)); do
  case $1 in
    --for) purpose=${2:-}; shift ;;
    --for=*) purpose=${1#*=} ;;
    --no-torch) torch=no ;;
    --no-openvino) openvino=no ;;
    --list) list=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
  shift
done
case $purpose in
  build) packages=("${build_packages[@]}") ;;
  quickstart) packages=("${build_packages[@]}" "${quickstart_packages[@]}") ;;
  test) packages=("${build_packages[@]}" "${quickstart_packages[@]}" "${test_packages[@]}") ;;
  *) die "--for takes build, quickstart or test, not '$purpose'" ;;
esac
if [[ $list == yes ]]; then
  printf '%s\n' "${packages[@]}" | sort -u
  exit 0
fi

# Those of the arguments that dpkg does not hold as installed.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

check_machine() {
  local name="an unknown system" id= version=
  if [[ -r /etc/os-release ]]; then
    name=$(. /etc/os-release && echo "${PRETTY_NAME:-$ID}")
    id=$(. /etc/os-release && echo "${ID:-}")
    version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  if [[ $id != debian || $version != 12 || $(dpkg --print-architecture) != amd64 ]]; then
    die "this installs packages on Debian 12 (amd64) only, and here is $name" \
      "($(uname -m)). Install by hand what it misses: $*"
  fi
  if [[ $(id -u) != 0 ]] && ! as_root true; then
    die "packages are missing and installing them takes root: run it as root or with a sudo" \
      "that needs no terminal, or install by hand: $*"
  fi
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "${packages[@]}")
  if ((${#missing[@]} == 0)); then return; fi
  check_machine "${missing[@]}"
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  apt update || die "apt-get update failed (see above): is the network reachable?"
  apt install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install the packages (see above): is the network reachable, is the disk full?"
}

# install_wheels WHAT FOLDER MEGABYTES OPTION WHEEL...: a virtual environment with these wheels and nothing they depend on.
install_wheels() {
  local what=$1 folder=$2 megabytes=$3 option=$4
  shift 4
  say "installing $what ($megabytes MB to download) into $folder"
  # Made under another name and renamed: what has the final name is complete. Only site-packages is used, so the
  # absolute paths in the environment's scripts do not matter.
  local making=$folder.making
  rm -rf "$making" "$folder"
  /usr/bin/python3 -m venv "$making"
  "$making/bin/python3" -m pip --disable-pip-version-check install --quiet --no-cache-dir \
    --only-binary=:all: --no-deps "$@" ||
    die "pip could not install $what (see above): is the network reachable, are 2 GB free in $TILEWRIGHT_CACHE?" \
      "Without it: --no-$option and -DTILEWRIGHT_${option^^}=OFF"
  mv "$making" "$folder"
}

# One setup at a time; what another one makes meanwhile is not made again.
lock_cache() {
  mkdir -p "$TILEWRIGHT_CACHE" || die "cannot make $TILEWRIGHT_CACHE; set TILEWRIGHT_CACHE to a folder that you may write"
  exec 9>"$TILEWRIGHT_CACHE/setup.lock"
  flock -w 1800 9 || die "another setup has held $TILEWRIGHT_CACHE/setup.lock for 30 minutes"
}

install_torch() {
  if torch_installed; then return; fi
  lock_cache
  if torch_installed; then return; fi
  install_wheels "LibTorch $TILEWRIGHT_TORCH_VERSION" "$TILEWRIGHT_TORCH_ENV" 545 torch \
    "torch==$TILEWRIGHT_TORCH_VERSION" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85
  torch_installed || die "the wheel holds no libtorch_cpu.so: $TILEWRIGHT_TORCH_ENV"
}

# What `import torch` wants beside the wheel: its pure-Python dependencies, and libraries with the names of CUDA's that are
# not installed. Those hold nothing but functions that abort; without a GPU none is called. deploy/torch_python.sh
# shows them to Python alone.
install_torch_python() {
  if torch_python_installed; then return; fi
  lock_cache
  if torch_python_installed; then return; fi
  install_wheels "what LibTorch's Python side needs" "$TILEWRIGHT_TORCH_PYTHON_ENV" 10 torch \
    sympy==1.13.3 mpmath==1.3.0 networkx==3.6.1 typing_extensions==4.16.0 jinja2==3.1.6 markupsafe==3.0.4 filelock==4.2.11 \
    fsspec==2026.9.0
  local making=$TILEWRIGHT_TORCH_PYTHON_ENV/cuda.making libraries name
  libraries=$(echo "$TILEWRIGHT_TORCH_ENV"/lib/python3*/site-packages/torch/lib)
  mkdir -p "$making"
  nm -D --undefined-only "$libraries"/libtorch_{cuda,nvshmem,python}.so |
    sed -nE 's/.* U ((cudnn|cufft|cusparse|cublas|curand|cusolver|nccl|nvshmem|cuFile)[A-Za-z0-9_]*).*/\1/p' | sort -u |
    sed -e '1i #include <stdlib.h>' -e 's/.*/void &(void) { abort(); }/' >"$making/functions.c"
  # One library has the functions, the others only their names.
  gcc -shared -fPIC -w "$making/functions.c" -Wl,-soname,libcudnn.so.9 -o "$making/libcudnn.so.9"
  for name in cufile.so.0 cusparse.so.12 cufft.so.12 cusparseLt.so.0 nccl.so.2 curand.so.10 cublas.so.13 cublasLt.so.13 \
    nvshmem_host.so.3; do
    gcc -shared -fPIC -x c /dev/null -Wl,-soname,"lib$name" -o "$making/lib$name"
  done
  mv "$making" "$TILEWRIGHT_TORCH_PYTHON_ENV/cuda"
}

# Without what its Python side wants, telemetry among it.
install_openvino() {
  if openvino_installed; then return; fi
  lock_cache
  if openvino_installed; then return; fi
  install_wheels "OpenVINO $TILEWRIGHT_OPENVINO_VERSION" "$TILEWRIGHT_OPENVINO_ENV" 59 openvino \
    "openvino==$TILEWRIGHT_OPENVINO_VERSION"
  openvino_installed || die "the wheel holds no libopenvino.so: $TILEWRIGHT_OPENVINO_ENV"
}

begin=$SECONDS
install_packages
if [[ $torch == yes ]]; then install_torch; fi
if [[ $torch == yes && $purpose == test ]]; then install_torch_python; fi
if [[ $openvino == yes ]]; then install_openvino; fi
say "everything for '$purpose' is in place ($((SECONDS - begin)) s)"
