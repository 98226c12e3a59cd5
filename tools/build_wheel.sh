#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel that is given out, with all libraries inside.
set -euo pipefail

case ${1-} in
  -h | --help)
    cat <<'TEXT'
Usage: tools/build_wheel.sh [PYTHON]

Builds build-wheel/dist/vggt_attn-….whl, which needs nothing but Python, NumPy and the C and C++
libraries. Needs what 'tools/setup.sh --python' installs. With ccache, what build/ has compiled is
not compiled again.

  PYTHON  of another environment, which has the packages of tools/python.txt; it builds in
          build-wheel-cp312/ or as its version is. The wheel of Python 3.12 is for all later ones.
TEXT
    exit
    ;;
  -*) echo "tools/build_wheel.sh: unknown argument '$1' (see --help)" >&2 && exit 2 ;;
esac
python=$(realpath --no-symlinks "${1-$(dirname "${BASH_SOURCE[0]}")/../build-python/bin/python}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/ccache.sh

folder=build-wheel
(($# == 0)) || folder+=-$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
mkdir -p "$folder"
rm -rf "$folder/raw" "$folder/dist"
# FFmpeg, libheif and libavif are made with encoders (x264 and x265 under the GPL, SVT-AV1, rav1e …) that are larger than
# all the rest, and of which nothing here makes use.
tools/quietly.sh "$folder/build.log" "$python" -m pip wheel --quiet \
  --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir "$folder/raw" . \
  --config-settings=build-dir="$folder" \
  --config-settings=cmake.define.Python_EXECUTABLE="$python" \
  --config-settings=cmake.define.VGGT_PYTHON_LICENCES=ON \
  --config-settings=cmake.define.VGGT_WITH_AVIF=OFF \
  --config-settings=cmake.define.VGGT_WITH_HEIF=OFF \
  --config-settings=cmake.define.VGGT_WITH_VIDEO=OFF
PATH=$(dirname "$python"):$PATH tools/quietly.sh "$folder/repair.log" \
  "$python" tools/repair_wheel.py "$folder"/raw/*.whl "$folder/dist"

for wheel in "$folder"/dist/*.whl; do
  size=$(stat --format %s "$wheel")
  echo "$wheel, $((size / 1000000)) MB"
  if ((size > 40000000)); then
    echo "tools/build_wheel.sh: the wheel is larger than 40 MB" >&2
    exit 1
  fi
done
