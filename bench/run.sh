#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures everything on this machine, side by side with what limits it, and writes
# docs/performance.md; bench/run.sh --help says more. Needs what tools/setup.sh --tests installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec python3 bench/run.py "$@"
