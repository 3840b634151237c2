#!/usr/bin/env bash
# The portable worker takes every library from its own folder, LibTorch or glibc, says what is missing, and computes the
# pixels of the worker it was made from.
# usage: bundle_test.sh SOURCE_DIR BUILD_DIR SITE_PACKAGES
set -euo pipefail
source_dir=$1 build=$2 packages=$3
export TILEWRIGHT_CONFIG=/dev/null TILEWRIGHT_WORKER_CONFIG=/dev/null

fail() {
  echo "bundle_test: $*" >&2
  exit 1
}
folder=$(mktemp -d)
children=()
clean() {
  ((${#children[@]} == 0)) || kill -KILL "${children[@]}" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean EXIT

bash "$source_dir/deploy/bundle.sh" --build "$build" --output "$folder/worker.tar.gz"
tar -xzf "$folder/worker.tar.gz" -C "$folder"
worker=$(echo "$folder"/tilewright-worker-*)

echo "It refuses a torch of another version."
mkdir -p "$folder/other/torch/lib"
touch "$folder/other/torch/lib/libtorch_cpu.so"
echo "__version__ = '1.0.0+cpu'" >"$folder/other/torch/version.py"
if "$worker/attach-torch" "$folder/other" 2>"$folder/refusal"; then fail "torch 1.0.0 was accepted"; fi
grep -q "holds torch 1.0.0" "$folder/refusal" || fail "the refusal does not name the version: $(<"$folder/refusal")"
"$worker/attach-torch" "$packages"

# Paths outside the archive and LibTorch, without glibc's.
strangers() {
  { LD_TRACE_LOADED_OBJECTS=1 "$worker/bin/tilewright-worker" && LD_TRACE_LOADED_OBJECTS=1 "$worker/bin/tilewright-supervisor"; } |
    awk '{print $3}' | grep -vE "^($worker/|$packages/|$)|/lib(c|m|dl|rt|pthread|util|resolv)\.so" || true
}
echo "It takes nothing of this system but glibc."
[[ -z $(strangers) ]] || fail "it takes from this system: $(strangers)"
mv "$worker"/lib/libupb.so.* "$folder/"
[[ $(strangers) == *libupb* || $(LD_TRACE_LOADED_OBJECTS=1 "$worker/bin/tilewright-worker") == *"libupb.so"*"not found"* ]] ||
  fail "the check above does not see a library that is missing"
mv "$folder"/libupb.so.* "$worker/lib/"

echo "It has what AOTInductor packages need of libtorch.so."
[[ $(readelf -d "$worker/lib/libtilewright_libtorch.so") == *"soname: [libtorch.so]"* ]] || fail "no stand-in for libtorch.so"
[[ -e $worker/lib/libtilewright_cuda.so ]] || fail "no module for CUDA graphs"

echo "It computes the same pixels."
start() {
  "$@" >>"$folder/log" 2>&1 </dev/null &
  children+=($!)
}
start "$build/bin/tilewright-coordinator" --listen 127.0.0.1:0 --port-file "$folder/port" --state-dir "$folder/state" \
  --models "$source_dir/deploy/models"
for _ in {1..600}; do [[ -s $folder/port ]] && break; sleep 0.1; done
[[ -s $folder/port ]] || fail "the coordinator does not serve: $(<"$folder/log")"
export TILEWRIGHT_COORDINATOR=127.0.0.1:$(<"$folder/port")
render() {
  "$build/bin/tilewright" render -i "$source_dir/deploy/images/before_after.jpg" -o "$folder/$1.tif" -n lanczos4x-torch --json \
    >"$folder/$1.json" 2>>"$folder/log" || fail "the render by $1 failed: $(<"$folder/log")"
  grep -q "\"name\":\"$1\"" "$folder/$1.json" || fail "$1 did not compute: $(<"$folder/$1.json")"
}
start "$build/bin/tilewright-worker" --name built --threads 1 --cache-dir "$folder/cache-built"
render built
kill -TERM "${children[1]}"
wait "${children[1]}"
start "$worker/bin/tilewright-worker" --name bundled --threads 1 --cache-dir "$folder/cache-bundled"
render bundled
# Of the files, only the order of their blocks may differ.
pixel_hash() { grep -o '"pixel_hash":"[0-9a-f]\{16\}"' "$folder/$1.json"; }
built_hash=$(pixel_hash built) || fail "no pixel hash in $(<"$folder/built.json")"
[[ $built_hash == "$(pixel_hash bundled)" ]] || fail "the bundled worker's pixels differ"
