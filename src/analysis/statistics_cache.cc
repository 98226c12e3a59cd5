// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics_cache.h"

#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <string_view>

#include "analysis/row_budget.h"
#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "core/error.h"
#include "core/file.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Far more than the header of a file needs: names, and the sampled patches as a list.
constexpr uint64_t kMostHeader = 4 << 20;

// Of another standard library it may be another, which costs no more than computing again.
std::string HashOf(std::string_view text) {
  return fmt::format("{:016x}", std::hash<std::string_view>()(text));
}

std::string_view TextOf(const void* data, size_t size) {
  return {static_cast<const char*>(data), size};
}

// All that the numbers depend on but the layer's file, as text.
std::string KeyOf(const QkStore& store, BlockKind kind, size_t layer, const RowSample& sample) {
  const QkDescription& d = store.description();
  OrderedJson key = {{"statistics", kStatisticsVersion},
                     {"metrics", OrderedJson::array()},
                     {"block", BlockKindName(kind)},
                     {"layer", BlocksOf(d, kind).layers.at(layer).index + 1}};
  for (const HeadMetricInfo& info : HeadMetrics()) key["metrics"].push_back(info.name);
  // Scale, rotary embedding, grid and whatever else is said of a store.
  key["description"] = HashOf(QkDescriptionText(d));
  key["rows"] = sample.all ? OrderedJson("all") : OrderedJson(sample.patches);
  return key.dump();
}

// Which file of queries and keys was read, and in which state.
struct LayerFile {
  std::string size, time;
};

std::optional<LayerFile> LayerFileOf(const QkStore& store, BlockKind kind, size_t layer) {
  const auto is = IdentityOf(store.LayerPath(BlocksOf(store.description(), kind), layer));
  if (!is) return std::nullopt;
  return LayerFile{fmt::format("{}", is->size),
                   fmt::format("{}.{:09}", is->seconds, is->nanoseconds)};
}

std::string ContentOf(const QkStore& store, BlockKind kind, size_t layer) {
  const QkTensors tensors = store.Layer(BlocksOf(store.description(), kind), layer);
  const Bytes bytes = tensors.mapping->bytes();
  std::string content = HashOf(TextOf(bytes.data(), bytes.size()));
  tensors.mapping->CheckIntact();
  ReleaseLayer(store, BlocksOf(store.description(), kind), layer);
  return content;
}

// Calls visit(name, array, shape) for each array of `s`, which are const or not.
template <typename Statistics, typename Visit>
void ForEachArray(Statistics& s, const Visit& visit) {
  const int64_t metrics = kHeadMetrics, queries = kQueryGroups, keys = kKeyGroups;
  const Shape of_frames = {s.heads, s.grid.frames, s.grid.frames + 1};
  const Shape flow = {s.heads, queries, keys};
  visit("mean", s.mean, Shape{metrics, s.heads});
  visit("standard_error", s.standard_error, Shape{metrics, s.heads});
  visit("uniform", s.uniform, Shape{metrics});
  visit("frame_mass", s.frame_mass, of_frames);
  visit("frame_mass_before_rope", s.frame_mass_before_rope, of_frames);
  visit("flow_mean", s.flow_mean, flow);
  visit("flow_largest", s.flow_largest, flow);
  visit("key_mass", s.key_mass, Shape{s.heads, s.grid.tokens()});
}

template <typename T>
constexpr DType TypeOf(const std::vector<T>& /*values*/) {
  return sizeof(T) == sizeof(double) ? DType::kF64 : DType::kF32;
}

std::string ChecksumOf(const LayerStatistics& s) {
  std::string sums;
  ForEachArray(s, [&](const char*, const auto& values, const Shape&) {
    sums += HashOf(TextOf(values.data(), values.size() * sizeof(values[0])));
  });
  return HashOf(sums);
}

LayerStatistics EmptyStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                const RowSample& sample) {
  const QkBlocks& blocks = BlocksOf(store.description(), kind);
  LayerStatistics s;
  s.kind = kind;
  s.attends = blocks.attends;
  s.layer_index = blocks.layers.at(layer).index;
  s.grid = store.description().token_grid(blocks);
  s.heads = blocks.heads;
  s.sample = sample;
  return s;
}

// The bytes of the arrays, if all are there.
uint64_t MostBytes(const LayerStatistics& empty) {
  uint64_t bytes = kMostHeader;
  ForEachArray(empty, [&](const char*, const auto& values, const Shape& shape) {
    bytes += static_cast<uint64_t>(NumElements(shape)) * DTypeSize(TypeOf(values));
  });
  return bytes;
}

// A link may lead anywhere.
bool IsFile(const fs::path& path) {
  std::error_code unknown;
  return fs::is_regular_file(fs::symlink_status(path, unknown));
}

// Fills the arrays of `s`; false if one is missing or of another type or shape.
bool TakeArrays(const SafetensorsFile& file, LayerStatistics& s) {
  bool fits = true;
  ForEachArray(s, [&](std::string_view name, auto& values, const Shape& shape) {
    const auto found = file.tensors.find(std::string(name));
    if (found == file.tensors.end()) {
      fits = fits && name == "frame_mass_before_rope";
      return;
    }
    const TensorView& tensor = found->second;
    fits = fits && tensor.dtype == TypeOf(values) && tensor.shape == shape;
    if (!fits) return;
    values.resize(static_cast<size_t>(NumElements(shape)));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  });
  return fits;
}

std::string Said(const SafetensorsFile& file, const char* name) {
  const auto found = file.metadata.find(name);
  return found == file.metadata.end() ? "" : found->second;
}

// `content`: of the layer's file. Throws Error if the file cannot be written.
void Write(const QkStore& store, BlockKind kind, size_t layer, const LayerStatistics& s,
           const LayerFile& is, const std::string& content) {
  const fs::path path = StatisticsPath(store, kind, layer, s.sample);
  std::vector<SafetensorsWriter::Entry> entries;
  const auto each_that_is_there = [&](const auto& visit) {
    ForEachArray(s, [&](const char* name, const auto& values, const Shape& shape) {
      if (!values.empty()) visit(name, values, shape);
    });
  };
  each_that_is_there([&](const char* name, const auto& values, const Shape& shape) {
    entries.push_back({name, TypeOf(values), shape});
  });
  // What a power cut damages is computed again.
  SafetensorsWriter writer(path, entries,
                           {{"key", KeyOf(store, kind, layer, s.sample)},
                            {"arrays", ChecksumOf(s)},
                            {"file_size", is.size},
                            {"file_time", is.time},
                            {"file_content", content}},
                           {Existing::kReplace, Sync::kLater});
  each_that_is_there([&](const char*, const auto& values, const Shape&) {
    writer.Append(
        {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(values[0])});
  });
  writer.Commit();
}

// The sample whose statistics a file says it holds; none if it says nothing that makes sense.
std::optional<RowSample> SampleIn(const fs::path& path, const TokenGrid& grid, uint64_t most) {
  if (!IsFile(path)) return std::nullopt;
  try {
    const std::string bytes = ReadFile(path, most);
    const SafetensorsFile file = ParseSafetensors(BytesOf(bytes), path.string());
    const Json rows = ParseJson(Said(file, "key"), path.string()).at("rows");
    if (rows == "all") return AllRows(grid);
    return RowSample{rows.get<std::vector<int64_t>>()};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Whether the file where `s` belongs holds the statistics of more rows.
bool HoldsMore(const QkStore& store, BlockKind kind, size_t layer, const LayerStatistics& s) {
  const std::optional<RowSample> kept =
      SampleIn(StatisticsPath(store, kind, layer, s.sample), s.grid, MostBytes(s));
  return kept && kept->patches.size() > s.sample.patches.size() &&
         ReadStatistics(store, kind, layer, *kept);
}

}  // namespace

RowSample SampleFor(const QkDescription& description, std::optional<int64_t> rows) {
  if (!rows) return RowsWithin(description, kUsualProducts);
  const TokenGrid grid = description.token_grid(description.blocks.front());
  return *rows == 0 ? AllRows(grid) : SampledRows(grid, *rows);
}

fs::path StatisticsPath(const QkStore& store, BlockKind kind, size_t layer,
                        const RowSample& sample) {
  const QkDescription& d = store.description();
  const QkBlocks& blocks = BlocksOf(d, kind);
  const bool usual = sample == RowsWithin(d, kUsualProducts);
  return store.LayerPath(blocks, layer).parent_path() /
         (std::string(usual ? kStatisticsPrefix : kOtherStatisticsPrefix) +
          QkFileName(kind, blocks.layers.at(layer).index));
}

std::optional<LayerStatistics> ReadStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                              const RowSample& sample) {
  const fs::path path = StatisticsPath(store, kind, layer, sample);
  const std::optional<LayerFile> is = LayerFileOf(store, kind, layer);
  if (!is || !IsFile(path)) return std::nullopt;
  try {
    LayerStatistics s = EmptyStatistics(store, kind, layer, sample);
    const std::string bytes = ReadFile(path, MostBytes(s));
    const SafetensorsFile file = ParseSafetensors(BytesOf(bytes), path.string());
    if (Said(file, "key") != KeyOf(store, kind, layer, sample)) return std::nullopt;
    if (Said(file, "file_size") != is->size || !TakeArrays(file, s)) return std::nullopt;
    if (Said(file, "arrays") != ChecksumOf(s)) return std::nullopt;
    if (Said(file, "file_time") == is->time) return s;
    const std::string content = ContentOf(store, kind, layer);
    if (Said(file, "file_content") != content) return std::nullopt;
    try {
      Write(store, kind, layer, s, *is, content);
    } catch (const Error&) {
      // Then the content is read again the next time.
    }
    return s;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void KeepStatistics(const QkStore& store, BlockKind kind, size_t layer,
                    const LayerStatistics& statistics) {
  try {
    const std::optional<LayerFile> is = LayerFileOf(store, kind, layer);
    if (!is || HoldsMore(store, kind, layer, statistics)) return;
    Write(store, kind, layer, statistics, *is, ContentOf(store, kind, layer));
  } catch (const Error&) {
    // The folder may be read-only, the disk full.
  }
}

LayerStatistics StatisticsOf(const QkStore& store, BlockKind kind, size_t layer,
                             const RowSample& sample, const StopCheck& stop_check) {
  if (std::optional<LayerStatistics> kept = ReadStatistics(store, kind, layer, sample)) {
    return *std::move(kept);
  }
  const fs::path file = store.LayerPath(BlocksOf(store.description(), kind), layer);
  const std::optional<FileIdentity> before = IdentityOf(file);
  LayerStatistics statistics = ComputeLayerStatistics(store, kind, layer, sample, stop_check);
  // Of a file that was replaced meanwhile they are not.
  if (before == IdentityOf(file)) KeepStatistics(store, kind, layer, statistics);
  return statistics;
}

}  // namespace vggt
