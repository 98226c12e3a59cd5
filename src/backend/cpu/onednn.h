// SPDX-License-Identifier: Apache-2.0
// The only door to oneDNN: its headers are included here and nowhere else, and the differences
// between its versions 2 and 3 end here.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <functional>

namespace vggt {

// The processor as oneDNN knows it, and each thread's stream on it; made at first use.
const dnnl::engine& CpuEngine();
dnnl::stream& CpuStream();

enum class PostOp { kNone, kGelu, kRelu, kAddToOutput };

// A product dst [M, N] = src [M, K] · weights [K, N] + bias [1, N], then `post_op`;
// sums are float32 whatever the types of src, weights and dst.
// kGelu is the exact GELU (erf); kAddToOutput adds to what dst holds. Working memory is given when
// it is executed: DNNL_ARG_SCRATCHPAD, of scratchpad_desc().
dnnl::matmul::primitive_desc MatmulDesc(const dnnl::memory::desc& src,
                                        const dnnl::memory::desc& weights,
                                        const dnnl::memory::desc& bias,
                                        const dnnl::memory::desc& dst, PostOp post_op);

// A convolution of maps [1, channels, rows, columns] with weights [out, in, kernel, kernel] and
// bias [out] or an empty one, then `post_op`. `zero_rows` and `zero_columns` are the zeros before
// the first and after the last of x. Working memory and sums as above.
dnnl::convolution_forward::primitive_desc ConvolutionDesc(const dnnl::memory::desc& src,
                                                          const dnnl::memory::desc& weights,
                                                          const dnnl::memory::desc& bias,
                                                          const dnnl::memory::desc& dst,
                                                          int64_t stride, int64_t zero_rows,
                                                          int64_t zero_columns, PostOp post_op);

// Calls `body`; what oneDNN throws becomes an Error that says what was being done.
void WithOneDnn(const char* doing, const std::function<void()>& body);

}  // namespace vggt
