// SPDX-License-Identifier: Apache-2.0
// Part of tests that are run on several instruction sets. VGGT_TEST_TARGET=AVX2 (or another of
// Highway's names) in the environment makes the kernels run as on a processor that has nothing
// better; oneDNN listens to ONEDNN_MAX_CPU_ISA. Says what was forced, and fails if the processor
// does not have it.
#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

[[maybe_unused]] const bool kForced = [] {
  const char* wanted = std::getenv("VGGT_TEST_TARGET");
  if (wanted == nullptr) return true;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (std::strcmp(hwy::TargetName(target), wanted) != 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    std::printf("kernels forced to %s\n", wanted);
    return true;
  }
  std::fprintf(stderr, "this processor has no %s\n", wanted);
  std::exit(1);
}();

}  // namespace
