// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_layer.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/file.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

Shape MapShape(const LayerMetadata& m) {
  const int64_t queries = m.H_ds * m.W_ds;
  return m.per_head_data ? Shape{queries, m.num_heads, m.frames, m.H_ds, m.W_ds}
                         : Shape{queries, m.frames, m.H_ds, m.W_ds};
}

}  // namespace

void CountHeads(MapLayer& layer) {
  LayerMetadata& m = layer.metadata;
  try {
    const ArrayFile file(layer.array, kArrayName);
    const Shape& shape = file.layout().shape;
    m.per_head_data = shape.size() == 5;
    m.num_heads = m.per_head_data ? shape[1] : 0;
    const bool heads_fit = !m.per_head_data || (m.num_heads >= 1 && m.num_heads <= kMostHeads);
    if (shape != MapShape(m) || !heads_fit) {
      throw Error(fmt::format("its shape {} fits no maps of {} frames, {}×{}", ShapeText(shape),
                              m.frames, m.W_ds, m.H_ds),
                  layer.array.string());
    }
    m.heads_known = true;
  } catch (const Error& e) {
    layer.error = e.what();
    layer.failure = std::current_exception();
  }
}

ArrayFile OpenMaps(const MapLayer& layer, const fs::path& root) {
  if (layer.failure) std::rethrow_exception(layer.failure);
  CheckInside(layer.array, root);
  ArrayFile file(layer.array, kArrayName);
  const NpyLayout& found = file.layout();
  const Shape expected = MapShape(layer.metadata);
  const bool known = found.descr == "|u1" || found.descr == "<f2" || found.descr == "<f4";
  if (!known || found.fortran_order || found.shape != expected) {
    throw Error(
        fmt::format("'{}' is {}{} of shape {}, its metadata announces |u1, <f2 or <f4 of {}",
                    kArrayName, Printable(found.descr), found.fortran_order ? " by columns" : "",
                    ShapeText(found.shape), ShapeText(expected)),
        layer.array.string());
  }
  return file;
}

StoredMaps ReadMaps(const MapLayer& layer) {
  ArrayFile file = OpenMaps(layer);
  if (file.layout().descr != "|u1")
    throw Error("holds raw values instead of levels", layer.array.string());
  if (file.deflated()) file = file.Inflated(fs::temp_directory_path());
  StoredMaps maps{file.layout().shape, std::vector<uint8_t>(file.data_size())};
  file.Read(0, maps.levels);
  return maps;
}

}  // namespace vggt
