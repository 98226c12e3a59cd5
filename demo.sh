#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to attention maps on a page: installs, builds, exports the bundled pictures, serves.
set -euo pipefail

view=true
for argument in "$@"; do
  case $argument in
    --no-view) view=false ;;
    -h | --help)
      cat <<'TEXT'
Usage: ./demo.sh [--no-view]

Installs missing Debian or Ubuntu packages (as root or through sudo), builds vggt-attn in build/,
exports the attention maps of the six pictures in examples/demo/images with the bundled model into
attn_first2all_demo/, and shows them on a page in the browser until Ctrl-C. Quick when run again; an
earlier demo export is replaced.

  --no-view   ends after the export
TEXT
      exit
      ;;
    *)
      echo "demo.sh: unknown argument '$argument' (see --help)" >&2
      exit 2
      ;;
  esac
done

caller=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"

tools/setup.sh

echo "Building vggt-attn in build/ (a minute or two, the first time) …"
if [[ ! -f build/build.ninja ]]; then
  tools/quietly.sh build/configure.log \
    cmake --preset release -DVGGT_BUILD_TESTS=OFF -DVGGT_BUILD_BENCH=OFF
fi
tools/quietly.sh build/build.log cmake --build --preset release --target vggt-attn

echo "Exporting what the bundled model looks at in six pictures of one still life …"
build/vggt-attn export --image_set_name demo --num_images 6 --save_per_head --save_qk --geometry_from examples/demo --overwrite

[[ $PWD == "$caller" ]] || printf '\nAll paths below are seen from %s\n' "$PWD"
cat <<'TEXT'

What was written, in attn_first2all_demo/:

  images/                                  the six pictures; frame_00 is the one that asks
  attn_maps/layer_01/heatmaps_uint8.npz    for each patch of frame_00 and each of 4 attention heads:
    … to layer_06                          where it looks in all six pictures, as one uint8 array
  attn_maps/layer_01_metadata.json …       each layer's grid, scale and pictures
  attn_maps/layers_manifest.json           the list of the layers
  qk/global_01.safetensors                 each layer's queries and keys, from which any row of
    … to global_06, attention.json         attention follows exactly
  geometry/                                the true cameras and depth of the scene, which come with it
                                           (the bundled model predicts none): press 3 on the page

What to do next:

  build/vggt-attn view attn_first2all_demo
      shows it in the browser: click a patch, see where it looks

  build/vggt-attn query attn_first2all_demo --layer 6 --head 3 --frame 2 --row 10 --col 20 -o row.png
      computes exactly where one patch of any picture looks, as an image, .npy or .csv

  build/vggt-attn inspect attn_first2all_demo
      tells what an export holds

  /usr/bin/python3 tools/plot_maps.py attn_first2all_demo -o maps.png
      draws where one patch looks (needs python3-numpy and python3-pil)

  numpy.load("attn_first2all_demo/attn_maps/layer_06/heatmaps_uint8.npz")["heatmaps"]
      in Python: [query patch, head, picture, row, column]

  build/vggt-attn export --image_set_name mine --image_dir FOLDER
      takes your own pictures and writes attn_first2all_mine/

The bundled model is small and made for demonstration. README.md says how to get and use VGGT's own.
TEXT

$view || exit 0

# Somebody else may have the usual port.
port=7860
while ((port < 7870)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do ((++port)); done
open=()
[[ -z ${DISPLAY-}${WAYLAND_DISPLAY-} ]] || open=(--open)
echo
exec build/vggt-attn view attn_first2all_demo --server_port "$port" "${open[@]}"
