// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/onednn.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

TEST(OneDnn, ItsErrorsBecomeOurs) {
  const std::string text = testing::ErrorOf([] {
    WithOneDnn("a product of unlike shapes", [] {
      using dnnl::memory;
      const auto md = [](int64_t rows, int64_t cols) {
        return memory::desc({rows, cols}, memory::data_type::f32, memory::format_tag::ab);
      };
      MatmulDesc(md(2, 3), md(4, 5), md(1, 5), md(2, 5), PostOp::kNone);
    });
  });
  EXPECT_THAT(text, ::testing::HasSubstr("oneDNN failed at a product of unlike shapes"));
}

}  // namespace
}  // namespace vggt
