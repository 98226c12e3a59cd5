#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel and tests it as users have it: installed into virtual environments.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools/build_wheel.sh

# environment NAME FLAG…: a new one in build-wheel/NAME with the wheel in it.
environment() {
  /usr/bin/python3 -m venv --clear "${@:2}" "build-wheel/$1"
  if (($# == 1)); then
    tools/quietly.sh build-wheel/pip.log "build-wheel/$1/bin/python" -m pip install --quiet \
      --disable-pip-version-check --only-binary :all: --require-hashes --requirement tools/python.txt
  fi
  tools/quietly.sh build-wheel/pip.log "build-wheel/$1/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps --no-index build-wheel/dist/*.whl
}

echo "Testing the wheel in a new environment …"
environment alone
build-wheel/alone/bin/python -m pytest --quiet --ignore python/tests/torch
VGGT_PYTHON=$PWD/build-wheel/alone/bin/python npm --prefix web run --silent test:notebook

# With the distribution's NumPy, older than pip's, and its PyTorch, where it has one.
if /usr/bin/python3 -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'; then
  echo "Testing the wheel beside PyTorch …"
  environment torch --system-site-packages
  build-wheel/torch/bin/python -m pytest --quiet python/tests/torch
fi
