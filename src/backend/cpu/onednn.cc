// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/onednn.h"

#include <fmt/format.h>

#include "core/error.h"

namespace vggt {

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
  dnnl::post_ops ops;
  constexpr auto kGeluErf = dnnl::algorithm::eltwise_gelu_erf;
#if DNNL_VERSION_MAJOR >= 3
  if (post_op == PostOp::kGelu) ops.append_eltwise(kGeluErf, 0, 0);
#else
  if (post_op == PostOp::kGelu) ops.append_eltwise(1, kGeluErf, 0, 0);
#endif
  if (post_op == PostOp::kAddToOutput) ops.append_sum(1);
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {CpuEngine(), src, weights, bias, dst, attr};
#else
  return {dnnl::matmul::desc(src, weights, bias, dst), attr, CpuEngine()};
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
