// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/precision_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/onednn.h"
#include "core/tensor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace vggt {
namespace {

using Clock = std::chrono::steady_clock;
using Type = dnnl::memory::data_type;

std::string CpuVendor() {
#if defined(__x86_64__)
  unsigned leaf = 0, words[3] = {};
  if (__get_cpuid(0, &leaf, &words[0], &words[2], &words[1]) == 0) return "";
  return {reinterpret_cast<const char*>(words), sizeof(words)};
#else
  return "";
#endif
}

// oneDNN's names of instruction sets are sets of bits: each holds those it builds on.
[[maybe_unused]] bool OneDnnUses(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

// Seconds for one product of VGGT-1B's width, the shorter of two; a run before them compiles it.
// The factors are zeros, which take as long as other numbers.
double ProductSeconds(Type type) {
  constexpr int64_t kRows = 256, kWidth = 1024;
  const dnnl::memory::dims x{kRows, kWidth}, w{kWidth, kWidth}, b{1, kWidth};
  using Tag = dnnl::memory::format_tag;
  const auto desc = MatmulDesc({x, type, Tag::ab}, {w, type, Tag::any}, {b, Type::f32, Tag::ab},
                               {x, Type::f32, Tag::ab}, PostOp::kNone);
  const auto zeros = [](const dnnl::memory::desc& of, AlignedBuffer<uint8_t>& bytes) {
    bytes = AlignedBuffer<uint8_t>(of.get_size());
    std::fill_n(bytes.data(), bytes.size(), uint8_t{0});
    return dnnl::memory(of, CpuEngine(), bytes.data());
  };
  AlignedBuffer<uint8_t> bytes[5];
  const std::unordered_map<int, dnnl::memory> arguments = {
      {DNNL_ARG_SRC, zeros(desc.src_desc(), bytes[0])},
      {DNNL_ARG_WEIGHTS, zeros(desc.weights_desc(), bytes[1])},
      {DNNL_ARG_BIAS, zeros({b, Type::f32, Tag::ab}, bytes[2])},
      {DNNL_ARG_DST, zeros(desc.dst_desc(), bytes[3])},
      {DNNL_ARG_SCRATCHPAD, zeros(desc.scratchpad_desc(), bytes[4])}};
  const dnnl::matmul product(desc);
  double best = 1e9;
  for (int run = 0; run < 3; ++run) {
    const auto begin = Clock::now();
    product.execute(CpuStream(), arguments);
    CpuStream().wait();
    const std::chrono::duration<double> took = Clock::now() - begin;
    if (run > 0) best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

PrecisionChoice ChoosePrecision(const Bf16Machine& machine,
                                const std::function<double()>& measure) {
  if (!machine.available) return {Precision::kF32, "this processor does not multiply bf16"};
  if (machine.amx && machine.onednn_major >= 3) {
    return {Precision::kBf16, "AMX multiplies bf16 several times as fast as f32"};
  }
  // Measured on a Xeon with AMX: half of f32's rate with oneDNN 2.6, five times that with 3.2.
  if (machine.amx) {
    return {Precision::kF32,
            fmt::format("oneDNN {} multiplies bf16 more slowly than f32 on processors with AMX; "
                        "from oneDNN 3 on, bf16 is faster",
                        machine.onednn_major)};
  }
  // Zen 4 and later: their vdpbf16ps does two multiply-adds in the time of one of f32.
  if (machine.vendor == "AuthenticAMD") {
    return {Precision::kBf16, "this processor multiplies bf16 twice as fast as f32"};
  }
  // Intel's takes twice the time of an f32 multiply-add: the same rate, and rounding comes on top.
  if (machine.vendor == "GenuineIntel") {
    return {Precision::kF32, "without AMX, Intel's processors multiply bf16 no faster than f32"};
  }
  const double speedup = measure();
  return {
      speedup >= kWorthwhileSpeedup ? Precision::kBf16 : Precision::kF32,
      fmt::format("measured: this processor multiplies bf16 {:.2g} times as fast as f32", speedup)};
}

Bf16Machine ThisMachine() {
  Bf16Machine machine{
      .available = MultipliesBf16(), .vendor = CpuVendor(), .onednn_major = dnnl::version()->major};
#if defined(__x86_64__)
  machine.amx = OneDnnUses(dnnl::cpu_isa::avx512_core_amx);
#endif
  return machine;
}

double MeasureBf16Speedup() {
  double speedup = 0;
  WithOneDnn("measuring products",
             [&] { speedup = ProductSeconds(Type::f32) / ProductSeconds(Type::bf16); });
  return speedup;
}

const PrecisionChoice& FasterPrecision() {
  static const PrecisionChoice choice = ChoosePrecision(ThisMachine(), MeasureBf16Speedup);
  return choice;
}

std::string InstructionsFor([[maybe_unused]] Precision precision) {
#if defined(__x86_64__)
  if (precision == Precision::kBf16) {
    return OneDnnUses(dnnl::cpu_isa::avx512_core_amx) ? "AMX" : "AVX512_BF16";
  }
  if (OneDnnUses(dnnl::cpu_isa::avx512_core)) return "AVX-512";
  if (OneDnnUses(dnnl::cpu_isa::avx2)) return "AVX2";
  if (OneDnnUses(dnnl::cpu_isa::sse41)) return "SSE4.1";
#endif
  return "this processor's usual instructions";
}

std::string PrecisionText() {
  const PrecisionChoice& faster = FasterPrecision();
  const dnnl::version_t* version = dnnl::version();
  return fmt::format("computes in {} ({}, oneDNN {}.{}.{}) unless told otherwise:\n{}",
                     PrecisionName(faster.precision), InstructionsFor(faster.precision),
                     version->major, version->minor, version->patch, faster.reason);
}

}  // namespace vggt
