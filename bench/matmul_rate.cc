// SPDX-License-Identifier: Apache-2.0
// The rate that all others are compared with: how fast oneDNN multiplies matrices of the model's
// shapes on this machine at this moment, on all threads. Weights are packed in the layout that
// oneDNN chooses; there is no bias and no post-op. Prints JSON: FLOP/s for each shape, and for all
// of them, weighted by the model's arithmetic in each shape.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/onednn.h"
#include "core/tensor.h"
#include "ops/precision.h"

namespace vggt {
namespace {

using dnnl::memory;
using Clock = std::chrono::steady_clock;

struct Shape2 {
  int64_t in, out;
};
constexpr Shape2 kShapes[] = {{1024, 3072}, {1024, 1024}, {1024, 4096}, {4096, 1024}};

// A matrix of small values. `desc` may have a layout that only oneDNN knows.
class Matrix {
 public:
  explicit Matrix(const memory::desc& desc)
      : bytes_(desc.get_size()), memory_(desc, CpuEngine(), bytes_.data()) {
    // As bfloat16 and as float32 (0x3C003C00) these bytes are 0.0078.
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = i % 2 == 0 ? 0x00 : 0x3C;
  }
  const memory& operator*() const { return memory_; }

 private:
  AlignedBuffer<uint8_t> bytes_;
  memory memory_;
};

// The mean seconds of one product. The fastest of several runs would be too good.
double Seconds(int64_t rows, const Shape2& shape, memory::data_type type, double budget) {
  const memory::desc src({rows, shape.in}, type, memory::format_tag::ab);
  const memory::desc any({shape.in, shape.out}, type, memory::format_tag::any);
  const memory::desc dst({rows, shape.out}, type, memory::format_tag::ab);
  const auto desc = MatmulDesc(src, any, {}, dst, PostOp::kNone);
  const dnnl::matmul matmul(desc);
  const Matrix x(src), weights(desc.weights_desc()), y(dst), working(desc.scratchpad_desc());
  const auto run = [&] {
    matmul.execute(CpuStream(), {{DNNL_ARG_SRC, *x},
                                 {DNNL_ARG_WEIGHTS, *weights},
                                 {DNNL_ARG_DST, *y},
                                 {DNNL_ARG_SCRATCHPAD, *working}});
    CpuStream().wait();
  };
  run();
  const auto start = Clock::now();
  double seconds = 0;
  int64_t runs = 0;
  while (seconds < budget) {
    run();
    ++runs;
    seconds = std::chrono::duration<double>(Clock::now() - start).count();
  }
  return seconds / static_cast<double>(runs);
}

std::string Rates(int64_t rows, memory::data_type type, double budget) {
  std::string shapes;
  double flops = 0, seconds = 0;
  for (const Shape2& shape : kShapes) {
    const double work = 2.0 * static_cast<double>(rows * shape.in * shape.out);
    const double taken = Seconds(rows, shape, type, budget);
    shapes += fmt::format("{}\"{}x{}\": {:.4g}", shapes.empty() ? "" : ", ", shape.in, shape.out,
                          work / taken);
    flops += work;
    seconds += taken;
  }
  return fmt::format("{{\"all\": {:.4g}, {}}}", flops / seconds, shapes);
}

}  // namespace
}  // namespace vggt

// Arguments: rows of x (4650), seconds for each shape (0.25).
int main(int count, char** arguments) {
  using namespace vggt;
  const int64_t rows = count > 1 ? std::atoll(arguments[1]) : 4650;
  const double budget = count > 2 ? std::atof(arguments[2]) : 0.25;
  WithOneDnn("measuring", [&] {
    std::string bf16 = "null";
    if (MultipliesBf16()) bf16 = Rates(rows, memory::data_type::bf16, budget);
    fmt::print("{{\"rows\": {}, \"f32\": {}, \"bf16\": {}}}\n", rows,
               Rates(rows, memory::data_type::f32, budget), bf16);
  });
}
