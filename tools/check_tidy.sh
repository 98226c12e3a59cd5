#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails on any warning of clang-tidy 14, as .clang-tidy has it. Needs tools/setup.sh --tests --checks.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Most of the time goes to headers of other libraries: all sources of a room are read at once. What the build makes
# does not exist here, and is not looked at. The compile commands are GCC's: clang does not know each of its warnings.
tools/quietly.sh build-tidy/configure.log \
  cmake --preset release -B build-tidy -DVGGT_BUILD_TESTS=ON
check='[[ ! -f $0 ]] || clang-tidy-14 -p build-tidy --quiet --extra-arg=-Wno-unknown-warning-option \
  --checks=-bugprone-suspicious-include "$0" 2>&1 |
  { grep -v "warnings generated" || true; }; exit "${PIPESTATUS[0]}"'
sed -n 's/^ *"file": "\(.*\)",*$/\1/p' build-tidy/compile_commands.json | sort -u |
  tr '\n' '\0' | xargs -0 -n 1 -P "$(nproc)" bash -c "$check"
