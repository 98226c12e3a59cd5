// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.h"

#include <map>

#include "kernels/onednn.h"

namespace vggt {
namespace {

using dnnl::memory;

constexpr auto kF32 = memory::data_type::f32;

// The packed layout is chosen for this many rows; it depends on them little or not at all.
constexpr int64_t kTypicalRows = 2048;

memory::desc RowMajor(int64_t rows, int64_t cols) {
  return {{rows, cols}, kF32, memory::format_tag::ab};
}

PostOp ToPostOp(LinearEpilogue epilogue) {
  switch (epilogue) {
    case LinearEpilogue::kGelu:
      return PostOp::kGelu;
    case LinearEpilogue::kAddToOutput:
      return PostOp::kAddToOutput;
    case LinearEpilogue::kNone:
      break;
  }
  return PostOp::kNone;
}

}  // namespace

struct Linear::Packed {
  int64_t in, out;
  PostOp post_op;
  memory weight, bias;
  std::map<int64_t, dnnl::matmul> by_rows;

  dnnl::matmul::primitive_desc Desc(int64_t rows, const memory::desc& weight_desc) const {
    return MatmulDesc(RowMajor(rows, in), weight_desc, RowMajor(1, out), RowMajor(rows, out),
                      post_op);
  }

  const dnnl::matmul& For(int64_t rows) {
    const auto found = by_rows.find(rows);
    if (found != by_rows.end()) return found->second;
    return by_rows.emplace(rows, dnnl::matmul(Desc(rows, weight.get_desc()))).first->second;
  }
};

Linear::Linear(int64_t in, int64_t out, const float* weight, const float* bias,
               LinearEpilogue epilogue)
    : packed_(std::make_unique<Packed>()) {
  packed_->in = in;
  packed_->out = out;
  packed_->post_op = ToPostOp(epilogue);
  WithOneDnn("packing the weights of a linear layer", [&] {
    const memory::desc transposed({in, out}, kF32, memory::format_tag::ba);
    const memory::desc any({in, out}, kF32, memory::format_tag::any);
    memory source(transposed, CpuEngine(), const_cast<float*>(weight));
    packed_->weight = memory(packed_->Desc(kTypicalRows, any).weights_desc(), CpuEngine());
    dnnl::reorder(source, packed_->weight).execute(CpuStream(), source, packed_->weight);
    packed_->bias = memory(RowMajor(1, out), CpuEngine());
    memory bias_source(RowMajor(1, out), CpuEngine(), const_cast<float*>(bias));
    dnnl::reorder(bias_source, packed_->bias).execute(CpuStream(), bias_source, packed_->bias);
    CpuStream().wait();
  });
}

Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

int64_t Linear::in() const { return packed_->in; }
int64_t Linear::out() const { return packed_->out; }

void Linear::Run(int64_t rows, const float* x, float* y) const {
  if (rows == 0) return;
  WithOneDnn("a linear layer", [&] {
    const memory src(RowMajor(rows, in()), CpuEngine(), const_cast<float*>(x));
    const memory dst(RowMajor(rows, out()), CpuEngine(), y);
    packed_->For(rows).execute(CpuStream(), {{DNNL_ARG_SRC, src},
                                             {DNNL_ARG_WEIGHTS, packed_->weight},
                                             {DNNL_ARG_BIAS, packed_->bias},
                                             {DNNL_ARG_DST, dst}});
    CpuStream().wait();
  });
}

}  // namespace vggt
