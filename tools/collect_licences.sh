#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# collect_licences.sh LIBRARY FOLDER: copies into FOLDER, one file for each package, the licences of all packages of
# Debian or of an RPM distribution whose libraries LIBRARY loads or has compiled in; not of oneDNN from
# build-onednn/, whose licences are packed with it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

mkdir -p "$2"
for file in $(LD_LIBRARY_PATH=$root/build-onednn/lib ldd "$1" | awk '$3 ~ /^\// { print $3 }' | xargs readlink -f); do
  if [[ $file == "$(readlink -f "$root/build-onednn")"/* ]]; then
    continue
  elif command -v dpkg >/dev/null; then
    # The database may still know what now lies in /usr/lib by its place in /lib.
    package=$(dpkg --search "$file" 2>/dev/null || dpkg --search "${file#/usr}")
    package=${package%%:*}
    cp "/usr/share/doc/$package/copyright" "$2/$package.txt"
  elif owner=$(rpm --query --file --queryformat '%{NAME} %{SOURCERPM}' "$file"); then
    package=${owner% *}
    rpm --query --file --queryformat '%{NAME} %{VERSION}, %{LICENSE}, %{URL}\n\n' "$file" >"$2/$package.txt"
    # The text may have come with another package of the same source, as that of libgomp with libgcc.
    for name in $(rpm --query --all --queryformat '%{NAME} %{SOURCERPM}\n' |
      awk -v source="${owner#* }" '$2 == source { print $1 }'); do
      cat "/usr/share/licenses/$name"/* >>"$2/$package.txt" 2>/dev/null || true
    done
  fi
done
# Of headers and fonts that are compiled in.
for package in fonts-inter libcli11-dev libeigen3-dev nlohmann-json3-dev; do
  [[ ! -f /usr/share/doc/$package/copyright ]] || cp "/usr/share/doc/$package/copyright" "$2/$package.txt"
done
# Of what tools/wheel_libraries.sh has built.
[[ ! -d /usr/local/share/vggt-licences ]] || cp /usr/local/share/vggt-licences/* "$2"
