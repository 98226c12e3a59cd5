# SPDX-License-Identifier: Apache-2.0
# For scripts to read: build folders of this repository share what they compile, if there is ccache. Paths are taken as
# seen from the build folder, and the compiler has one name (Python's builds would call it x86_64-linux-gnu-g++), so that
# build/ and build-wheel/ compile the same.
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
  export CXX=${CXX-c++}
  export CCACHE_DIR=${CCACHE_DIR-$PWD/build-ccache} CCACHE_BASEDIR=${CCACHE_BASEDIR-$PWD} CCACHE_NOHASHDIR=1
fi
