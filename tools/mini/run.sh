#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh EXAMPLES [WORK]: trains vggt-mini from nothing; see README.md.
set -euo pipefail
examples=$(realpath "${1:?the examples folder of the VGGT repository}")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$(realpath -m "${2:-$here/../../build-mini}")
cd "$here"
/usr/bin/python3 data.py fetch --work "$work"
/usr/bin/python3 data.py make --work "$work" --examples "$examples"
/usr/bin/python3 train.py --work "$work"
/usr/bin/python3 evaluate.py "$work/vggt-mini.safetensors" --work "$work" --examples "$examples"
