// SPDX-License-Identifier: Apache-2.0
#include "ops/amx.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace vggt {
namespace {

// Sapphire Rapids under a kernel that enables everything.
constexpr AmxFacts kEverything{1U << 27, 1U << 22 | 1U << 24, 0x600E7};

AmxState Judge(AmxFacts facts, bool granted, int* asked = nullptr) {
  return JudgeAmx(facts, [&] {
    if (asked != nullptr) ++*asked;
    return granted;
  });
}

TEST(AmxTest, IsReadyWherePermissionIsGranted) {
  EXPECT_EQ(Judge(kEverything, true), AmxState::kReady);
  EXPECT_EQ(Judge(kEverything, false), AmxState::kRefused);
}

TEST(AmxTest, DoesNotAskWhereItCannotRun) {
  int asked = 0;
  for (const uint32_t edx : {0U, 1U << 22, 1U << 24}) {
    AmxFacts facts = kEverything;
    facts.leaf7_edx = edx;
    EXPECT_EQ(Judge(facts, true, &asked), AmxState::kAbsent);
  }
  for (const int bit : {5, 6, 7, 17, 18}) {
    AmxFacts facts = kEverything;
    facts.xcr0 &= ~(uint64_t{1} << bit);
    EXPECT_EQ(Judge(facts, true, &asked), AmxState::kNotEnabled) << "bit " << bit;
  }
  AmxFacts facts = kEverything;
  facts.leaf1_ecx = 0;
  EXPECT_EQ(Judge(facts, true, &asked), AmxState::kNotEnabled);
  EXPECT_EQ(asked, 0);
}

TEST(AmxTest, AgreesWithTheSystem) {
  std::printf("%s\n", std::string(AmxStateText(Amx())).c_str());
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::string text(std::istreambuf_iterator<char>(cpuinfo), {});
  if (text.empty()) GTEST_SKIP() << "no /proc/cpuinfo";
  // Linux lists what it has enabled.
  const bool listed = text.find("amx_bf16") != std::string::npos;
  EXPECT_EQ(Amx() == AmxState::kReady || Amx() == AmxState::kRefused, listed);
  EXPECT_EQ(HasAmx(), Amx() == AmxState::kReady);
}

TEST(AmxTest, EachStateHasItsText) {
  EXPECT_EQ(AmxStateText(AmxState::kReady), "the processor has AMX");
  EXPECT_EQ(AmxStateText(AmxState::kAbsent), "the processor has no AMX");
  EXPECT_NE(AmxStateText(AmxState::kNotEnabled), AmxStateText(AmxState::kRefused));
}

}  // namespace
}  // namespace vggt
