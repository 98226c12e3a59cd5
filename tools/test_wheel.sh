#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel and tests it as users have it: installed into virtual environments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/build_wheel.sh

# install NAME: the wheel, into the environment build-wheel/NAME.
install() {
  tools/quietly.sh build-wheel/pip.log build-python/bin/python -m pip --python "build-wheel/$1/bin/python" \
    install --quiet --disable-pip-version-check --no-deps --no-index build-wheel/dist/*.whl
}

# What tools/setup.sh has installed, which is nothing of ours, in a place of its own.
echo "Testing the wheel in a new environment …"
rm -rf build-wheel/alone
cp --archive build-python/. build-wheel/alone
install alone
# The notebook's page mostly waits, for its kernel and the browser.
VGGT_PYTHON=$PWD/build-wheel/alone/bin/python npm --prefix web run --silent test:notebook >build-wheel/notebook.log 2>&1 &
notebook=$!
trap 'kill "$notebook" 2>/dev/null || true' EXIT
build-wheel/alone/bin/python -m pytest --quiet --ignore python/tests/torch
wait "$notebook" || { cat build-wheel/notebook.log >&2 && exit 1; }
cat build-wheel/notebook.log

# With the distribution's NumPy, older than pip's, and its PyTorch, where it has one.
if /usr/bin/python3 -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'; then
  echo "Testing the wheel beside PyTorch …"
  /usr/bin/python3 -m venv --clear --without-pip --system-site-packages build-wheel/torch
  install torch
  build-wheel/torch/bin/python -m pytest --quiet python/tests/torch
fi
