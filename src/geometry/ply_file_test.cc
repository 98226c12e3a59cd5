// SPDX-License-Identifier: Apache-2.0
#include "geometry/ply_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "testing.h"

namespace vggt {
namespace {

using testing::TestDir;

TEST(PlyFile, IsTheHeaderAndThePoints) {
  const TestDir dir;
  std::vector<CloudPoint> points(70'000);  // more than are written at a time
  points[69'999] = {{1.5F, -2, 1e-7F}, {1, 2, 255}, 3.5F, 12, 4, 5, 924};
  WritePly(dir / "a.ply", points);
  const std::string file = ReadFile(dir / "a.ply");
  const std::string header =
      "ply\nformat binary_little_endian 1.0\nelement vertex 70000\nproperty float x\n"
      "property float y\nproperty float z\nproperty uchar red\nproperty uchar green\n"
      "property uchar blue\nproperty float confidence\nproperty int frame\nproperty int patch\n"
      "end_header\n";
  constexpr size_t kPointBytes = 27;
  ASSERT_EQ(file.size(), header.size() + kPointBytes * points.size());
  EXPECT_EQ(file.substr(0, header.size()), header);
  const char* last = file.data() + file.size() - kPointBytes;
  float numbers[3];
  std::memcpy(numbers, last, 12);
  EXPECT_EQ(numbers[0], 1.5F);
  EXPECT_EQ(numbers[1], -2);
  EXPECT_EQ(numbers[2], 1e-7F);
  EXPECT_EQ(std::string(last + 12, 3), "\x01\x02\xFF");
  int32_t places[2];
  std::memcpy(numbers, last + 15, 4);
  std::memcpy(places, last + 19, 8);
  EXPECT_EQ(numbers[0], 3.5F);
  EXPECT_EQ(places[0], 12);
  EXPECT_EQ(places[1], 924);
}

TEST(PlyFile, MayBeEmpty) {
  const TestDir dir;
  WritePly(dir / "a.ply", {});
  EXPECT_TRUE(ReadFile(dir / "a.ply").ends_with("end_header\n"));
}

}  // namespace
}  // namespace vggt
