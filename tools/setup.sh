#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the packages that building needs, by their names in Debian 12 and Ubuntu 24.04, the npm
# packages that the page is built with, on Debian 12 a newer oneDNN, and what the Python package is
# built with. Silent and quick, without root, when nothing is missing.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: tools/setup.sh [--python] [--tests] [--checks]

Installs the packages that building vggt-attn needs, with apt-get, as root or through sudo; into
web/node_modules what the page of 'vggt-attn view' is built with, with npm; and into build-onednn/
oneDNN 3.2 with pip, on Debian 12, whose own is older.

  --python   also, in build-python/ with pip, what the Python package is built and tested with
  --tests    also what the tests and benchmarks need; includes --python
  --checks   also what ./test.sh --asan and .ci/run need: clang, clang-format, clang-tidy, valgrind
TEXT
}

packages=(
  g++ cmake ninja-build pkg-config python3
  libdnnl-dev libhwy-dev libeigen3-dev                    # computing
  libpng-dev libjpeg-dev libwebp-dev                      # pictures
  libheif-dev libavif-dev libtiff-dev libgif-dev          # more of them, optional
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev  # videos, optional
  libcairo2-dev libpango1.0-dev fonts-inter               # figures
  libdeflate-dev zlib1g-dev                               # compression
  nlohmann-json3-dev libcli11-dev libfmt-dev              # text
  libmicrohttpd-dev                                       # serving
)
# Other sources of Node than the distribution's will do, too.
has_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    node --eval 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'
}
has_node || packages+=(nodejs npm)
# Ubuntu has Chromium only as a snap, which no script can rely on, and PyTorch in some releases only.
debian_only=(chromium-headless-shell python3-torch)
with_python=
system=$([[ ! -f /etc/os-release ]] || (. /etc/os-release && echo "$ID-${VERSION_ID-}-$(uname -m)"))
[[ $system != ubuntu-* ]] || debian_only=()
# Decodes HEIC; in Debian 12 it is part of libheif1.
[[ $system != ubuntu-* && $system != debian-1[3-9]* ]] || packages+=(libheif-plugin-libde265)
for argument in "$@"; do
  case $argument in
    --python) with_python=1 ;;
    --tests)
      with_python=1
      packages+=(ccache libgtest-dev libgmock-dev libbenchmark-dev python3-numpy python3-pil python3-pytest
                 "${debian_only[@]}")
      ;;
    # libomp-14-dev: the omp.h that clang-tidy reads in place of GCC's.
    --checks) packages+=(git clang libclang-rt-14-dev clang-format-14 clang-tidy-14 libomp-14-dev valgrind) ;;
    -h | --help) usage && exit ;;
    *) echo "tools/setup.sh: unknown argument '$argument'" >&2 && usage >&2 && exit 2 ;;
  esac
done

[[ ! $with_python ]] || packages+=(python3-dev python3-venv)

# oneDNN 2 multiplies bfloat16 five times as slowly as 3 on processors with AMX. The package is for
# x86-64; elsewhere the system's has to do.
newer_onednn=
if [[ $system == debian-12-x86_64 ]]; then
  newer_onednn=1
  packages+=(python3-pip)
fi

refuse() {
  printf 'tools/setup.sh: %s\nNeeded, by their names in Debian 12:\n  %s\n' "$1" "${missing[*]}" |
    fold --spaces --width=100 >&2
  exit 1
}

install_packages() {
  missing=("${packages[@]}")
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    refuse "this system has no apt-get. Install what is named below with its own package manager,
run npm ci in web/, then build with: cmake --preset release && cmake --build --preset release"

  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "${packages[@]}" \
    2>/dev/null || true)
  missing=()
  for package in "${packages[@]}"; do
    grep --quiet --line-regexp --fixed-strings "installed $package" <<<"$installed" ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if ((EUID == 0)); then
    as_root=()
  elif command -v sudo >/dev/null; then
    as_root=(sudo)
  else
    refuse "packages are missing, and installing them takes root or sudo."
  fi

  echo "Installing ${#missing[@]} packages: ${missing[*]}"
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --option DPkg::Lock::Timeout=300)
  "$here/quietly.sh" "$logs/apt.log" "${apt[@]}" update
  "$here/quietly.sh" "$logs/apt.log" "${apt[@]}" install --yes --no-install-recommends \
    "${missing[@]}"
}

install_node_modules() {
  local lock=$here/../web/package-lock.json modules=$here/../web/node_modules
  # A copy of the lock file says which packages are there, all of them.
  local stamp=$modules/.installed-lock.json
  ! cmp --silent "$lock" "$stamp" || return 0
  if ! has_node; then
    echo "tools/setup.sh: Node 18 or later and npm are needed" >&2
    return 1
  fi
  echo "Installing the packages that the page is built with, in web/node_modules/ …"
  # No package's own scripts run.
  "$here/quietly.sh" "$logs/npm.log" \
    npm ci --prefix "$here/../web" --ignore-scripts --no-audit --no-fund --no-update-notifier
  cp "$lock" "$stamp"
}

install_onednn() {
  [[ ! $newer_onednn ]] || "$here/get_onednn.sh"
}

install_python() {
  local folder=$here/../build-python list=$here/python.txt
  [[ $with_python ]] && ! cmp --silent "$list" "$folder/installed.txt" || return 0
  echo "Installing what the Python package is built with, in build-python/ …"
  /usr/bin/python3 -m venv --clear "$folder"
  "$here/quietly.sh" "$logs/pip.log" "$folder/bin/python" -m pip install --quiet \
    --disable-pip-version-check --only-binary :all: --require-hashes --requirement "$list"
  cp "$list" "$folder/installed.txt"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
logs=$(mktemp -d)
trap 'rm -r "$logs"' EXIT
install_packages
install_node_modules
install_onednn
install_python
