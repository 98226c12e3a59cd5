// SPDX-License-Identifier: Apache-2.0
#include "core/bytes.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;

TEST(Cursor, ReadsLittleEndianAndStopsAtTheEnd) {
  const std::string bytes("\x01\x02\x00\x00\x07", 5);
  Cursor cursor(AsBytes(bytes), "f.bin");
  EXPECT_EQ(cursor.Read<uint32_t>("the count"), 0x201U);
  EXPECT_EQ(cursor.left(), 1U);
  EXPECT_THAT(ErrorOf([&] { cursor.Read<uint16_t>("the size"); }),
              HasSubstr("f.bin, byte 4: the size needs 2 bytes, 1 are left"));
  EXPECT_THAT(ErrorOf([&] { cursor.Take(SIZE_MAX, "data"); }), HasSubstr("data needs"));
}

}  // namespace
}  // namespace vggt
