#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel that is given out, with all libraries inside.
set -euo pipefail

case ${1-} in
  "") ;;
  -h | --help)
    cat <<'TEXT'
Usage: tools/build_wheel.sh

Builds build-wheel/dist/vggt_attn-….whl, which needs nothing but Python, NumPy and the C and C++
libraries. Needs what 'tools/setup.sh --python' installs. With ccache, what build/ has compiled is
not compiled again.
TEXT
    exit
    ;;
  *) echo "tools/build_wheel.sh: unknown argument '$1' (see --help)" >&2 && exit 2 ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/ccache.sh

mkdir -p build-wheel
rm -rf build-wheel/raw build-wheel/dist
# FFmpeg, libheif and libavif are made with encoders (x264 and x265 under the GPL, SVT-AV1, rav1e …) that are larger than
# all the rest, and of which nothing here makes use.
tools/quietly.sh build-wheel/build.log build-python/bin/python -m pip wheel --quiet \
  --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir build-wheel/raw . \
  --config-settings=build-dir=build-wheel \
  --config-settings=cmake.define.Python_EXECUTABLE="$PWD/build-python/bin/python" \
  --config-settings=cmake.define.VGGT_PYTHON_LICENCES=ON \
  --config-settings=cmake.define.VGGT_WITH_AVIF=OFF \
  --config-settings=cmake.define.VGGT_WITH_HEIF=OFF \
  --config-settings=cmake.define.VGGT_WITH_VIDEO=OFF
PATH=$PWD/build-python/bin:$PATH tools/quietly.sh build-wheel/repair.log \
  build-python/bin/python tools/repair_wheel.py build-wheel/raw/*.whl build-wheel/dist

for wheel in build-wheel/dist/*.whl; do
  size=$(stat --format %s "$wheel")
  echo "$wheel, $((size / 1000000)) MB"
  if ((size > 40000000)); then
    echo "tools/build_wheel.sh: the wheel is larger than 40 MB" >&2
    exit 1
  fi
done
