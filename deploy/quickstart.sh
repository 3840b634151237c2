#!/usr/bin/env bash
# One command from a bare Debian 12 to a picture: installs, builds, starts a coordinator and two workers on loopback,
# renders, and leaves no process behind. See --help.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

model=lanczos4x-torch
out=$root/build/quickstart
bin=$root/build/release/bin

usage() {
  cat <<USAGE
usage: deploy/quickstart.sh [IMAGE]
Enlarges IMAGE four times with $model on two workers of one thread each, into
build/quickstart/<name>_x4.tif, and makes a PNG preview of at most 2,048 pixels beside it. An older
result is replaced. Without IMAGE it takes a picture of 3840x2160 pixels from the Debian package
mate-backgrounds.
USAGE
}

image=
while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; die "unknown argument '$1'" ;;
    *)
      [[ -z $image ]] || die "one image at a time; '$1' is the second"
      image=$1
      ;;
  esac
  shift
done
if [[ -n $image ]]; then
  [[ -r $image && -f $image ]] || die "cannot read the image '$image': no such file, or no permission"
  image=$(realpath -- "$image")
fi

# The sample picture, unpacked from its package without installing it (the package would draw in a desktop).
fetch_sample() {
  local folder=$TILEWRIGHT_CACHE/mate-backgrounds making
  image=$folder/usr/share/backgrounds/mate/abstract/Elephants_3840x2160.jpg
  if [[ -f $image ]]; then return; fi
  say "fetching a sample picture (46 MB, Debian package mate-backgrounds)"
  mkdir -p "$TILEWRIGHT_CACHE"
  making=$(mktemp -d "$TILEWRIGHT_CACHE/mate-backgrounds.XXXXXX")
  download() { (cd "$making" && apt-get -q -o Acquire::Retries=3 download mate-backgrounds 2>"$making/log"); }
  # Without package lists apt knows no package.
  download || { apt update && download; } ||
    { cat "$making/log" >&2; rm -rf "$making"; die "could not download the sample picture; give one of your own: deploy/quickstart.sh IMAGE"; }
  dpkg-deb -x "$making"/mate-backgrounds_*.deb "$making"
  rm -f "$making"/mate-backgrounds_*.deb "$making/log"
  rm -rf "$folder"
  mv "$making" "$folder"
  [[ -f $image ]] || die "the package mate-backgrounds no longer holds $image; give a picture of your own: deploy/quickstart.sh IMAGE"
}

# Ends what this script started: politely, then firmly, and waits for it.
children=()
stop_all() {
  local pid deadline=$((SECONDS + 10))
  ((${#children[@]})) || return 0
  kill -TERM "${children[@]}" 2>/dev/null || true
  for pid in "${children[@]}"; do
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  children=()
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# start NAME COMMAND...: in the background, its output in build/quickstart/NAME.log.
start() {
  local name=$1
  shift
  "$@" >"$out/$name.log" 2>&1 </dev/null &
  children+=($!)
}

bash "$root/deploy/setup.sh" --for quickstart
[[ -n $image ]] || fetch_sample

say "building (the first time takes some minutes)"
cd "$root"
mkdir -p "$out"
{ cmake --preset release && cmake --build --preset release --target tilewright-coordinator tilewright-worker tilewright; } >"$out/build.log" 2>&1 ||
  { tail -n 40 "$out/build.log" >&2; die "the build failed; the whole log is $out/build.log"; }

name=$(basename -- "$image")
name=${name%.*}
result=$out/${name}_x4.tif
preview=$out/${name}_x4_preview.png
port_file=$out/port
rm -f "$port_file" "$preview"

start coordinator "$bin/tilewright-coordinator" --listen 127.0.0.1:0 --port-file "$port_file" \
  --state-dir "$out/state" --models "$root/deploy/models"
deadline=$((SECONDS + 30))
until [[ -s $port_file ]]; do
  kill -0 "${children[0]}" 2>/dev/null || { tail -n 20 "$out/coordinator.log" >&2; die "the coordinator ended; its log is above"; }
  ((SECONDS < deadline)) || { tail -n 20 "$out/coordinator.log" >&2; die "the coordinator did not serve within 30 seconds; its log is above"; }
  sleep 0.05
done
export TILEWRIGHT_COORDINATOR=127.0.0.1:$(<"$port_file")
for worker in one two; do
  start "worker-$worker" "$bin/tilewright-worker" --coordinator "$TILEWRIGHT_COORDINATOR" --name "$worker" \
    --device cpu --threads 1
done

say "rendering $image with $model"
# In the background, so that a signal ends this script at once; it still writes to the terminal.
"$bin/tilewright" render -i "$image" -o "$result" -n "$model" --overwrite --json >"$out/job.json" &
children+=($!)
wait $! || die "the render failed (see above); the logs of coordinator and workers are in $out"
stop_all

vipsthumbnail "$result" --size '2048x2048>' -o "$preview"

python3 - "$out/job.json" "$result" "$preview" <<'PYTHON'
import json, os, sys

report, result, preview = sys.argv[1:]
with open(report, encoding="utf-8") as lines:
    job = json.loads(lines.read().splitlines()[-1])
width, height, seconds = job["output_width"], job["output_height"], job["seconds"]
print()
print(f"  picture  {result}  ({width} x {height} pixels, {os.path.getsize(result) / 1e6:.0f} MB)")
print(f"  preview  {preview}")
for worker in job["workers"]:
    print(f"  worker   {worker['name']}: {worker['tiles']} tiles")
print(f"  time     {seconds:.1f} s for {job['tiles']} tiles, {width * height / 1e6 / seconds:.1f} Mpx/s of output")
PYTHON
