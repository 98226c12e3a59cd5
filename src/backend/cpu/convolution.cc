// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/convolution.h"

#include <algorithm>
#include <unordered_map>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/onednn.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// Values that a thread rounds at a time.
constexpr size_t kRoundedPiece = 1 << 15;

PostOp ToPostOp(ConvolutionEpilogue epilogue) {
  switch (epilogue) {
    case ConvolutionEpilogue::kRelu:
      return PostOp::kRelu;
    case ConvolutionEpilogue::kAddToOutput:
      return PostOp::kAddToOutput;
    case ConvolutionEpilogue::kNone:
      break;
  }
  return PostOp::kNone;
}

memory::desc MapDesc(int64_t rows, int64_t cols, int64_t channels, Type type) {
  return {{1, channels, rows, cols}, type, memory::format_tag::nhwc};
}

// Working memory of a thread that calls convolutions, one for all of them.
template <typename T>
T* Working(size_t count) {
  thread_local AlignedBuffer<T> buffer;
  if (buffer.size() < count) buffer = AlignedBuffer<T>(count);
  return buffer.data();
}

}  // namespace

struct Convolution::Packed {
  ConvolutionExtents extents;
  Type type = Type::f32;  // of weights and x as they are multiplied
  size_t values = 0;      // of x
  memory::desc src, dst, scratch;
  AlignedBuffer<uint8_t> weight_bytes;
  memory weight, bias;
  dnnl::convolution_forward convolution;
};

Convolution::Convolution(const ConvolutionExtents& e, const float* weight, const float* bias,
                         ConvolutionEpilogue epilogue, RowsBeyond beyond, Precision precision)
    : packed_(std::make_unique<Packed>()) {
  const bool bf16 = precision == Precision::kBf16;
  if (bf16 && !MultipliesBf16()) throw Error("this processor does not multiply bfloat16");
  Packed& p = *packed_;
  p.extents = e;
  p.type = bf16 ? Type::bf16 : Type::f32;
  const int64_t given = beyond == RowsBeyond::kGiven ? 1 : 0, rows = e.rows + 2 * given;
  p.values = static_cast<size_t>(rows * e.cols * e.in);
  WithOneDnn("packing the weights of a convolution", [&] {
    p.src = MapDesc(rows, e.cols, e.in, p.type);
    p.dst = MapDesc(e.rows_out(), e.cols_out(), e.out, Type::f32);
    const memory::dims kernel{e.out, e.in, 3, 3};
    const memory::desc any(kernel, p.type, memory::format_tag::any);
    const memory::desc bias_desc =
        bias == nullptr ? memory::desc() : memory::desc({e.out}, Type::f32, memory::format_tag::a);
    const auto desc =
        ConvolutionDesc(p.src, any, bias_desc, p.dst, e.stride, 1 - given, 1, ToPostOp(epilogue));
    p.scratch = desc.scratchpad_desc();
    p.convolution = dnnl::convolution_forward(desc);
    memory source({kernel, Type::f32, memory::format_tag::oihw}, CpuEngine(),
                  const_cast<float*>(weight));
    p.weight_bytes = AlignedBuffer<uint8_t>(desc.weights_desc().get_size());
    p.weight = memory(desc.weights_desc(), CpuEngine(), p.weight_bytes.data());
    dnnl::reorder(source, p.weight).execute(CpuStream(), source, p.weight);
    if (bias != nullptr) {
      p.bias = memory(bias_desc, CpuEngine());
      std::copy_n(bias, e.out, static_cast<float*>(p.bias.get_data_handle()));
    }
    CpuStream().wait();
  });
}

Convolution::Convolution(Convolution&&) noexcept = default;
Convolution& Convolution::operator=(Convolution&&) noexcept = default;
Convolution::~Convolution() = default;

const ConvolutionExtents& Convolution::extents() const { return packed_->extents; }

void Convolution::Run(const float* x, float* y) const {
  const Packed& p = *packed_;
  const void* input = x;
  if (p.type == Type::bf16) {
    uint16_t* rounded = Working<uint16_t>(p.values);
    ParallelFor((p.values + kRoundedPiece - 1) / kRoundedPiece, 1, [&](size_t piece) {
      const size_t first = piece * kRoundedPiece;
      const size_t count = std::min(kRoundedPiece, p.values - first);
      ScaleFinite(x + first, static_cast<int64_t>(count), 1, rounded + first);
    });
    input = rounded;
  }
  WithOneDnn("a convolution", [&] {
    const memory src(p.src, CpuEngine(), const_cast<void*>(input));
    const memory dst(p.dst, CpuEngine(), y);
    const memory working(p.scratch, CpuEngine(), Working<uint8_t>(p.scratch.get_size()));
    std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, src},
                                                 {DNNL_ARG_WEIGHTS, p.weight},
                                                 {DNNL_ARG_DST, dst},
                                                 {DNNL_ARG_SCRATCHPAD, working}};
    if (p.bias) arguments.emplace(DNNL_ARG_BIAS, p.bias);
    p.convolution.execute(CpuStream(), arguments);
    CpuStream().wait();
  });
}

}  // namespace vggt
