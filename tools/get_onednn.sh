#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Places oneDNN 3.2 for x86-64 in build-onednn/, with pip. Silent and quick when it is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$here/../build-onednn list=$here/onednn.txt
# A copy of the list says which packages are there, whole.
! cmp --silent "$list" "$folder/installed.txt" || exit 0
python=$(/usr/bin/python3 -m pip --version >/dev/null 2>&1 && echo /usr/bin/python3 || command -v python3)
logs=$(mktemp -d)
trap 'rm -r "$logs"' EXIT
echo "Installing oneDNN 3.2, 39 MB, in build-onednn/ …"
"$here/quietly.sh" "$logs/pip.log" "$python" -m pip download --quiet --no-deps \
  --only-binary :all: --require-hashes --requirement "$list" --dest "$logs/wheels"
rm -rf "$folder"
mkdir "$folder"
"$python" - "$logs/wheels" "$folder" <<'PYTHON'
import pathlib, sys, zipfile
# The library once (the packages hold it under three names), its headers and its licences.
wanted = ("data/lib/libdnnl.so.3", "data/include/oneapi/", "data/share/doc/onednn/")
for wheel in pathlib.Path(sys.argv[1]).glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            inside = name.partition("/")[2]
            if inside == wanted[0] or inside.startswith(wanted[1:]):
                to = pathlib.Path(sys.argv[2], *pathlib.PurePosixPath(inside).parts[1:])
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(archive.read(name))
PYTHON
ln -s libdnnl.so.3 "$folder/lib/libdnnl.so"
cp "$list" "$folder/installed.txt"
