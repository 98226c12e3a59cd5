#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the tests of all rooms with threads of their own in build-tsan/, with ThreadSanitizer, and runs them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rooms=(core formats store_maps attention capture server)
tools/quietly.sh build-tsan/configure.log cmake --preset tsan
tools/quietly.sh build-tsan/build.log cmake --build --preset tsan --target "${rooms[@]/%/_tests}"

# One thread for OpenMP, whose own synchronisation ThreadSanitizer does not know: oneDNN then starts none, and
# core/parallel has threads of another kind in this build. Left out are
# * tests of one thread in formats, core and the stores, which take most of the time,
# * MappedFile.ManyThreadsMayMeetTheEndAtOnce: that the kernel replaces a page under a reader, which is what
#   it tests, is a race in ThreadSanitizer's eyes.
export OMP_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=1
ctest --preset tsan --progress \
  --tests-regex '^(server|capture|attention)/|^core/(Parallel|StagedDirectory|File)|^store/maps/InflatedCache|SameBytes'
