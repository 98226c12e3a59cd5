// SPDX-License-Identifier: Apache-2.0
// How fast a dense prediction head of VGGT-1B runs beside float32 matrix products of the same
// machine at the same moment: products, a picture and products by turns. Prints JSON;
// "ratio_to_f32_products" is the head's share of the products' rate, by the arithmetic of
// model/flops.h. Of bfloat16 it also tells how far depths are from float32's, as shares of
// themselves.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/dpt_head.h"
#include "backend/cpu/linear.h"
#include "formats/safetensors.h"
#include "model/flops.h"
#include "model/synthetic.h"
#include "weights/checkpoint.h"

namespace vggt {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A file of the head's tensors, removed at the end.
class HeadFile {
 public:
  explicit HeadFile(const DptSpec& head)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("vggt-heads-bench-{}.safetensors",
                          Clock::now().time_since_epoch().count())) {
    std::vector<SafetensorsWriter::Entry> entries;
    for (const WantedTensor& t : HeadTensors(head))
      entries.push_back({t.name, DType::kF32, t.shape});
    SafetensorsWriter writer(path_, entries, {});
    for (const auto& entry : entries) {
      const FloatBuffer values = SyntheticTensor(entry.name, entry.shape, 1);
      writer.Append(
          {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
    }
    writer.Commit();
  }
  HeadFile(const HeadFile&) = delete;
  HeadFile& operator=(const HeadFile&) = delete;
  ~HeadFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Products of the model's widest layer, for five pictures.
class Products {
 public:
  double FlopsPerSecond() {
    const auto start = Clock::now();
    double flops = 0;
    do {
      layer_.Run(kRows, x_.data(), y_.data(), products_);
      flops += 2.0 * kRows * kIn * kOut;
    } while (SecondsSince(start) < 0.5);
    return flops / SecondsSince(start);
  }

 private:
  static constexpr int64_t kRows = 4650, kIn = 1024, kOut = 4096;
  std::vector<float> weight_ = std::vector<float>(kIn * kOut, 0.01F);
  std::vector<float> bias_ = std::vector<float>(kOut, 0);
  std::vector<float> x_ = std::vector<float>(kRows * kIn, 0.5F),
                     y_ = std::vector<float>(kRows * kOut);
  Linear layer_{kIn, kOut, weight_.data(), bias_.data()};
  CompiledProducts products_;
};

// Median and 99.9th percentile of the relative differences of depths, of raw [pixels, 2].
std::string DepthErrors(const std::vector<float>& raw, const std::vector<float>& expected) {
  std::vector<double> errors;
  for (size_t i = 0; i < raw.size(); i += 2) {
    errors.push_back(std::abs(std::expm1(static_cast<double>(raw[i]) - expected[i])));
  }
  std::ranges::sort(errors);
  return fmt::format(", \"depth_error\": {{\"median\": {:.2g}, \"p999\": {:.2g}}}",
                     errors[errors.size() / 2], errors[errors.size() * 999 / 1000]);
}

void Measure(int64_t rows, int64_t cols, int rounds) {
  const DptSpec spec = VggtDptHead({}, kDepthHeadName);
  const HeadFile file(spec);
  const Checkpoint checkpoint = Checkpoint::Open(file.path());
  const double flops = HeadFlops(spec, rows, cols, 14);
  Products products;
  products.FlopsPerSecond();
  std::vector<float> exact;
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (precision == Precision::kBf16 && !MultipliesBf16()) continue;
    DptHead head(checkpoint, "", spec, {rows, cols}, 14, precision);
    std::vector<float> raw(head.pixels().pixels() * spec.outputs);
    const auto read = [&](size_t level, float* tokens) {
      for (int64_t i = 0; i < rows * cols * spec.width; ++i) {
        tokens[i] = static_cast<float>((i * 31 + static_cast<int64_t>(level)) % 97) / 48 - 1;
      }
    };
    head.Run(read, raw.data());
    std::vector<double> ratios, seconds;
    for (int round = 0; round < rounds; ++round) {
      const double before = products.FlopsPerSecond();
      const auto start = Clock::now();
      head.Run(read, raw.data());
      seconds.push_back(SecondsSince(start));
      const double rate = (before + products.FlopsPerSecond()) / 2;
      ratios.push_back(flops / seconds.back() / rate);
    }
    std::ranges::sort(ratios);
    std::ranges::sort(seconds);
    fmt::print(
        "{{\"precision\": \"{}\", \"patches\": [{}, {}], \"gflop\": {:.1f}, \"seconds\": {:.3f}, "
        "\"ratio_to_f32_products\": {:.3f}{}}}\n",
        PrecisionName(precision), rows, cols, flops / 1e9, seconds[seconds.size() / 2],
        ratios[ratios.size() / 2], exact.empty() ? "" : DepthErrors(raw, exact));
    if (exact.empty()) exact = raw;
  }
}

}  // namespace
}  // namespace vggt

// Arguments: rows and columns of patches (25 37), rounds (5).
int main(int count, char** arguments) {
  const int64_t rows = count > 2 ? std::atoll(arguments[1]) : 25;
  const int64_t cols = count > 2 ? std::atoll(arguments[2]) : 37;
  vggt::Measure(rows, cols, count > 3 ? std::atoi(arguments[3]) : 5);
}
