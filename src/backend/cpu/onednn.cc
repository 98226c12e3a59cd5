// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/onednn.h"

#include <fmt/format.h>

#include "core/error.h"

namespace vggt {
namespace {

void AppendEltwise(dnnl::post_ops& ops, dnnl::algorithm function) {
#if DNNL_VERSION_MAJOR >= 3
  ops.append_eltwise(function, 0, 0);
#else
  ops.append_eltwise(1, function, 0, 0);
#endif
}

// With the caller's working memory.
dnnl::primitive_attr Attributes(PostOp post_op) {
  dnnl::post_ops ops;
  if (post_op == PostOp::kGelu) AppendEltwise(ops, dnnl::algorithm::eltwise_gelu_erf);
  if (post_op == PostOp::kRelu) AppendEltwise(ops, dnnl::algorithm::eltwise_relu);
  if (post_op == PostOp::kAddToOutput) ops.append_sum(1);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

}  // namespace

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& CpuStream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

dnnl::matmul::primitive_desc MatmulDesc(const dnnl::memory::desc& src,
                                        const dnnl::memory::desc& weights,
                                        const dnnl::memory::desc& bias,
                                        const dnnl::memory::desc& dst, PostOp post_op) {
  const dnnl::primitive_attr attr = Attributes(post_op);
#if DNNL_VERSION_MAJOR >= 3
  return {CpuEngine(), src, weights, bias, dst, attr};
#else
  return {dnnl::matmul::desc(src, weights, bias, dst), attr, CpuEngine()};
#endif
}

dnnl::convolution_forward::primitive_desc ConvolutionDesc(const dnnl::memory::desc& src,
                                                          const dnnl::memory::desc& weights,
                                                          const dnnl::memory::desc& bias,
                                                          const dnnl::memory::desc& dst,
                                                          int64_t stride, int64_t zero_rows,
                                                          int64_t zero_columns, PostOp post_op) {
  constexpr auto kForward = dnnl::prop_kind::forward_inference;
  constexpr auto kDirect = dnnl::algorithm::convolution_direct;
  const dnnl::memory::dims strides{stride, stride}, zeros{zero_rows, zero_columns};
  const dnnl::primitive_attr attr = Attributes(post_op);
#if DNNL_VERSION_MAJOR >= 3
  return {CpuEngine(), kForward, kDirect, src, weights, bias, dst, strides, zeros, zeros, attr};
#else
  return {{kForward, kDirect, src, weights, bias, dst, strides, zeros, zeros}, attr, CpuEngine()};
#endif
}

void WithOneDnn(const char* doing, const std::function<void()>& body) {
  try {
    body();
  } catch (const dnnl::error& e) {
    throw Error(fmt::format("oneDNN failed at {}: {}", doing, e.what()));
  }
}

}  // namespace vggt
