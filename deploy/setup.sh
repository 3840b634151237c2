#!/usr/bin/env bash
# Installs what Tilewright needs on Debian 12 (amd64): Debian packages, and LibTorch from the PyPI wheel into a virtual
# environment outside the source tree. Run it as root or with sudo at hand. A second run finds everything in place,
# needs no network and takes a moment.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<USAGE
usage: deploy/setup.sh [--for build|quickstart|test] [--no-torch] [--list]
  --for build       compiler, libraries and LibTorch (default)
  --for quickstart  that, and the tool that makes the preview
  --for test        that, and what the tests need (clang, clang-format, image tools)
  --no-torch        without LibTorch, for builds with -DTILEWRIGHT_TORCH=OFF
  --list            print the Debian packages and leave
LibTorch goes to \$TILEWRIGHT_CACHE/torch-$TILEWRIGHT_TORCH_VERSION; TILEWRIGHT_CACHE is ${TILEWRIGHT_CACHE} now.
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
test_packages=(libvips-tools libtiff-tools clang clang-format)

purpose=build
torch=yes
list=no
while (($#)); do
  case $1 in
    --for) purpose=${2:-}; shift ;;
    --for=*) purpose=${1#*=} ;;
    --no-torch) torch=no ;;
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

install_torch() {
  if torch_installed; then return; fi
  mkdir -p "$TILEWRIGHT_CACHE" || die "cannot make $TILEWRIGHT_CACHE; set TILEWRIGHT_CACHE to a folder that you may write"
  exec 9>"$TILEWRIGHT_CACHE/setup.lock"
  flock -w 1800 9 || die "another setup has held $TILEWRIGHT_CACHE/setup.lock for 30 minutes"
  if torch_installed; then return; fi  # the other setup made it
  say "installing LibTorch $TILEWRIGHT_TORCH_VERSION (545 MB to download) into $TILEWRIGHT_TORCH_ENV"
  # Made under another name and renamed: what has the final name is complete. Only site-packages is used, so the
  # absolute paths in the environment's scripts do not matter.
  local making=$TILEWRIGHT_TORCH_ENV.making
  rm -rf "$making" "$TILEWRIGHT_TORCH_ENV"
  /usr/bin/python3 -m venv "$making"
  "$making/bin/python3" -m pip --disable-pip-version-check install --quiet --no-cache-dir \
    --only-binary=:all: --no-deps "torch==$TILEWRIGHT_TORCH_VERSION" \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 ||
    die "pip could not install LibTorch (see above): is the network reachable, are 2 GB free in $TILEWRIGHT_CACHE?" \
      "Without it: --no-torch and -DTILEWRIGHT_TORCH=OFF"
  mv "$making" "$TILEWRIGHT_TORCH_ENV"
  torch_installed || die "the wheel holds no libtorch_cpu.so: $TILEWRIGHT_TORCH_ENV"
}

begin=$SECONDS
install_packages
if [[ $torch == yes ]]; then install_torch; fi
say "everything for '$purpose' is in place ($((SECONDS - begin)) s)"
