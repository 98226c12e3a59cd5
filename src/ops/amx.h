// SPDX-License-Identifier: Apache-2.0
// Whether this process may use AMX, the matrix tiles of Intel's processors from Sapphire Rapids on.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace vggt {

enum class AmxState {
  kReady,       // tiles of bfloat16 can be used by all threads of this process
  kAbsent,      // the processor does not have them
  kNotEnabled,  // the operating system does not keep their contents (Linux does from 5.16 on)
  kRefused,     // the operating system refused this process the permission to use them
};

// Asks the processor and Linux. The first call asks for the permission, which then holds for the
// whole process; later calls return the first one's answer. Any thread may call.
AmxState Amx();
inline bool HasAmx() { return Amx() == AmxState::kReady; }

// What a state means, as a part of a sentence: "the processor has no AMX".
std::string_view AmxStateText(AmxState state);

// What multiplies in a kernel on tiles: the processor's, or a model of them in plain C++, which
// runs anywhere and is some thousand times slower. On a processor that has tiles, both give the
// same bits.
enum class TileUnit { kProcessor, kModel };

// What CPUID and XGETBV say. Intel, Software Developer's Manual, volume 1, chapter 18.
struct AmxFacts {
  uint32_t leaf1_ecx = 0;  // bit 27: the operating system has enabled XGETBV
  uint32_t leaf7_edx = 0;  // bit 22: products of bfloat16; bit 24: tiles
  uint64_t xcr0 = 0;       // bits 5 to 7: AVX-512; 17 and 18: tile configuration and tiles
};

// The rule behind Amx(). `ask_permission` is called only if all else allows AMX; it returns whether
// the permission was granted.
AmxState JudgeAmx(const AmxFacts& facts, const std::function<bool()>& ask_permission);

}  // namespace vggt
