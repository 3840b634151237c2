#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; prints the minutes of each step. See --help.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../deploy/common.sh"

usage() {
  cat <<USAGE
usage: tests/run.sh [--build-only] [--label LABEL] [--no-sanitizers] [-j N]
  --build-only     stop after the build
  --label LABEL    only the tests of one label: unit, smoke, simulation, chaos or long (long never runs otherwise)
  --no-sanitizers  without the AddressSanitizer and ThreadSanitizer builds of the pure folders
  -j N             parallel compilations; default: the cores, as far as memory goes
It ends with 0 if every step passed. Logs of the tests lie in build/*/Testing.
USAGE
}

build_only=no
only_label=
sanitizers=yes
jobs=$(nproc)
while (($#)); do
  case $1 in
    --build-only) build_only=yes ;;
    --label) only_label=${2:?--label takes a name}; shift ;;
    --label=*) only_label=${1#*=} ;;
    --no-sanitizers) sanitizers=no ;;
    -j) jobs=${2:?-j takes a number}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument '$1'" ;;
  esac
  shift
done
case $only_label in
  "" | unit | smoke | simulation | chaos | long) ;;
  *) die "--label takes unit, smoke, simulation, chaos or long, not '$only_label'" ;;
esac

# A compilation takes up to 1.5 GB (LibTorch's headers).
memory_jobs=$(($(awk '/^MemAvailable/ {print $2}' /proc/meminfo) / 1500000))
((memory_jobs >= 1)) || memory_jobs=1
((jobs <= memory_jobs)) || jobs=$memory_jobs

cd "$root"
names=() results=() seconds=()
failed=0

# step NAME COMMAND...: runs it, keeps its time and result; a failure does not stop the others.
step() {
  local name=$1 begin=$EPOCHREALTIME code=0
  shift
  printf '\n=== %s\n' "$name"
  "$@" || code=$?
  names+=("$name")
  seconds+=("$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')")
  if ((code == 0)); then
    results+=("passed")
  else
    results+=("FAILED ($code)")
    failed=1
  fi
  return 0
}

finish() {
  printf '\n%-28s %8s  %s\n' "step" "minutes" "result"
  local i sum=0
  for i in "${!names[@]}"; do
    awk -v n="${names[i]}" -v s="${seconds[i]}" -v r="${results[i]}" \
      'BEGIN {printf "%-28s %8.2f  %s\n", n, s / 60, r}'
    sum=$(awk -v a="$sum" -v b="${seconds[i]}" 'BEGIN {print a + b}')
  done
  awk -v s="$sum" -v r="$( ((failed)) && echo FAILED || echo passed)" \
    'BEGIN {printf "%-28s %8.2f  %s\n", "all", s / 60, r}'
  exit "$failed"
}

must_pass() { ((failed == 0)) || finish; }

configure() { cmake --preset "$1" >build/configure-"$1".log 2>&1 || { cat build/configure-"$1".log; return 1; }; }
build() { cmake --build --preset "$1" -j "$jobs" --target "${2:-all}"; }

# Unit and smoke tests share the cores; tests that look at the clock have the machine for themselves.
run_label() {
  local parallel=1
  [[ $1 != unit && $1 != smoke ]] || parallel=$(nproc)
  ctest --test-dir build/release -L "^$1\$" --output-on-failure -j "$parallel" --no-tests=ignore </dev/null
}

check_format() {
  find proto coordinator worker client tests \( -name '*.h' -o -name '*.cc' \) -print0 |
    xargs -0 -r -n 20 -P "$(nproc)" clang-format --dry-run --Werror
}

# The pure folders under a sanitizer. ThreadSanitizer wants the addresses where it expects them.
sanitized() {
  configure "$1" && build "$1" || return
  local fixed_addresses=()
  if setarch -R true 2>/dev/null; then fixed_addresses=(setarch -R); fi
  "${fixed_addresses[@]}" ctest --test-dir "build/$1" --output-on-failure -j "$(nproc)" -LE '^long$' \
    --no-tests=error </dev/null
}

mkdir -p build
step "setup" bash deploy/setup.sh --for test
must_pass
step "configure" configure release
must_pass
step "build" build release
if [[ $build_only == yes ]]; then finish; fi
must_pass
if [[ -n $only_label ]]; then
  step "tests: $only_label" run_label "$only_label"
  finish
fi
for label in unit smoke simulation chaos; do
  step "tests: $label" run_label "$label"
done
step "format" check_format
step "clang, thread safety" python3 tests/clang_check.py build/release --jobs "$jobs"
if [[ $sanitizers == yes ]]; then
  step "address, undefined" sanitized asan
  step "thread" sanitized tsan
fi
finish
