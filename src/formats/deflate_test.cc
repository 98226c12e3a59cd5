// SPDX-License-Identifier: Apache-2.0
#include "formats/deflate.h"

#include <gmock/gmock.h>
#include <libdeflate.h>
#include <zlib.h>

#include <cmath>
#include <memory>
#include <random>

#include "testing.h"

namespace vggt {
namespace {

using Data = std::vector<uint8_t>;

Data Deflated(const Data& data, size_t piece_size) {
  Data out;
  for (size_t begin = 0; begin == 0 || begin < data.size(); begin += piece_size) {
    const size_t size = std::min(piece_size, data.size() - begin);
    Data piece(DeflateBound(size));
    piece.resize(
        DeflatePiece(Bytes(data).subspan(begin, size), begin + size == data.size(), piece.data()));
    out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

Data ByLibdeflate(const Data& raw, size_t size) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflate(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  Data out(size);
  EXPECT_EQ(libdeflate_deflate_decompress(inflate.get(), raw.data(), raw.size(), out.data(), size,
                                          nullptr),
            LIBDEFLATE_SUCCESS);
  return out;
}

Data ByZlib(Data raw, size_t size) {
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, -MAX_WBITS), Z_OK);
  Data out(size + 1);
  stream.next_in = raw.data();
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U);
  inflateEnd(&stream);
  out.resize(size + 1 - stream.avail_out);
  return out;
}

void ExpectRoundTrip(const Data& data, const std::string& what) {
  for (const size_t piece_size : {size_t{1000}, size_t{70'001}, size_t{1} << 30}) {
    const Data raw = Deflated(data, piece_size);
    EXPECT_EQ(ByLibdeflate(raw, data.size()), data) << what << " in pieces of " << piece_size;
    EXPECT_EQ(ByZlib(raw, data.size()), data) << what << " in pieces of " << piece_size;
  }
}

// Levels as maps have them: mostly small, a hundredth at the top.
Data Levels(size_t size, double deviation) {
  std::mt19937 generator(1);
  std::lognormal_distribution<double> lognormal(0, deviation);
  Data data(size);
  for (uint8_t& level : data) level = static_cast<uint8_t>(std::min(255.0, lognormal(generator)));
  return data;
}

TEST(Deflate, EveryInflaterGivesBackWhatWentIn) {
  std::mt19937 generator(2);
  for (const size_t size : {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 257, 258, 259, 267, 1000, 300'000}) {
    Data noise(size), zeros(size);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(generator());
    ExpectRoundTrip(zeros, "zeros");
    ExpectRoundTrip(noise, "noise");
    ExpectRoundTrip(Levels(size, 1.5), "levels");
    ExpectRoundTrip(Levels(size, 4), "wide levels");
  }
}

// Zeros with other values at growing distances: every length of a run occurs.
TEST(Deflate, RunsOfEveryLength) {
  Data data;
  for (size_t run = 1; run < 600; ++run) {
    data.insert(data.end(), run, 0);
    data.push_back(static_cast<uint8_t>(1 + run % 255));
  }
  ExpectRoundTrip(data, "runs");
  EXPECT_LT(Deflated(data, data.size()).size(), data.size() / 40);
}

// Counts that grow as Fibonacci's numbers make Huffman's code as deep as can be: the limit holds.
TEST(Deflate, DeepCodes) {
  Data data;
  uint64_t a = 1, b = 1;
  for (uint8_t symbol = 0; symbol < 24; ++symbol) {
    for (uint64_t i = 0; i < a; ++i) data.push_back(symbol);
    std::swap(a, b);
    b += a;
  }
  std::shuffle(data.begin(), data.end(), std::mt19937(3));
  ExpectRoundTrip(data, "Fibonacci");
}

TEST(Deflate, MapsTakeLittleMoreThanTheirEntropy) {
  const Data data = Levels(1 << 20, 1.5);
  double counts[256] = {}, bits = 0;
  for (const uint8_t level : data) ++counts[level];
  for (const double count : counts) {
    if (count > 0) bits -= count * std::log2(count / static_cast<double>(data.size()));
  }
  const auto size = static_cast<double>(Deflated(data, data.size()).size());
  EXPECT_GE(size, bits / 8);
  EXPECT_LE(size, bits / 8 * 1.02);
}

TEST(Deflate, NoiseGrowsByLittle) {
  std::mt19937 generator(4);
  Data data(1'000'000);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(generator());
  EXPECT_LE(Deflated(data, data.size()).size(), data.size() + 200);
}

}  // namespace
}  // namespace vggt
