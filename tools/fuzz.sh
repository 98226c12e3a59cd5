#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers in build-asan/ and runs each for some seconds, from the seeds in fuzz/seeds/ and
# the tests' golden files. Fails on the first finding and keeps what made it.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/fuzz.sh [--seconds N] [NAME …]

Runs the fuzzers NAME_fuzz, or all of them, for N seconds each (20), as many at a time as there are
processors. What makes one fail is kept in build-asan/findings/. Needs what tools/setup.sh --tests
--checks installs.
TEXT
}

seconds=20
names=()
while (($#)); do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number} && shift ;;
    -h | --help) usage && exit ;;
    -*) echo "tools/fuzz.sh: unknown argument '$1'" >&2 && usage >&2 && exit 2 ;;
    *) names+=("${1%_fuzz}") ;;
  esac
  shift
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
((${#names[@]})) || for file in fuzz/*_fuzz.cc; do names+=("$(basename "$file" _fuzz.cc)"); done

tools/quietly.sh build-asan/configure.log cmake --preset asan
tools/quietly.sh build-asan/build.log cmake --build --preset asan --target fuzzers

run() {
  local name=$1 seconds=$2 seeds=() corpus log
  corpus=$(mktemp -d)
  log=build-asan/$name.log
  case $name in
    decode_picture) seeds=(tests/golden/codec) ;;
    open_checkpoint) seeds=(tests/golden/checkpoints) ;;
    read_export | read_npz) seeds=(tests/golden/export/conv_single_image/attn_maps) ;;
  esac
  [[ ! -d fuzz/seeds/$name ]] || seeds+=("fuzz/seeds/$name")
  mkdir -p build-asan/findings
  if build-asan/fuzz/"${name}"_fuzz "$corpus" "${seeds[@]}" -max_total_time="$seconds" \
    -timeout=25 -rss_limit_mb=4000 -max_len=200000 -print_final_stats=1 \
    -artifact_prefix=build-asan/findings/"$name"- >"$log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, no finding"
    rm -r "$corpus"
  else
    tail -n 60 "$log" >&2
    echo "$name: a finding; see $log and build-asan/findings/" >&2
    rm -r "$corpus"
    return 1
  fi
}
export -f run
export KMP_DUPLICATE_LIB_OK=TRUE  # see test.sh
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run {} '"$seconds"
