// SPDX-License-Identifier: Apache-2.0
#include "formats/npy.h"

#include <gmock/gmock.h>

#include "formats/zip.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(Npy, HeaderIsPaddedAsNumPyPadsIt) {
  const std::string header = NpyHeader("|u1", {3, 4});
  EXPECT_EQ(header.size() % 64, 0U);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_THAT(header, HasSubstr("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }"));
  EXPECT_EQ(header.back(), '\n');
  EXPECT_THAT(NpyHeader("<f4", {5}), HasSubstr("'shape': (5,), }"));
  EXPECT_THAT(NpyHeader("<f4", {}), HasSubstr("'shape': (), }"));
}

TEST(Npy, RoundTrip) {
  for (const Shape& shape : {Shape{}, {0}, {6}, {2, 3}, {1, 2, 3, 1}}) {
    const std::string values(NumElements(shape) * 2, 'v');
    const std::string file = NpyHeader("<f2", shape) + values;
    const NpyArray array = ParseNpy(AsBytes(file), "a.npy");
    EXPECT_EQ(array.descr, "<f2");
    EXPECT_FALSE(array.fortran_order);
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(array.data.size(), values.size());
  }
}

TEST(Npy, TheHeaderIsEnoughToKnowWhereTheValuesLie) {
  const std::string header = NpyHeader("<f2", {3, 4});
  const NpyLayout layout = ParseNpyHeader(AsBytes(header + "beginning"), "a.npy");
  EXPECT_EQ(layout.shape, (Shape{3, 4}));
  EXPECT_EQ(layout.data, header.size());
  EXPECT_EQ(NpyDataSize(layout), 24U);
  EXPECT_LE(header.size(), kLongestNpyHeader);
}

TEST(Npy, ReadsWhatNumPyWrote) {
  const std::string file = ReadFile(testing::Golden("trace/frames_u8.npy"));
  const NpyArray array = ParseNpy(AsBytes(file), "frames_u8.npy");
  EXPECT_EQ(array.descr, "|u1");
  EXPECT_EQ(array.shape, (Shape{2, 70, 98, 3}));
}

TEST(Npy, TruncatedAnywhereIsRefused) {
  const std::string file = NpyHeader("|u1", {3}) + "abc";
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    EXPECT_THAT(ErrorOf([&] { return ParseNpy(AsBytes(cut), "a.npy"); }), HasSubstr("a.npy, byte"));
  }
  const std::string longer = file + "d";
  EXPECT_THAT(ErrorOf([&] { return ParseNpy(AsBytes(longer), "a"); }),
              HasSubstr("other than the 4"));
}

TEST(Npy, HostileHeadersAreRefused) {
  const auto with = [](const std::string& dictionary) {
    std::string file("\x93NUMPY\x01\x00", 8);
    file +=
        {static_cast<char>(dictionary.size() & 0xFF), static_cast<char>(dictionary.size() >> 8)};
    file += dictionary;
    return ErrorOf([&] { return ParseNpy(AsBytes(file), "a"); });
  };
  const std::string good = "'fortran_order': False, ";
  EXPECT_THAT(with("{}"), HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '|O', " + good + "'shape': (1,)}"), HasSubstr("not read"));
  EXPECT_THAT(with("{'descr': [('a', '<f4')], " + good + "'shape': (1,)}"), HasSubstr("records"));
  EXPECT_THAT(with("{'descr': '|u1', " + good + "'shape': (-1,)}"), HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '|u1', " + good + "'shape': (a,)}"), HasSubstr("malformed"));
  EXPECT_THAT(with("{'descr': '<f8', " + good + "'shape': (4611686018427387904, 3)}"),
              HasSubstr("a: impossible shape"));
  EXPECT_THAT(with("{'descr': '<f8', " + good + "'shape': (4611686018427387904,)}"),
              HasSubstr("too large"));
}

TEST(Npz, HoldsAnArrayUnderItsName) {
  const std::string values(6, 'v');
  for (const bool compress : {false, true}) {
    const TestDir dir;
    WriteNpz(dir / "a.npz", "heatmaps", "|u1", {2, 3}, AsBytes(values), compress);
    const ZipReader zip(dir / "a.npz");
    ASSERT_EQ(zip.entries().size(), 1U);
    const ZipEntry& entry = zip.entries()[0];
    EXPECT_EQ(entry.name, "heatmaps.npy");
    EXPECT_EQ(entry.stored, !compress);
    const std::vector<uint8_t> file = zip.Read(entry, 1000);
    const NpyArray array = ParseNpy(file, "a");
    EXPECT_EQ(array.shape, (Shape{2, 3}));
    EXPECT_EQ(std::string(array.data.begin(), array.data.end()), values);
  }
}

}  // namespace
}  // namespace vggt
