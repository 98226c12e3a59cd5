// SPDX-License-Identifier: Apache-2.0
// Levels run from the last to the first, each from its tap to its part of the joined map, so that
// one level's maps are in memory at a time. What follows the first level, at eight times the
// patches' rows and columns and then at all pixels, is computed in strips of rows.
//
// The 1 × 1 convolution that ends a level is computed before the map is enlarged, not after: the
// weights of bilinear interpolation sum to one, so that both are the same, and this is a quarter of
// the work.
#include "backend/cpu/dpt_head.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "backend/cpu/convolution.h"
#include "backend/cpu/linear.h"
#include "backend/cpu/sine_positions.h"
#include "backend/cpu/weight_loader.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

constexpr size_t kPieceOfMap = 1 << 14;  // values that a thread takes at a time

// Equal strips of a map; the last one may overlap the one before it.
int64_t StripRows(int64_t rows, int64_t row_values, int64_t strip_values) {
  const int64_t strips =
      std::max<int64_t>((rows * row_values + strip_values / 2) / strip_values, 1);
  return (rows + strips - 1) / strips;
}

template <typename Body>  // body(first, count)
void ForStrips(int64_t rows, int64_t strip, const StopCheck& stop_check, const Body& body) {
  for (int64_t row = 0; row < rows; row += strip) {
    CheckStop(stop_check);
    body(std::min(row, rows - strip));
  }
}

template <typename Body>  // body(first, last) of `count` values
void ForPiecesOfMap(int64_t count, const Body& body) {
  const auto values = static_cast<size_t>(count);
  ParallelFor((values + kPieceOfMap - 1) / kPieceOfMap, 1, [&](size_t piece) {
    body(piece * kPieceOfMap, std::min((piece + 1) * kPieceOfMap, values));
  });
}

// x = relu(x + y)
void AddRelu(int64_t count, const float* y, float* x) {
  ForPiecesOfMap(count, [x, y](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) x[i] = std::max(x[i] + y[i], 0.0F);
  });
}

// x [pixels, scale, scale, channels], a square of its own for each pixel, -> y [rows · scale,
// cols · scale, channels].
void LaySquares(MapSize size, int64_t scale, int64_t channels, const float* x, float* y) {
  const int64_t line = scale * channels;  // of a square
  ParallelFor(size.rows, 1, [&](size_t row) {
    const auto r = static_cast<int64_t>(row);
    for (int64_t dy = 0; dy < scale; ++dy) {
      float* to = y + (r * scale + dy) * size.cols * line;
      for (int64_t c = 0; c < size.cols; ++c) {
        std::memcpy(to + c * line, x + ((r * size.cols + c) * scale + dy) * line,
                    static_cast<size_t>(line) * sizeof(float));
      }
    }
  });
}

MapSize Times(MapSize size, int64_t scale) { return {size.rows * scale, size.cols * scale}; }

// Rows and columns of the four levels' maps.
std::array<MapSize, 4> LevelSizes(MapSize patches) {
  return {Times(patches, 4),
          Times(patches, 2),
          patches,
          {(patches.rows + 1) / 2, (patches.cols + 1) / 2}};
}

// Reads and packs convolutions.
class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const std::string& prefix, Precision precision)
      : weights_(checkpoint, prefix, precision), precision_(precision) {}

  NormParameters Norm(const NormSpec& spec) const { return weights_.Norm(spec); }

  // A kernel of 1 × 1: a linear layer of each pixel.
  Linear Pointwise(const ConvSpec& spec) const {
    const FloatBuffer weight = weights_.Values(spec.name + ".weight");
    const FloatBuffer bias = weights_.Values(spec.name + ".bias");
    return {spec.in, spec.out, weight.data(), bias.data()};
  }

  // A linear layer from a pixel to its square [scale, scale, out].
  Linear Enlarging(const EnlargingSpec& spec) const {
    const FloatBuffer weight = weights_.Values(spec.name + ".weight");
    const FloatBuffer bias = weights_.Values(spec.name + ".bias");
    const int64_t square = spec.scale * spec.scale;
    FloatBuffer rows(square * spec.out * spec.in), biases(square * spec.out);
    for (int64_t place = 0; place < square; ++place) {
      for (int64_t o = 0; o < spec.out; ++o) {
        const int64_t row = place * spec.out + o;
        biases[row] = bias[o];
        for (int64_t i = 0; i < spec.in; ++i) {
          rows[row * spec.in + i] = weight[(i * spec.out + o) * square + place];
        }
      }
    }
    return {spec.in, square * spec.out, rows.data(), biases.data()};
  }

  Convolution Conv(const ConvSpec& spec, MapSize size,
                   ConvolutionEpilogue epilogue = ConvolutionEpilogue::kNone,
                   RowsBeyond beyond = RowsBeyond::kZeros) const {
    const FloatBuffer weight = weights_.Values(spec.name + ".weight");
    const FloatBuffer bias = spec.has_bias ? weights_.Values(spec.name + ".bias") : FloatBuffer();
    return {{size.rows, size.cols, spec.in, spec.out, spec.stride},
            weight.data(),
            bias.data(),
            epilogue,
            beyond,
            precision_};
  }

 private:
  WeightLoader weights_;
  Precision precision_;
};

// x is what a ReLU made: x += conv2(relu(conv1(x))).
struct ResidualUnit {
  Convolution conv1, conv2;

  ResidualUnit(const Loader& loader, const ResidualUnitSpec& spec, MapSize size)
      : conv1(loader.Conv(spec.conv1, size, ConvolutionEpilogue::kRelu)),
        conv2(loader.Conv(spec.conv2, size, ConvolutionEpilogue::kAddToOutput)) {}

  void Run(float* x, float* between) const {
    conv1.Run(x, between);
    conv2.Run(between, x);
  }
};

struct Level {
  MapSize size;
  Linear project;
  SinePositions positions;
  std::optional<Linear> enlarge;
  int64_t scale = 1;
  std::optional<Convolution> shrink;
  Convolution side;
  std::optional<ResidualUnit> side_unit;
  ResidualUnit unit;
  Linear out;

  Level(const Loader& loader, const DptSpec::Level& spec, MapSize patches, MapSize to,
        double aspect)
      : size(to),
        project(loader.Pointwise(spec.project)),
        positions(patches, spec.project.out, aspect),
        side(loader.Conv(spec.side, to, ConvolutionEpilogue::kRelu)),
        unit(loader, spec.unit, to),
        out(loader.Pointwise(spec.out)) {
    if (spec.enlarge) {
      enlarge = loader.Enlarging(*spec.enlarge);
      scale = spec.enlarge->scale;
    }
    if (spec.shrink) shrink = loader.Conv(*spec.shrink, patches);
    if (spec.side_unit) side_unit.emplace(loader, *spec.side_unit, to);
  }
};

// Values of the buffers of a head.
struct BufferSizes {
  int64_t tokens, projected, squares, resized, map, half, strip, last;

  BufferSizes(const DptSpec& spec, MapSize patches, int64_t patch_size, int64_t half_strip,
              int64_t pixel_strip)
      : tokens(patches.pixels() * spec.width), projected(0), squares(0), resized(0) {
    const auto sizes = LevelSizes(patches);
    for (size_t k = 0; k < sizes.size(); ++k) {
      const int64_t n = spec.levels[k].project.out;
      projected = std::max(projected, patches.pixels() * n);
      resized = std::max(resized, sizes[k].pixels() * n);
      if (spec.levels[k].enlarge) squares = std::max(squares, sizes[k].pixels() * n);
    }
    map = sizes[0].pixels() * spec.features;
    const MapSize eighth = Times(patches, 8), pixels = Times(patches, patch_size);
    half = eighth.pixels() * spec.output1.out;
    strip = std::max((half_strip + 2) * eighth.cols * spec.features,
                     (pixel_strip + 2) * pixels.cols * spec.output1.out);
    last = pixel_strip * pixels.cols * spec.output2.out;
  }

  int64_t between() const { return std::max(map, squares); }
  int64_t all() const {
    return tokens + projected + resized + 2 * map + between() + half + strip + last;
  }
};

}  // namespace

struct DptHead::Network {
  MapSize patches, eighth, pixels;
  int64_t width, features;
  NormParameters norm;
  std::vector<Level> levels;
  int64_t half_strip, pixel_strip;  // rows
  Convolution output1, output2;
  SinePositions positions;
  Linear output3;
  CompiledProducts products;
  FloatBuffer tokens, projected, resized, side, x, between, half, strip, last;

  Network(const Loader& loader, const DptSpec& spec, MapSize patch_grid, int64_t patch_size,
          int64_t strip_values)
      : patches(patch_grid),
        eighth(Times(patches, 8)),
        pixels(Times(patches, patch_size)),
        width(spec.width),
        features(spec.features),
        norm(loader.Norm(spec.norm)),
        half_strip(StripRows(eighth.rows, eighth.cols * features, strip_values)),
        pixel_strip(StripRows(pixels.rows, pixels.cols * spec.output1.out, strip_values)),
        output1(loader.Conv(spec.output1, {half_strip, eighth.cols}, ConvolutionEpilogue::kNone,
                            RowsBeyond::kGiven)),
        output2(loader.Conv(spec.output2, {pixel_strip, pixels.cols}, ConvolutionEpilogue::kRelu,
                            RowsBeyond::kGiven)),
        positions(pixels, spec.output1.out, aspect()),
        output3(loader.Pointwise(spec.output3)) {
    const auto sizes = LevelSizes(patches);
    for (size_t k = 0; k < sizes.size(); ++k) {
      levels.emplace_back(loader, spec.levels[k], patches, sizes[k], aspect());
    }
    const BufferSizes values(spec, patches, patch_size, half_strip, pixel_strip);
    tokens = FloatBuffer(values.tokens);
    projected = FloatBuffer(values.projected);
    resized = FloatBuffer(values.resized);
    side = FloatBuffer(values.map);
    x = FloatBuffer(values.map);
    between = FloatBuffer(values.between());
    half = FloatBuffer(values.half);
    strip = FloatBuffer(values.strip);
    last = FloatBuffer(values.last);
  }

  double aspect() const {
    return static_cast<double>(patches.cols) / static_cast<double>(patches.rows);
  }

  // The level's own map in `side`, of `features` channels, after a ReLU.
  void MakeSide(const Level& level, const std::string& number, const HeadWatch& watch) {
    LayerNorm(patches.pixels(), width, tokens.data(), norm.weight.data(), norm.bias.data(),
              norm.eps, tokens.data());
    level.project.Run(patches.pixels(), tokens.data(), projected.data(), products);
    level.positions.AddTo(0, patches.rows, projected.data());
    const int64_t channels = level.project.out();
    if (watch) watch("projected_" + number, projected.data(), patches, channels);
    const float* map = projected.data();
    if (level.enlarge) {
      level.enlarge->Run(patches.pixels(), projected.data(), between.data(), products);
      LaySquares(patches, level.scale, channels, between.data(), resized.data());
      map = resized.data();
    } else if (level.shrink) {
      level.shrink->Run(projected.data(), resized.data());
      map = resized.data();
    }
    level.side.Run(map, side.data());
    if (watch) watch("side_" + number, side.data(), level.size, features);
  }

  // From all taps to the joined map of the first level's size, in `x`.
  void Join(const std::function<void(size_t, float*)>& read_tap, const StopCheck& stop_check,
            const HeadWatch& watch) {
    for (size_t k = levels.size(); k-- > 0;) {
      CheckStop(stop_check);
      const Level& level = levels[k];
      const std::string number = std::to_string(k);
      const int64_t values = level.size.pixels() * features;
      read_tap(k, tokens.data());
      MakeSide(level, number, watch);
      if (level.side_unit) {
        level.side_unit->Run(side.data(), between.data());
        AddRelu(values, side.data(), x.data());
      } else {
        std::swap(side, x);
      }
      level.unit.Run(x.data(), between.data());
      level.out.Run(level.size.pixels(), x.data(), side.data(), products);
      if (watch) watch("fused_" + number, side.data(), level.size, features);
      if (k == 0) {
        std::swap(side, x);
      } else {
        const MapSize to = levels[k - 1].size;
        ResizeRows(level.size, to, features, side.data(), 0, to.rows, x.data());
      }
    }
  }

  void Run(const std::function<void(size_t, float*)>& read_tap, float* raw,
           const StopCheck& stop_check, const HeadWatch& watch) {
    Join(read_tap, stop_check, watch);
    const MapSize size = levels[0].size;
    const int64_t channels = output1.extents().out, outputs = output3.out();
    ForStrips(eighth.rows, half_strip, stop_check, [&](int64_t row) {
      ResizeRows(size, eighth, features, x.data(), row - 1, half_strip + 2, strip.data());
      output1.Run(strip.data(), half.data() + row * eighth.cols * channels);
    });
    if (watch) watch("output_conv1", half.data(), eighth, channels);
    ForStrips(pixels.rows, pixel_strip, stop_check, [&](int64_t row) {
      ResizeRows(eighth, pixels, channels, half.data(), row - 1, pixel_strip + 2, strip.data());
      positions.AddTo(row - 1, pixel_strip + 2, strip.data());
      output2.Run(strip.data(), last.data());
      output3.Run(pixel_strip * pixels.cols, last.data(), raw + row * pixels.cols * outputs,
                  products);
    });
    if (watch) watch("raw", raw, pixels, outputs);
  }
};

DptHead::DptHead(const Checkpoint& checkpoint, const std::string& prefix, const DptSpec& spec,
                 MapSize patches, int64_t patch_size, Precision precision, int64_t strip_values)
    : network_(std::make_unique<Network>(Loader(checkpoint, prefix, precision), spec, patches,
                                         patch_size, strip_values)) {}

DptHead::DptHead(DptHead&&) noexcept = default;
DptHead& DptHead::operator=(DptHead&&) noexcept = default;
DptHead::~DptHead() = default;

MapSize DptHead::pixels() const { return network_->pixels; }

void DptHead::Run(const std::function<void(size_t level, float* tokens)>& read_tap, float* raw,
                  const StopCheck& stop_check, const HeadWatch& watch) {
  network_->Run(read_tap, raw, stop_check, watch);
}

double DptHead::MemoryBytes(const DptSpec& spec, MapSize patches, int64_t patch_size,
                            Precision precision) {
  const MapSize eighth = Times(patches, 8), pixels = Times(patches, patch_size);
  const BufferSizes values(spec, patches, patch_size,
                           StripRows(eighth.rows, eighth.cols * spec.features, kDptStripValues),
                           StripRows(pixels.rows, pixels.cols * spec.output1.out, kDptStripValues));
  double weights = 0;
  for (const WantedTensor& tensor : HeadTensors(spec)) {
    weights += static_cast<double>(NumElements(tensor.shape));
  }
  const double size = precision == Precision::kBf16 ? sizeof(uint16_t) : sizeof(float);
  return weights * size + static_cast<double>(values.all()) * sizeof(float);
}

void ActivateDepth(int64_t pixels, const float* raw, float* depth, float* confidence) {
  ForPiecesOfMap(pixels, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      depth[i] = std::exp(raw[2 * i]);
      confidence[i] = 1 + std::exp(raw[2 * i + 1]);
    }
  });
}

void ActivatePoints(int64_t pixels, const float* raw, float* points, float* confidence) {
  ForPiecesOfMap(pixels, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      for (size_t c = 0; c < 3; ++c) {
        const float v = raw[4 * i + c];
        points[3 * i + c] = std::copysign(std::expm1(std::abs(v)), v);
      }
      confidence[i] = 1 + std::exp(raw[4 * i + 3]);
    }
  });
}

}  // namespace vggt
