// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear.h"

#include <map>
#include <utility>

#include "core/error.h"
#include "core/tensor.h"
#include "kernels/onednn.h"

namespace vggt {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// The packed layout is chosen for this many rows; it depends on them little or not at all.
constexpr int64_t kTypicalRows = 2048;

Type TypeOf(const float*) { return Type::f32; }
Type TypeOf(const uint16_t*) { return Type::bf16; }

memory::desc RowMajor(int64_t rows, int64_t cols, Type type) {
  return {{rows, cols}, type, memory::format_tag::ab};
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
  Type type;  // of weights and x
  PostOp post_op;
  AlignedBuffer<uint8_t> weight_bytes;  // of `weight`
  memory weight, bias;
  std::map<std::pair<int64_t, Type>, dnnl::matmul> by_rows;  // and by the output's type

  // For construction from weights of either type.
  template <typename T>
  static std::unique_ptr<Packed> Make(int64_t in, int64_t out, const T* weight, const float* bias,
                                      LinearEpilogue epilogue) {
    auto packed = std::make_unique<Packed>();
    packed->in = in;
    packed->out = out;
    packed->type = TypeOf(weight);
    packed->post_op = ToPostOp(epilogue);
    WithOneDnn("packing the weights of a linear layer", [&] { packed->Pack(weight, bias); });
    return packed;
  }

  void Pack(const void* from, const float* bias_from) {
    const memory::desc transposed({in, out}, type, memory::format_tag::ba);
    const memory::desc any({in, out}, type, memory::format_tag::any);
    memory source(transposed, CpuEngine(), const_cast<void*>(from));
    const memory::desc packed = Desc(kTypicalRows, any, type).weights_desc();
    weight_bytes = AlignedBuffer<uint8_t>(packed.get_size());
    weight = memory(packed, CpuEngine(), weight_bytes.data());
    dnnl::reorder(source, weight).execute(CpuStream(), source, weight);
    const memory::desc bias_desc = RowMajor(1, out, Type::f32);
    bias = memory(bias_desc, CpuEngine());
    memory bias_source(bias_desc, CpuEngine(), const_cast<float*>(bias_from));
    dnnl::reorder(bias_source, bias).execute(CpuStream(), bias_source, bias);
    CpuStream().wait();
  }

  dnnl::matmul::primitive_desc Desc(int64_t rows, const memory::desc& weight_desc,
                                    Type out_type) const {
    return MatmulDesc(RowMajor(rows, in, type), weight_desc, RowMajor(1, out, Type::f32),
                      RowMajor(rows, out, out_type), post_op);
  }

  const dnnl::matmul& For(int64_t rows, Type out_type) {
    const auto found = by_rows.find({rows, out_type});
    if (found != by_rows.end()) return found->second;
    const dnnl::matmul matmul(Desc(rows, weight.get_desc(), out_type));
    return by_rows.emplace(std::pair{rows, out_type}, matmul).first->second;
  }

  template <typename In, typename Out>
  void Run(int64_t rows, const In* x, Out* y) {
    if (TypeOf(x) != type) throw Error("the input of a linear layer is not of its weights' type");
    if (rows == 0) return;
    WithOneDnn("a linear layer", [&] {
      const memory src(RowMajor(rows, in, type), CpuEngine(), const_cast<In*>(x));
      const memory dst(RowMajor(rows, out, TypeOf(y)), CpuEngine(), y);
      For(rows, TypeOf(y))
          .execute(CpuStream(), {{DNNL_ARG_SRC, src},
                                 {DNNL_ARG_WEIGHTS, weight},
                                 {DNNL_ARG_BIAS, bias},
                                 {DNNL_ARG_DST, dst}});
      CpuStream().wait();
    });
  }
};

Linear::Linear(int64_t in, int64_t out, const float* weight, const float* bias,
               LinearEpilogue epilogue)
    : packed_(Packed::Make(in, out, weight, bias, epilogue)) {}

Linear::Linear(int64_t in, int64_t out, const uint16_t* weight, const float* bias,
               LinearEpilogue epilogue) {
  if (!MultipliesBf16()) throw Error("this processor does not multiply bfloat16");
  packed_ = Packed::Make(in, out, weight, bias, epilogue);
}

Linear::Linear(Linear&&) noexcept = default;
Linear& Linear::operator=(Linear&&) noexcept = default;
Linear::~Linear() = default;

int64_t Linear::in() const { return packed_->in; }
int64_t Linear::out() const { return packed_->out; }
Precision Linear::precision() const {
  return packed_->type == Type::bf16 ? Precision::kBf16 : Precision::kF32;
}

void Linear::Run(int64_t rows, const float* x, float* y) const { packed_->Run(rows, x, y); }
void Linear::Run(int64_t rows, const uint16_t* x, float* y) const { packed_->Run(rows, x, y); }
void Linear::Run(int64_t rows, const uint16_t* x, uint16_t* y) const { packed_->Run(rows, x, y); }

}  // namespace vggt
