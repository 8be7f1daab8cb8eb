#!/usr/bin/env bash
# Usage: build.sh OUTPUT_FOLDER LIBRARY_FILE...
# Configures and compiles the kernels in OUTPUT_FOLDER. Says what is missing in one message and exits 1.
set -u
sources=$(cd "$(dirname "$0")" && pwd)
output=$1
log=$output/build.log
mkdir -p "$output"

fail() { echo "$*"; exit 1; }

for tool in cmake make c++; do
  command -v "$tool" >/dev/null || fail "Cannot compile the fused kernels: '$tool' is missing. Install it: apt-get install cmake make g++"
done

# Two builds in one checkout take turns.
exec 9>"$output/lock"
command -v flock >/dev/null && flock 9

# CMake refuses a cache that was made in another checkout.
if ! cmp -s "$output/configured-for" <(echo "$sources"); then
  rm -rf "$output/CMakeCache.txt" "$output/CMakeFiles"
  cmake -S "$sources" -B "$output" -DCMAKE_BUILD_TYPE=Release >"$log" 2>&1 || fail "CMake cannot configure the fused kernels; its log: $log"
  echo "$sources" >"$output/configured-for"
fi

if ! cmake --build "$output" --parallel "$(nproc)" >"$log" 2>&1; then
  grep -m 5 -E 'error|Error' "$log"
  fail "Cannot compile the fused kernels. The compiler's log: $log"
fi
for library in "${@:2}"; do touch "$output/$library"; done
