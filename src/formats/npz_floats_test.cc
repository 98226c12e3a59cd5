// SPDX-License-Identifier: Apache-2.0
#include "formats/npz_floats.h"

#include <gmock/gmock.h>

#include "formats/npy.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

class NpzFloats : public ::testing::Test {
 protected:
  void Write(const std::string& descr, const Shape& shape, const std::vector<float>& values) {
    WriteNpz(file(), "depth", descr, shape,
             {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}, true,
             {.existing = Existing::kReplace});
  }
  std::vector<float> Read(const Shape& shape) {
    return ReadNpzFloats(ZipReader(file()), "depth.npy", shape);
  }
  std::filesystem::path file() const { return dir_ / "a.npz"; }

  TestDir dir_;
};

TEST_F(NpzFloats, AreReadBack) {
  Write("<f4", {2, 3}, {1, 2, 3, 4, 5, -6});
  EXPECT_EQ(Read({2, 3}), (std::vector<float>{1, 2, 3, 4, 5, -6}));
  Write("<f4", {0, 3}, {});
  EXPECT_TRUE(Read({0, 3}).empty());
}

TEST_F(NpzFloats, AreOfTheShapeThatIsExpected) {
  Write("<f4", {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(ErrorOf([&] {
                Read({3, 2});
              }),
              HasSubstr("a.npz, depth.npy: is no row-major float32 array of [3, 2]"));
  EXPECT_THAT(ErrorOf([&] {
                ReadNpzFloats(ZipReader(file()), "other.npy", {2, 3});
              }),
              HasSubstr("a.npz, other.npy: is not there"));
  Write("<i4", {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(ErrorOf([&] { Read({2, 3}); }), HasSubstr("is no row-major float32 array"));
}

// What announces more than the shape has room for is not inflated.
TEST_F(NpzFloats, AreNeverLargerThanTheShape) {
  Write("<f4", {1000, 1000}, std::vector<float>(1'000'000));
  EXPECT_THAT(ErrorOf([&] { Read({2, 3}); }), HasSubstr("a.npz"));
}

}  // namespace
}  // namespace vggt
