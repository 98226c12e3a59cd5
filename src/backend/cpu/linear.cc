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

// oneDNN chooses the packed layout for a number of rows, which is not known when a model is loaded.
// The layout depends on it little or not at all, so it is chosen for this one, and every product is
// then made for weights in that layout.
constexpr int64_t kTypicalRows = 2048;

// A block of the result that one thread computes where oneDNN does not share a product out by
// itself. It is so large that packing the factors, which oneDNN does anew for each block, is a
// small part of the work, and so small that there are enough blocks for all threads.
constexpr int64_t kBlockRows = 480, kBlockColumns = 512;

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

struct CompiledProducts::Map {
  // What a product depends on. The layout of packed weights depends on the same extents
  // (Packed::Desc), so that layers for which these are equal can share a product.
  struct Key {
    int64_t rows, in, columns, out;
    Type x, y;
    PostOp post_op;

    bool operator<(const Key& other) const { return Values() < other.Values(); }
    std::tuple<int64_t, int64_t, int64_t, int64_t, Type, Type, PostOp> Values() const {
      return {rows, in, columns, out, x, y, post_op};
    }
  };
  struct Product {
    dnnl::matmul matmul;
    memory::desc scratch;
  };

  std::map<Key, Product> products;
};

CompiledProducts::CompiledProducts() : map_(std::make_unique<Map>()) {}
CompiledProducts::CompiledProducts(CompiledProducts&&) noexcept = default;
CompiledProducts& CompiledProducts::operator=(CompiledProducts&&) noexcept = default;
CompiledProducts::~CompiledProducts() = default;

struct Linear::Packed {
  using Product = CompiledProducts::Map::Product;

  // The weights of some columns of the result; of all of them unless `in_blocks`.
  struct Slice {
    int64_t first, count;
    AlignedBuffer<uint8_t> bytes;  // of `weight`
    memory weight, bias;
  };

  int64_t in, out;
  Type type;  // of weights and x
  PostOp post_op;
  bool in_blocks;
  std::vector<Slice> slices;

  // Weights of either type.
  template <typename T>
  static std::unique_ptr<Packed> Make(int64_t in, int64_t out, const T* weight, const float* bias,
                                      LinearEpilogue epilogue) {
    auto packed = std::make_unique<Packed>();
    packed->in = in;
    packed->out = out;
    packed->type = TypeOf(weight);
    packed->post_op = ToPostOp(epilogue);
    WithOneDnn("packing the weights of a linear layer", [&] {
      // A model must give the same bits on any number of threads. With AVX-512, the order in which
      // oneDNN sums the products of a value depends on no number of rows or threads. Without it,
      // oneDNN uses a gemm, whose order depends on both. So the gemm is given blocks of fixed
      // sizes, each on one thread, however many threads there are. It is known by its name, which
      // begins with "gemm".
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

  // Columns of a result whose rows are `out` values apart: a block is written where it belongs.
  memory::desc Output(int64_t rows, int64_t columns, Type out_type) const {
    return {{rows, columns}, out_type, memory::dims{out, 1}};
  }

  // With weights in the layout that oneDNN prefers.
  dnnl::matmul::primitive_desc Desc(int64_t rows, int64_t columns, Type out_type) const {
    return MatmulDesc(RowMajor(rows, in, type), {{in, columns}, type, memory::format_tag::any},
                      RowMajor(1, columns, Type::f32), Output(rows, columns, out_type), post_op);
  }

  CompiledProducts::Map::Key Key(int64_t rows, const Slice& slice, Type out_type) const {
    return {rows, in, slice.count, out, type, out_type, post_op};
  }

  // Makes a product unless it is there.
  void Compile(int64_t rows, const Slice& slice, Type out_type, CompiledProducts& products) const {
    const auto key = Key(rows, slice, out_type);
    if (products.map_->products.contains(key)) return;
    const auto desc = MatmulDesc(RowMajor(rows, in, type), slice.weight.get_desc(),
                                 RowMajor(1, slice.count, Type::f32),
                                 Output(rows, slice.count, out_type), post_op);
    products.map_->products.emplace(key, Product{dnnl::matmul(desc), desc.scratchpad_desc()});
  }

  template <typename In, typename Out>
  void Run(int64_t rows, const In* x, Out* y, CompiledProducts& products) const {
    if (TypeOf(x) != type) throw Error("the input of a linear layer is not of its weights' type");
    if (rows == 0) return;
    WithOneDnn("a linear layer", [&] {
      const int64_t step = in_blocks ? kBlockRows : rows;
      const int64_t columns = std::ssize(slices), blocks = (rows + step - 1) / step * columns;
      const auto run = [&](int64_t block) {
        const Slice& slice = slices[block % columns];
        const int64_t first = block / columns * step, count = std::min(step, rows - first);
        const Product& product = products.map_->products.at(Key(count, slice, TypeOf(y)));
        Execute(product, slice, count, x + first * in, y + first * out + slice.first);
      };
      // All that the blocks need is made before they run, so that they only read the map.
      for (const Slice& slice : slices) {
        Compile(std::min(step, rows), slice, TypeOf(y), products);
        if (rows % step > 0) Compile(rows % step, slice, TypeOf(y), products);
      }
      if (!in_blocks) return run(0);
      ParallelFor(blocks, 1, [&](size_t i) {
        const OneThreadHere one;
        run(static_cast<int64_t>(i));
      });
    });
  }

  template <typename In, typename Out>
  void Execute(const Product& product, const Slice& slice, int64_t rows, const In* x,
               Out* y) const {
    thread_local AlignedBuffer<uint8_t> bytes;  // working memory, one for all layers
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

void Linear::Run(int64_t rows, const float* x, float* y, CompiledProducts& products) const {
  packed_->Run(rows, x, y, products);
}
void Linear::Run(int64_t rows, const uint16_t* x, float* y, CompiledProducts& products) const {
  packed_->Run(rows, x, y, products);
}
void Linear::Run(int64_t rows, const uint16_t* x, uint16_t* y, CompiledProducts& products) const {
  packed_->Run(rows, x, y, products);
}

}  // namespace vggt
