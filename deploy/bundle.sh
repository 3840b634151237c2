#!/usr/bin/env bash
# Packs the worker and its supervisor into an archive that runs on machines without our packages. See --help.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

limit_mb=40
output=
build=$root/build/release

usage() {
  cat <<USAGE
usage: deploy/bundle.sh [--output FILE] [--build DIR]
  --output FILE  the archive; default: build/tilewright-worker-<version>-linux-<machine>.tar.gz
  --build DIR    a build folder that holds the programs already; default: build/release, built if it has to be
The archive holds worker and supervisor with the shared libraries they need, except LibTorch and glibc. Unpacked on a
machine with this distribution's glibc or a newer one and a PyPI torch $TILEWRIGHT_TORCH_VERSION:
  ./attach-torch [PYTHON | SITE_PACKAGES]   # once
  bin/tilewright-worker --coordinator HOST:PORT
USAGE
}

given_build=
while (($#)); do
  case $1 in
    --output) output=${2:?--output takes a file}; shift ;;
    --build) given_build=${2:?--build takes a folder}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
  shift
done

cd "$root"
if [[ -n $given_build ]]; then
  build=$(realpath -- "$given_build")
  for program in worker supervisor; do
    [[ -x $build/bin/tilewright-$program ]] || die "no tilewright-$program in $build/bin: build it first"
  done
else
  bash deploy/setup.sh --for build
  mkdir -p build
  { cmake --preset release && cmake --build --preset release --target bundle_programs; } >build/bundle.log 2>&1 ||
    { tail -n 40 build/bundle.log >&2; die "the build failed; the whole log is build/bundle.log"; }
fi

version=$("$build/bin/tilewright-worker" --version | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
name=tilewright-worker-$version-linux-$(uname -m)
output=$(realpath -m -- "${output:-build/$name.tar.gz}")
making=$(mktemp -d)
trap 'rm -rf "$making"' EXIT
folder=$making/$name
cmake --install "$build" --component bundle --strip --prefix "$folder" >"$making/install.log" 2>&1 ||
  { cat "$making/install.log" >&2; die "cmake could not gather the programs and libraries (see above)"; }
install -m 755 deploy/bundle/attach-torch "$folder/attach-torch"
install -m 644 deploy/bundle/README LICENSE "$folder"
printf '%s\n' "$TILEWRIGHT_TORCH_VERSION" >"$folder/torch-version"

# What the loader will look for, and who has it: the archive, glibc, or torch. Only one module, which is opened where
# there is a CUDA device, may need the torch of such machines.
cuda_module=$folder/lib/libtilewright_cuda.so
needed() { readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u; }
lacking() {
  local torch=$1
  shift
  comm -23 <(needed "$@") <(ls "$folder/lib" | sort -u) |
    grep -vE "^(ld-linux-x86-64|lib(c|m|dl|rt|pthread|util|resolv)|lib($torch))\\.so" || true
}
mapfile -t others < <(ls -d "$folder"/bin/* "$folder"/lib/* | grep -vxF "$cuda_module")
missing=$(
  lacking 'torch|torch_cpu|c10' "${others[@]}"
  [[ ! -e $cuda_module ]] || lacking 'torch|torch_cpu|torch_cuda|c10|c10_cuda' "$cuda_module"
)
[[ -z $missing ]] || die "the archive would lack $(tr '\n' ' ' <<<"$missing"): add them to the bundle in worker/CMakeLists.txt"
foreign=$(readelf -d "$folder"/bin/* "$folder"/lib/* 2>/dev/null | sed -n 's/.*\(RPATH\|RUNPATH\).*\[\(.*\)\]/\2/p' |
  tr ':' '\n' | grep -v '^\$ORIGIN' | sort -u || true)
[[ -z $foreign ]] || die "a library would be looked for in folders of this machine: $(tr '\n' ' ' <<<"$foreign")"

mkdir -p "$(dirname -- "$output")"
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$making" -cf - "$name" | gzip -9n >"$output.making"
bytes=$(stat -c %s "$output.making")
((bytes <= limit_mb * 1000000)) ||
  { rm -f "$output.making"; die "the archive has $bytes bytes, more than $limit_mb MB"; }
mv "$output.making" "$output"
glibc=$(objdump -T "$folder"/bin/* "$folder"/lib/* 2>/dev/null | grep -oE 'GLIBC_[0-9]+\.[0-9]+' | sort -uV | tail -n 1)
say "$output: $(awk -v b="$bytes" 'BEGIN {printf "%.1f", b / 1e6}') MB, for machines with glibc ${glibc#GLIBC_} or newer"
