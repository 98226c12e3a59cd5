#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails on any C++ file that clang-format 14 would change (to let it: clang-format-14 -i FILE…).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-14 --dry-run --Werror
