// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "ops/quantize.h"
#include "store/maps/displayed_maps.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// Reads one query of one layer, a head at a time.
class QueryReader {
 public:
  QueryReader(const LayerMetadata& m, const ArrayFile& file, int64_t query)
      : m_(m),
        file_(file),
        query_(static_cast<uint64_t>(query)),
        raw_(file.layout().descr != "|u1"),
        dtype_(file.layout().descr == "<f2" ? DType::kF16 : DType::kF32),
        values_(static_cast<size_t>(m.frames * m.H_ds * m.W_ds)),
        bytes_(values_ * (raw_ ? DTypeSize(dtype_) : 1)),
        floats_(raw_ ? values_ : 0) {}

  size_t values() const { return values_; }

  // Writes the levels of all frames and returns the scale.
  double Read(int head, std::span<uint8_t> levels) {
    if (m_.per_head_data && head == kMeanOfHeads) return ReadMean(levels);
    Load(std::max(head, 1));
    const double vmax = HeadVmax(m_, head);
    if (raw_) {
      Quantize(floats_.data(), static_cast<int64_t>(values_), vmax, levels.data());
    } else {
      std::copy(bytes_.begin(), bytes_.end(), levels.begin());
    }
    return vmax;
  }

 private:
  void Load(int head) {
    const uint64_t heads = m_.per_head_data ? static_cast<uint64_t>(m_.num_heads) : 1;
    file_.Read((query_ * heads + static_cast<uint64_t>(head) - 1) * bytes_.size(), bytes_);
    if (raw_) ReadRaw(bytes_, dtype_, floats_);
  }

  double ReadMean(std::span<uint8_t> levels) {
    MeanOfHeads mean(values_);
    for (int head = 1; head <= m_.num_heads; ++head) {
      Load(head);
      if (raw_) {
        mean.AddRaw(floats_);
      } else {
        mean.AddLevels(bytes_, HeadVmax(m_, head));
      }
    }
    return mean.Finish(levels);
  }

  const LayerMetadata& m_;
  const ArrayFile& file_;
  const uint64_t query_;
  const bool raw_;
  const DType dtype_;  // of raw values
  const size_t values_;
  std::vector<uint8_t> bytes_;
  std::vector<float> floats_;  // the bytes as numbers, if they are raw
};

void CheckNumber(const char* what, int64_t number, int64_t first, int64_t last) {
  if (number < first || number > last) {
    throw Error(fmt::format("{} {} is asked for, expected {} … {}", what, number, first, last));
  }
}

}  // namespace

class MapReader::State {
 public:
  State(std::vector<MapLayer> layers, const MapReaderOptions& options)
      : layers_(std::move(layers)),
        root_(options.root),
        cache_(options.cache ? options.cache
                             : std::make_shared<InflatedCache>(DefaultCacheFolder(),
                                                               InflatedCache::kUsualBytes)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { cache_->Forget(this); }

  const std::vector<MapLayer>& layers() const { return layers_; }

  std::shared_ptr<const ArrayFile> Get(size_t layer) {
    CheckNumber("layer", static_cast<int64_t>(layer), 0, static_cast<int64_t>(layers_.size()) - 1);
    return cache_->Get({this, layer}, [&] { return OpenMaps(layers_[layer], root_); });
  }

 private:
  const std::vector<MapLayer> layers_;
  const fs::path root_;
  const std::shared_ptr<InflatedCache> cache_;
};

MapReader::MapReader(std::vector<MapLayer> layers, const MapReaderOptions& options)
    : state_(std::make_unique<State>(std::move(layers), options)) {}

MapReader::~MapReader() = default;

const std::vector<MapLayer>& MapReader::layers() const { return state_->layers(); }

void MapReader::Prepare(size_t layer) const { state_->Get(layer); }

void MapReader::Read(size_t layer, int64_t query, std::span<const int> heads,
                     std::span<const int> frames, std::span<uint8_t> levels,
                     std::span<double> scales) const {
  const std::shared_ptr<const ArrayFile> file = state_->Get(layer);
  const LayerMetadata& m = layers()[layer].metadata;
  const int64_t cells = m.H_ds * m.W_ds;
  CheckNumber("query", query, 0, cells - 1);
  for (const int head : heads) CheckNumber("head", head, 0, m.per_head_data ? m.num_heads : 0);
  for (const int frame : frames) CheckNumber("frame", frame, 0, m.frames - 1);
  if (levels.size() != heads.size() * frames.size() * static_cast<size_t>(cells) ||
      scales.size() != heads.size()) {
    throw Error(
        fmt::format("the answer has room for {} levels and {} scales, which does not fit {} "
                    "heads of {} frames",
                    levels.size(), scales.size(), heads.size(), frames.size()));
  }
  QueryReader reader(m, *file, query);
  std::vector<uint8_t> whole(reader.values());
  uint8_t* out = levels.data();
  for (size_t i = 0; i < heads.size(); ++i) {
    scales[i] = reader.Read(heads[i], whole);
    for (const int frame : frames) out = std::copy_n(whole.data() + frame * cells, cells, out);
  }
}

}  // namespace vggt
