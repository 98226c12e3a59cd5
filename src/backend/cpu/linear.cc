// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/linear.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/onednn.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/tensor.h"

namespace vggt {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// The packed layout is chosen for this many rows; it depends on them little or not at all.
constexpr int64_t kTypicalRows = 2048;

// A block that one thread takes where oneDNN's own sharing out is not used: so large that packing
// its factors is a small part, so small that there are enough of them.
constexpr int64_t kBlockRows = 480, kBlockColumns = 512;

Type TypeOf(const float*) { return Type::f32; }
Type TypeOf(const uint16_t*) { return Type::bf16; }

memory::desc RowMajor(int64_t rows, int64_t cols, Type type) {
  return {{rows, cols}, type, memory::format_tag::ab};
}

// While it lives, what this thread calls uses one thread.
class OneThread {
 public:
  OneThread() { SetThreadCount(1); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() { SetThreadCount(before_); }

 private:
  const int before_ = ThreadCount();
};

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
  // Some columns of the result, all of them unless `in_blocks`.
  struct Slice {
    int64_t first, count;
    AlignedBuffer<uint8_t> bytes;  // of `weight`
    memory weight, bias;
  };
  struct Product {
    dnnl::matmul matmul;
    memory::desc scratch;
  };

  int64_t in, out;
  Type type;  // of weights and x
  PostOp post_op;
  bool in_blocks;
  std::vector<Slice> slices;
  std::map<std::tuple<int64_t, int64_t, Type>, Product> products;  // by rows, columns, output

  // For construction from weights of either type.
  template <typename T>
  static std::unique_ptr<Packed> Make(int64_t in, int64_t out, const T* weight, const float* bias,
                                      LinearEpilogue epilogue) {
    auto packed = std::make_unique<Packed>();
    packed->in = in;
    packed->out = out;
    packed->type = TypeOf(weight);
    packed->post_op = ToPostOp(epilogue);
    WithOneDnn("packing the weights of a linear layer", [&] {
      // Without AVX-512 the order of oneDNN's sums depends on the size of a product and on the
      // number of threads; so it is given the same blocks, each on one thread, however many there
      // are.
      const auto whole = packed->Desc(kTypicalRows, out, packed->type);
      packed->in_blocks = std::string_view(whole.impl_info_str()).starts_with("gemm");
      const int64_t step = packed->in_blocks ? kBlockColumns : out;
      for (int64_t first = 0; first < out; first += step) {
        packed->Pack(weight + first * in, bias + first, first, std::min(step, out - first));
      }
    });
    return packed;
  }

  void Pack(const void* from, const float* bias_from, int64_t first, int64_t count) {
    const memory::desc transposed({in, count}, type, memory::format_tag::ba);
    memory source(transposed, CpuEngine(), const_cast<void*>(from));
    const memory::desc packed = Desc(kTypicalRows, count, type).weights_desc();
    Slice slice{first, count, AlignedBuffer<uint8_t>(packed.get_size()), {}, {}};
    slice.weight = memory(packed, CpuEngine(), slice.bytes.data());
    dnnl::reorder(source, slice.weight).execute(CpuStream(), source, slice.weight);
    const memory::desc bias_desc = RowMajor(1, count, Type::f32);
    slice.bias = memory(bias_desc, CpuEngine());
    memory bias_source(bias_desc, CpuEngine(), const_cast<float*>(bias_from));
    dnnl::reorder(bias_source, slice.bias).execute(CpuStream(), bias_source, slice.bias);
    CpuStream().wait();
    slices.push_back(std::move(slice));
  }

  memory::desc Output(int64_t rows, int64_t columns, Type out_type) const {
    return {{rows, columns}, out_type, memory::dims{out, 1}};
  }

  // With weights in the layout that oneDNN prefers.
  dnnl::matmul::primitive_desc Desc(int64_t rows, int64_t columns, Type out_type) const {
    return MatmulDesc(RowMajor(rows, in, type), {{in, columns}, type, memory::format_tag::any},
                      RowMajor(1, columns, Type::f32), Output(rows, columns, out_type), post_op);
  }

  const Product& For(int64_t rows, const Slice& slice, Type out_type) {
    const std::tuple key(rows, slice.count, out_type);
    const auto found = products.find(key);
    if (found != products.end()) return found->second;
    const auto desc = MatmulDesc(RowMajor(rows, in, type), slice.weight.get_desc(),
                                 RowMajor(1, slice.count, Type::f32),
                                 Output(rows, slice.count, out_type), post_op);
    return products.emplace(key, Product{dnnl::matmul(desc), desc.scratchpad_desc()}).first->second;
  }

  template <typename In, typename Out>
  void Run(int64_t rows, const In* x, Out* y) {
    if (TypeOf(x) != type) throw Error("the input of a linear layer is not of its weights' type");
    if (rows == 0) return;
    WithOneDnn("a linear layer", [&] {
      const int64_t step = in_blocks ? kBlockRows : rows;
      const int64_t columns = std::ssize(slices), blocks = (rows + step - 1) / step * columns;
      const auto run = [&](int64_t block) {
        const Slice& slice = slices[block % columns];
        const int64_t first = block / columns * step, count = std::min(step, rows - first);
        const Product& product = products.at({count, slice.count, TypeOf(y)});
        Execute(product, slice, count, x + first * in, y + first * out + slice.first);
      };
      for (const Slice& slice : slices) {
        For(std::min(step, rows), slice, TypeOf(y));
        if (rows % step > 0) For(rows % step, slice, TypeOf(y));
      }
      if (!in_blocks) return run(0);
      ParallelFor(blocks, 1, [&](size_t i) {
        const OneThread one;
        run(static_cast<int64_t>(i));
      });
    });
  }

  template <typename In, typename Out>
  void Execute(const Product& product, const Slice& slice, int64_t rows, const In* x, Out* y) {
    thread_local AlignedBuffer<uint8_t> bytes;  // one for all layers
    if (bytes.size() < product.scratch.get_size()) {
      bytes = AlignedBuffer<uint8_t>(product.scratch.get_size());
    }
    const memory working(product.scratch, CpuEngine(), bytes.data());
    const memory src(RowMajor(rows, in, type), CpuEngine(), const_cast<In*>(x));
    const memory dst(Output(rows, slice.count, TypeOf(y)), CpuEngine(), y);
    product.matmul.execute(CpuStream(), {{DNNL_ARG_SRC, src},
                                         {DNNL_ARG_WEIGHTS, slice.weight},
                                         {DNNL_ARG_BIAS, slice.bias},
                                         {DNNL_ARG_DST, dst},
                                         {DNNL_ARG_SCRATCHPAD, working}});
    CpuStream().wait();
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
