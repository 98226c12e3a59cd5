#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Inside a manylinux_2_28 container (AlmaLinux 8), as root: installs what building the wheel needs. What the distribution
# has not, or has too old, is built from the sources of Debian 12, which are pinned here and are what all tests run with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pool=https://deb.debian.org/debian/pool/main
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# download SHA256 PATH: into $work/file.
download() {
  curl --fail --silent --show-error --location --retry 3 --output "$work/file" "$pool/$2"
  echo "$1  $work/file" | sha256sum --check --quiet
}

# source_of NAME SHA256 PATH COMMAND…: unpacks, keeps the licences, and runs COMMAND in the source folder.
source_of() {
  download "$2" "$3"
  rm -rf "$work/source" && mkdir "$work/source"
  tar --extract --file "$work/file" --directory "$work/source" --strip-components 1
  cat "$work"/source/{COPYING*,LICENSE*} >"/usr/local/share/vggt-licences/$1.txt" 2>/dev/null || true
  (cd "$work/source" && "${@:4}" && rm -rf "$work/source")
  ldconfig
}
# CMake 4, which the container has, refuses what says it needs less than 3.5, unless it is told so.
by_cmake() {
  cmake -S . -B out -G Ninja -DCMAKE_POLICY_VERSION_MINIMUM=3.5 -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_LIBDIR=lib \
    -DBUILD_SHARED_LIBS=ON -DBUILD_TESTING=OFF "$@"
  cmake --build out --target install
}
by_meson() { meson setup out --prefix=/usr/local --libdir=lib --buildtype=release "$@" && ninja -C out install; }
by_configure() { ./configure --prefix=/usr/local --libdir=/usr/local/lib --disable-static "$@" && make -j"$(nproc)" install; }

# The last Python that has distutils, which GLib's build needs.
export PATH=/opt/python/cp311-cp311/bin:$PATH
dnf --assumeyes module install nodejs:20
dnf --assumeyes --enablerepo=powertools install pkgconf-pkg-config xz bzip2 binutils gperf gettext libffi-devel \
  pcre2-devel zlib-devel libpng-devel libjpeg-turbo-devel libwebp-devel giflib-devel freetype-devel fontconfig-devel \
  cairo-devel
python3 -m pip install meson==1.2.3 ninja
mkdir -p /usr/local/share/vggt-licences
echo /usr/local/lib >/etc/ld.so.conf.d/local.conf

source_of highway 566fc77315878473d9a6bd815f7de78c73734acdcb745c3dde8579560ac5440e h/highway/highway_1.0.3.orig.tar.gz \
  by_cmake -DHWY_ENABLE_TESTS=OFF -DHWY_ENABLE_EXAMPLES=OFF -DHWY_ENABLE_CONTRIB=OFF
source_of fmt 84ce1c2d0be3a9863935137969dcec6970125caac032f82474640bfc81463583 f/fmtlib/fmtlib_9.1.0+ds1.orig.tar.gz \
  by_cmake -DFMT_TEST=OFF -DFMT_DOC=OFF
source_of nlohmann-json d69f9deb6a75e2580465c6c4c5111b89c4dc2fa94e3a85fcd2ffcd9a143d9273 \
  n/nlohmann-json3/nlohmann-json3_3.11.2.orig.tar.gz by_cmake -DJSON_BuildTests=OFF
source_of cli11 8143d20b688e98ccce8e24562d3b68e5f47c12e896c42c7ca8553dbde5bed55d c/cli11/cli11_2.1.2+ds.orig.tar.xz \
  by_cmake -DCLI11_BUILD_TESTS=OFF -DCLI11_BUILD_EXAMPLES=OFF -DCLI11_BUILD_DOCS=OFF
source_of eigen b4c198460eba6f28d34894e3a5710998818515104d6e74e5cc331ce31e46e626 e/eigen3/eigen3_3.4.0.orig.tar.bz2 \
  by_cmake -DEIGEN_BUILD_DOC=OFF
source_of libdeflate 89e7df898c37c3427b0f39aadcf733731321a278771d20fc553f92da8d4808ac \
  libd/libdeflate/libdeflate_1.14.orig.tar.gz make -j"$(nproc)" PREFIX=/usr/local install
source_of libmicrohttpd 796e7e217a4802679fcac667a4e98501c53185dcf50ca0583870e84192620131 \
  libm/libmicrohttpd/libmicrohttpd_0.9.75.orig.tar.xz by_configure --disable-https --disable-doc --disable-examples
source_of libtiff 638f43d7dea33948d5dee7f39572fc0194d9cc3c74195de9dd26a4388a1f880a t/tiff/tiff_4.5.0.orig.tar.bz2 \
  by_cmake -Dcxx=OFF -Dwebp=OFF -Dlzma=OFF -Dzstd=OFF -Djbig=OFF -Dlerc=OFF -Dtiff-tools=OFF -Dtiff-tests=OFF \
  -Dtiff-contrib=OFF -Dtiff-docs=OFF
source_of glib 069cf7e51cd261eb163aaf06c8d1754c6835f31252180aff5814e5afc7757fbc g/glib2.0/glib2.0_2.74.6.orig.tar.xz \
  by_meson -Dtests=false -Dlibmount=disabled -Dselinux=disabled
source_of fribidi 94c7b68d86ad2a9613b4dcffe7bbeb03523d63b5b37918bdf2e4ef34195c1e6c f/fribidi/fribidi_1.0.8.orig.tar.bz2 \
  by_meson -Ddocs=false
source_of harfbuzz 89266cb363e49b6aa999eda04ca25b0d234a69ad9304679631371f4697652368 \
  h/harfbuzz/harfbuzz_6.0.0+dfsg.orig.tar.xz by_meson -Dtests=disabled -Ddocs=disabled -Dicu=disabled -Dcairo=disabled
source_of pango ec19df0570cf87583ebff514968a958c25031a6f47eb39e8eb06530166ffb239 \
  p/pango1.0/pango1.0_1.50.12+ds.orig.tar.xz by_meson -Dintrospection=disabled -Dlibthai=disabled -Dxft=disabled

download 6afd9014550e04b58bccf64b94f92ae1dbfd8018489b92de835408970234c24c f/fonts-inter/fonts-inter_4.0~beta7+ds-1_all.deb
(cd "$work" && ar x file data.tar.xz && tar --extract --file data.tar.xz --directory / --wildcards './usr/share/fonts/*')

if [[ $(uname -m) == x86_64 ]]; then
  tools/get_onednn.sh
else
  source_of onednn fd47d2470000b5015f6e34134f799683050f81cbc04f53a3b0d323df1bb900bc o/onednn/onednn_2.6.3.orig.tar.gz \
    by_cmake -DDNNL_BUILD_TESTS=OFF -DDNNL_BUILD_EXAMPLES=OFF
fi
npm ci --prefix web --ignore-scripts --no-audit --no-fund
