#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails on any warning of clang-tidy 14, as .clang-tidy has it, in what build/ compiles.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ! -f build/compile_commands.json ]]; then
  echo "tools/check_tidy.sh: nothing is built in build/; run ./test.sh first" >&2
  exit 1
fi

# The compile commands are GCC's: clang does not know each of its warnings. In build/ several files
# are compiled at once, each included by one that CMake writes.
check='clang-tidy-14 -p build --quiet --extra-arg=-Wno-unknown-warning-option \
  --checks=-bugprone-suspicious-include "$0" 2>&1 |
  { grep -v "warnings generated" || true; }; exit "${PIPESTATUS[0]}"'
sed -n 's/^ *"file": "\(.*\)",*$/\1/p' build/compile_commands.json | grep -v asset_table.cc | sort -u |
  tr '\n' '\0' | xargs -0 -n 1 -P "$(nproc)" bash -c "$check"
