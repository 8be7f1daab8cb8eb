#!/usr/bin/env bash
# Usage: build.sh OUTPUT_FOLDER [CMAKE_PREFIX_PATH]
# Configures and compiles the shim in OUTPUT_FOLDER. Says what is missing in one message and exits 1.
set -u
sources=$(cd "$(dirname "$0")" && pwd)
output=$1
prefix=${2:-}
log=$output/build.log
mkdir -p "$output"

fail() { echo "$*"; exit 1; }

for tool in cmake make c++; do
  command -v "$tool" >/dev/null || fail "Cannot compile the LibTorch shim: '$tool' is missing. Install it: apt-get install libtorch-dev libopenblas0-openmp cmake g++"
done

# Two builds in one checkout take turns.
exec 9>"$output/lock"
flock 9

# A cache made for another prefix or another checkout is of no use.
if ! cmp -s "$output/configured-for" <(echo "$sources $prefix"); then
  rm -rf "$output/CMakeCache.txt" "$output/CMakeFiles"
  cmake -S "$sources" -B "$output" -DCMAKE_BUILD_TYPE=Release ${prefix:+-DCMAKE_PREFIX_PATH="$prefix"} >"$log" 2>&1 ||
    fail "Cannot find LibTorch. Install it (apt-get install libtorch-dev libopenblas0-openmp cmake g++), or set CMAKE_PREFIX_PATH to the share/cmake folder of a PyTorch installation. CMake's log: $log"
  echo "$sources $prefix" >"$output/configured-for"
fi

if ! cmake --build "$output" --parallel "$(nproc)" >"$log" 2>&1; then
  grep -m 5 -E 'error|Error' "$log"
  fail "Cannot compile the LibTorch shim. The compiler's log: $log"
fi
touch "$output/libespalier_torch.so" "$output/libespalier_kernels.so"
