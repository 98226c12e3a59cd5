#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures kernels and exports on this machine, each beside the rate that limits it, and writes
# docs/performance.md. bench/run.sh --help tells the options. Needs what tools/setup.sh --tests
# installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec python3 bench/run.py "$@"
