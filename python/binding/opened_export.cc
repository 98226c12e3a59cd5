// SPDX-License-Identifier: Apache-2.0
// What an export holds: its facts, its maps, its queries and keys.
#include "binding/opened_export.h"

#include <fmt/format.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "attention/request_words.h"
#include "binding/arrays.h"
#include "binding/binding.h"
#include "binding/unlocked.h"
#include "capture/recovery.h"
#include "core/mapped_file.h"
#include "geometry/frame_cells.h"

namespace nb = nanobind;
namespace fs = std::filesystem;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

std::vector<int64_t> NumbersOf(const std::vector<QkLayer>& layers) {
  std::vector<int64_t> numbers;
  for (const QkLayer& layer : layers) numbers.push_back(layer.index + 1);
  return numbers;
}

std::vector<int64_t> MapLayers(const OpenedExport& e) {
  std::vector<int64_t> numbers;
  for (const MapLayer& layer : e.described().maps) numbers.push_back(layer.index + 1);
  return numbers;
}

const MapLayer& MapLayerOf(const OpenedExport& e, int64_t number) {
  e.CheckCurrent();
  if (e.described().maps.empty()) {
    throw Error("has no maps", e.path().string(),
                "Export with `heatmaps`, or ask for attention().");
  }
  return e.described().maps[ParseLayers(std::to_string(number), MapLayers(e), "the export")[0]];
}

// The bytes of a layer's values, and what holds them.
struct MapBytes {
  const uint8_t* data;
  std::shared_ptr<const void> owner;
  NpyLayout layout;
};

MapBytes BytesOfMaps(const MapLayer& layer, const fs::path& root) {
  ArrayFile file = OpenMaps(layer, root);
  const NpyLayout layout = file.layout();
  const uint64_t size = file.data_size();
  if (!file.deflated()) {
    auto mapped = std::make_shared<const MappedFile>(file.path());
    // Somebody may have replaced the file since its header was read.
    if (mapped->bytes().size() < file.data_offset() + size) {
      throw Error("was changed while it was opened", file.path().string());
    }
    const uint8_t* data = mapped->bytes().data() + file.data_offset();
    return {data, std::move(mapped), layout};
  }
  file = file.Inflated(fs::temp_directory_path());
  auto values = std::make_shared<AlignedBuffer<uint8_t>>(size);
  file.Read(0, values->span());
  const uint8_t* data = values->data();
  return {data, std::move(values), layout};
}

nb::object MapsOf(const OpenedExport& e, int64_t number) {
  const MapLayer& layer = MapLayerOf(e, number);
  MapBytes maps =
      Unlocked([&](const StopCheck&) { return BytesOfMaps(layer, e.described().root); });
  const Shape& shape = maps.layout.shape;
  const auto as = [&]<typename T>(const T* data) {
    return nb::cast(ArrayOf(data, shape, std::move(maps.owner)));
  };
  if (maps.layout.descr == "|u1") return as(maps.data);
  if (maps.layout.descr == "<f2") return as(reinterpret_cast<const Float16*>(maps.data));
  return as(reinterpret_cast<const float*>(maps.data));
}

// What level 255 of each head stands for; one number for averaged maps.
std::vector<double> ScalesOf(const OpenedExport& e, int64_t number) {
  const LayerMetadata& metadata = MapLayerOf(e, number).metadata;
  std::vector<double> scales;
  for (int head = 1; head <= std::max<int64_t>(metadata.num_heads, 1); ++head) {
    scales.push_back(HeadVmax(metadata, head));
  }
  return scales;
}

Array<const Float16> TensorOf(const OpenedExport& e, const std::optional<std::string>& block,
                              int64_t number, bool query) {
  const auto [blocks, layer] = e.PlaceOf(block, number);
  const QkTensors tensors = e.store().Layer(blocks, layer);
  const auto* data = reinterpret_cast<const Float16*>(query ? tensors.q : tensors.k);
  return ArrayOf(data, e.store().description().shape(blocks), tensors.mapping);
}

nb::dict ExtrasOf(const OpenedExport& e, const std::optional<std::string>& block, int64_t number) {
  const auto [blocks, layer] = e.PlaceOf(block, number);
  QkExtraValues values = Unlocked([&, &blocks = blocks, layer = layer](const StopCheck&) {
    return e.store().Extras(blocks, layer);
  });
  nb::dict extras;
  for (const QkExtra extra : blocks.layers[layer].extras) {
    extras[QkExtraName(extra)] =
        ArrayOf(std::move(values.of(extra)), e.store().description().shape(blocks, extra));
  }
  return extras;
}

std::vector<QkBlocks> BlocksOfExport(const OpenedExport& e) {
  const auto& store = e.described().store;
  return store ? store->description.blocks : std::vector<QkBlocks>();
}

const FrameTransform& TransformOf(const OpenedExport& e, int64_t frame) {
  const FrameList& frames = e.described().frames;
  if (frame < 0 || frame >= frames.frames) {
    throw RequestError(RequestError::Kind::kMalformed, "frame",
                       fmt::format("there is no frame {}", frame),
                       fmt::format("They run from 0 to {}.", frames.frames - 1));
  }
  if (frames.transforms.empty()) {
    throw Error("does not say where pictures were cropped", e.path().string(),
                "Name patches by row and col.");
  }
  return frames.transforms[static_cast<size_t>(frame)];
}

std::pair<int64_t, int64_t> PatchAt(const OpenedExport& e, double x, double y, int64_t frame) {
  const FrameTransform& t = TransformOf(e, frame);
  const auto refuse = [&](const char* field, double value, const char* side, int size) {
    // Comparisons with NaN are false.
    if (value >= 0 && value <= size) return;
    throw RequestError(RequestError::Kind::kMalformed, field,
                       fmt::format("{} lies outside the picture of frame {}", value, frame),
                       fmt::format("Its {} is {} pixels.", side, size));
  };
  refuse("x", x, "width", t.original_width);
  refuse("y", y, "height", t.original_height);
  const FrameCells cells(e.described().frames);
  const Point seen = ModelFromOriginal(t, {x, y});
  if (!(seen.x >= 0 && seen.x <= t.model_width && seen.y >= 0 && seen.y <= t.model_height)) {
    throw RequestError(RequestError::Kind::kMalformed, "y",
                       fmt::format("the model did not see the point ({}, {}) of frame {}, which "
                                   "was cropped",
                                   x, y, frame));
  }
  const int64_t patch = cells.PatchAt(seen);
  return {patch / cells.cols, patch % cells.cols};
}

std::tuple<double, double, double, double> PatchBox(const OpenedExport& e, int64_t row, int64_t col,
                                                    int64_t frame) {
  const FrameTransform& t = TransformOf(e, frame);
  const FrameCells cells(e.described().frames);
  const NumberRange rows{"row", 0, cells.rows - 1}, cols{"column", 0, cells.cols - 1};
  ParseNumber(std::to_string(row), rows, "row");
  ParseNumber(std::to_string(col), cols, "col");
  const auto corner = [&](int64_t down, int64_t right) {
    return OriginalFromModel(t, {static_cast<double>(right) * cells.cell_width(),
                                 static_cast<double>(down) * cells.cell_height()});
  };
  const Point a = corner(row, col), b = corner(row + 1, col + 1);
  return {std::min(a.x, b.x), std::min(a.y, b.y), std::max(a.x, b.x), std::max(a.y, b.y)};
}

void BindBlocks(nb::module_& module) {
  nb::class_<QkBlocks>(module, "Blocks", "The stored blocks of one kind.")
      .def_prop_ro(
          "kind", [](const QkBlocks& b) { return BlockKindName(b.kind); },
          "'global', 'frame' or 'encoder'.")
      .def_prop_ro(
          "layers", [](const QkBlocks& b) { return NumbersOf(b.layers); },
          "Numbers of the stored layers, from 1, ascending.")
      .def_ro("heads", &QkBlocks::heads)
      .def_ro("head_dim", &QkBlocks::head_dim)
      .def_ro("scale", &QkBlocks::scale, "What q kᵀ is multiplied by before the softmax.")
      .def_ro("special_tokens", &QkBlocks::special_tokens,
              "Their names; each frame begins with these tokens.")
      .def_ro("scene_tokens", &QkBlocks::scene_tokens,
              "Names of tokens of no frame, after those of all frames.")
      .def_prop_ro(
          "attends", [](const QkBlocks& b) { return AttendsName(b.attends); },
          "Which keys a token sees: 'all', those of its own 'frame', or also the frames before it "
          "('causal').")
      .def_prop_ro(
          "rope", [](const QkBlocks& b) { return RopeTypeName(b.rope.type); },
          "'2d': q and k are stored before VGGT's rotary embedding; 'none': there is none; "
          "'applied': they are stored after it.")
      .def_prop_ro(
          "rope_base", [](const QkBlocks& b) { return b.rope.base; }, "Of rope '2d'.")
      .def_prop_ro(
          "rope_first_patch", [](const QkBlocks& b) { return b.rope.first_patch; },
          "Of rope '2d': the position of the first row and column of patches.")
      .def("__repr__", [](const QkBlocks& b) {
        return fmt::format("<Blocks {}: {} layers of {} heads × {}>", BlockKindName(b.kind),
                           b.layers.size(), b.heads, b.head_dim);
      });
}

void BindProvenance(nb::module_& module) {
  nb::class_<Provenance>(module, "Provenance",
                         "Where an export comes from; texts are empty and numbers 0 where it does "
                         "not say.")
      .def_ro("generator", &Provenance::generator, "The program: 'vggt-attn 0.1.0'.")
      .def_ro("weights", &Provenance::weights, "File or name of the checkpoint.")
      .def_ro("weights_key", &Provenance::weights_key, "Which of several models in it.")
      .def_ro("family", &Provenance::family)
      .def_ro("model_text", &Provenance::model_text, "The model's extents in words.")
      .def_ro("depth", &Provenance::depth)
      .def_ro("dim", &Provenance::dim)
      .def_ro("num_heads", &Provenance::num_heads)
      .def_ro("precision", &Provenance::precision, "'f32' or 'bf16'.")
      .def_ro("image_width", &Provenance::image_width, "What the model saw, in pixels.")
      .def_ro("image_height", &Provenance::image_height)
      .def("__repr__", [](const Provenance& p) {
        return fmt::format("<Provenance {}, {}>", p.family, p.precision);
      });
}

}  // namespace

void OpenedExport::CheckCurrent() const {
  if (AreReplaced(files_)) {
    throw Error("another export has taken its place since it was opened", path_.string(),
                "Open it again.");
  }
}

RecipeSource OpenedExport::source() const {
  CheckCurrent();
  return opened_.source();
}

const AttentionRows& OpenedExport::rows() const {
  const RecipeSource opened = source();
  if (opened.rows != nullptr) return *opened.rows;
  const auto& store = opened.described.store;
  if (store && !store->error.empty()) throw Error(store->error);
  throw Error("holds no queries and keys to compute attention from", path_.string(),
              "Export with `save_qk` to have them.");
}

OpenedExport::Place OpenedExport::PlaceOf(const std::optional<std::string>& block,
                                          int64_t layer) const {
  RequestWords words;
  words.block = block;
  words.layers = std::to_string(layer);
  words.row = words.col = "0";
  const QkDescription& description = store().description();
  const AttentionRequest request = ParseRequest(words, description);
  return {BlocksOf(description, request.kind), request.layers[0]};
}

void BindOpenedExport(nb::module_& module) {
  BindBlocks(module);
  BindProvenance(module);
  module.def(
      "recover", [](const fs::path& path) { return RecoverExports(path); }, "path"_a,
      "Tidies up what killed exports left at a path; returns a line about it, or ''.");
  const auto frames = [](const OpenedExport& e) -> const FrameList& {
    return e.described().frames;
  };
  nb::class_<OpenedExport>(module, "OpenedExport", "An export's files, opened.")
      .def(nb::init<const fs::path&>(), "path"_a, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("image_set_name", [](const OpenedExport& e) { return e.name(); })
      .def_prop_ro("frames", [=](const OpenedExport& e) { return frames(e).frames; })
      .def_prop_ro("grid",
                   [=](const OpenedExport& e) { return std::pair(frames(e).H_p, frames(e).W_p); })
      .def(
          "image_path",
          [](const OpenedExport& e, size_t frame) {
            e.CheckCurrent();
            return e.described().ImagePath(frame);
          },
          "frame"_a)
      .def_prop_ro("image_sizes",
                   [=](const OpenedExport& e) {
                     std::vector<std::pair<int64_t, int64_t>> sizes;
                     for (const ImageSize& size : frames(e).image_sizes) {
                       sizes.emplace_back(size.width, size.height);
                     }
                     return sizes;
                   })
      .def_prop_ro("sources",
                   [=](const OpenedExport& e) {
                     std::vector<std::string> texts;
                     for (const PictureSource& each : frames(e).sources) {
                       texts.push_back(SourceText(each));
                     }
                     return texts;
                   })
      .def_prop_ro("provenance",
                   [](const OpenedExport& e) -> std::optional<Provenance> {
                     const Export& d = e.described();
                     if (d.provenance) return d.provenance;
                     if (d.store && d.store->error.empty()) return d.store->description.provenance;
                     return std::nullopt;
                   })
      .def_prop_ro("blocks", BlocksOfExport)
      .def_prop_ro("store_error",
                   [](const OpenedExport& e) {
                     const auto& store = e.described().store;
                     return store ? store->error : std::string();
                   })
      .def_prop_ro("map_layers", MapLayers)
      .def_prop_ro("map_heads",
                   [](const OpenedExport& e) {
                     const auto& maps = e.described().maps;
                     return maps.empty() ? 0 : maps[0].metadata.num_heads;
                   })
      .def_prop_ro("map_grid",
                   [](const OpenedExport& e) {
                     const auto& maps = e.described().maps;
                     return maps.empty() ? std::pair<int64_t, int64_t>(0, 0)
                                         : std::pair(maps[0].metadata.H_ds, maps[0].metadata.W_ds);
                   })
      .def("maps", MapsOf, "layer"_a,
           nb::sig("def maps(self, layer: int) -> numpy.typing.NDArray[typing.Any]"))
      .def("map_scales", ScalesOf, "layer"_a)
      .def(
          "q",
          [](const OpenedExport& e, const std::optional<std::string>& block, int64_t layer) {
            return TensorOf(e, block, layer, true);
          },
          "block"_a.none(), "layer"_a)
      .def(
          "k",
          [](const OpenedExport& e, const std::optional<std::string>& block, int64_t layer) {
            return TensorOf(e, block, layer, false);
          },
          "block"_a.none(), "layer"_a)
      .def("extras", ExtrasOf, "block"_a.none(), "layer"_a,
           nb::sig("def extras(self, block: str | None, layer: int) -> "
                   "dict[str, numpy.typing.NDArray[numpy.float32]]"))
      .def("patch_at", PatchAt, "x"_a, "y"_a, "frame"_a)
      .def("patch_box", PatchBox, "row"_a, "col"_a, "frame"_a);
}

}  // namespace vggt::python
