#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds everything and runs all tests.
set -euo pipefail

preset=release
case ${1-} in
  "") ;;
  --asan) preset=asan ;;
  -h | --help)
    cat <<'TEXT'
Usage: ./test.sh [--asan]

Installs missing Debian or Ubuntu packages (as root or through sudo), builds everything in build/
and runs all tests; then builds the Python package in build-wheel/ and tests it as users install it.
--asan builds in build-asan/ with clang, AddressSanitizer and UndefinedBehaviorSanitizer instead,
without the Python package.
TEXT
    exit
    ;;
  *) echo "test.sh: unknown argument '$1' (see --help)" >&2 && exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")"
build=build bench=ON needs=(--tests)
[[ $preset == release ]] || build=build-$preset bench=OFF needs+=(--checks)

tools/setup.sh "${needs[@]}"
. tools/ccache.sh

echo "Building in $build/ (some minutes, the first time) …"
tools/quietly.sh "$build/configure.log" \
  cmake --preset "$preset" -DVGGT_BUILD_TESTS=ON -DVGGT_BUILD_BENCH=$bench
tools/quietly.sh "$build/build.log" cmake --build --preset "$preset"

# Exceptions leave fake frames behind. Once their stack is full, every call searches all of it: it is kept small.
export ASAN_OPTIONS=detect_stack_use_after_return=1:max_uar_stack_size_log=16:check_initialization_order=1
export UBSAN_OPTIONS=print_stacktrace=1
# A process that is killed leaves the mark of LLVM's OpenMP in /dev/shm, and a later one that gets its number would stop.
export KMP_DUPLICATE_LIB_OK=TRUE
# Two tests run at once: the threads of one that wait must not take processors from the other.
OMP_WAIT_POLICY=passive ctest --preset "$preset" --progress
[[ $preset != release ]] || tools/test_wheel.sh
