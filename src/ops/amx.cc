// SPDX-License-Identifier: Apache-2.0
// The contents of tiles take 8 KB for each thread. Linux sets this memory aside only for processes
// that ask for it with arch_prctl(ARCH_REQ_XCOMP_PERM); in others the first tile instruction ends
// the process with SIGILL. The permission holds for all threads, those that run already too. Linux
// refuses it, for instance, if a thread's alternate signal stack could not hold the tiles.
#include "ops/amx.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace vggt {
namespace {

constexpr uint32_t kOsXsave = 1U << 27;
constexpr uint32_t kAmxBf16 = 1U << 22, kAmxTile = 1U << 24;
constexpr uint64_t kAvx512State = 7U << 5, kTileState = 3U << 17;

#if defined(__x86_64__) && defined(__linux__)
AmxFacts ReadFacts() {
  AmxFacts facts;
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) facts.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) facts.leaf7_edx = edx;
  if ((facts.leaf1_ecx & kOsXsave) != 0) {
    asm volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    facts.xcr0 = uint64_t{edx} << 32 | eax;
  }
  return facts;
}

bool AskPermission() {
  constexpr int64_t kRequestPermission = 0x1023, kTileData = 18;  // Linux: asm/prctl.h
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#else
AmxFacts ReadFacts() { return {}; }
bool AskPermission() { return false; }
#endif

}  // namespace

AmxState Amx() {
  static const AmxState state = JudgeAmx(ReadFacts(), AskPermission);
  return state;
}

std::string_view AmxStateText(AmxState state) {
  switch (state) {
    case AmxState::kReady:
      return "the processor has AMX";
    case AmxState::kAbsent:
      return "the processor has no AMX";
    case AmxState::kNotEnabled:
      return "the processor has AMX, but the operating system does not enable it";
    case AmxState::kRefused:
      return "the processor has AMX, but the operating system refuses its use";
  }
  return "";
}

AmxState JudgeAmx(const AmxFacts& facts, const std::function<bool()>& ask_permission) {
  constexpr uint32_t kTiles = kAmxBf16 | kAmxTile;
  if ((facts.leaf7_edx & kTiles) != kTiles) return AmxState::kAbsent;
  constexpr uint64_t kStates = kAvx512State | kTileState;
  if ((facts.leaf1_ecx & kOsXsave) == 0 || (facts.xcr0 & kStates) != kStates) {
    return AmxState::kNotEnabled;
  }
  return ask_permission() ? AmxState::kReady : AmxState::kRefused;
}

}  // namespace vggt
