// SPDX-License-Identifier: Apache-2.0
// Which numbers a model is computed in unless a user says: those that are faster on the machine.
#pragma once

#include <functional>
#include <string>

#include "ops/precision.h"

namespace vggt {

// What decides how fast this machine multiplies bfloat16, beside float32.
struct Bf16Machine {
  bool available = false;  // MultipliesBf16(): AVX512_BF16, and oneDNN uses it
  bool amx = false;        // oneDNN may use AMX's tiles: the processor has them, the system permits
  std::string vendor = "";  // as CPUID names it: "GenuineIntel", "AuthenticAMD"
  int onednn_major = 0;     // oneDNN's version
};

struct PrecisionChoice {
  Precision precision = Precision::kF32;
  // Why: "AMX multiplies bf16 several times as fast as f32". Without a full stop.
  std::string reason;
};

// bf16 where the processor is known to multiply it faster, f32 where it is known not to. Where
// neither is known, `measure` is called: it returns how many times as fast as f32 bf16 is, and
// bf16 is taken from kWorthwhileSpeedup on.
PrecisionChoice ChoosePrecision(const Bf16Machine& machine, const std::function<double()>& measure);
inline constexpr double kWorthwhileSpeedup = 1.1;

Bf16Machine ThisMachine();

// How many times as fast as the same product in f32 oneDNN computes one in bf16 here, by a
// measurement of less than 50 ms on two cores. Needs Bf16Machine::available.
double MeasureBf16Speedup();

// ChoosePrecision for this machine, decided once for each process.
const PrecisionChoice& FasterPrecision();

// By which instructions matrix products are computed in these numbers: "AMX", "AVX512_BF16",
// "AVX-512", "AVX2", "SSE4.1", or "this processor's usual instructions".
std::string InstructionsFor(Precision precision);

// For people, two lines: "computes in bf16 (AVX512_BF16, oneDNN 3.2.0) unless told otherwise:", and
// the reason.
std::string PrecisionText();

}  // namespace vggt
