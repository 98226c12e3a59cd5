// SPDX-License-Identifier: Apache-2.0
#include "formats/safetensors.h"

#include <gmock/gmock.h>

#include "core/mapped_file.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// A file with this header, padded, and `data` behind it.
std::string WithHeader(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

std::string ErrorFor(const std::string& header, const std::string& data) {
  const std::string file = WithHeader(header, data);
  return ErrorOf([&] { return ParseSafetensors(AsBytes(file), "w.safetensors"); });
}

TEST(Safetensors, WriterAndParserAgree) {
  const TestDir dir;
  const std::string a = "abcdefgh", b = "ABCD";
  SafetensorsWriter writer(
      dir / "w",
      {{"z", DType::kF32, {2, 1}}, {"a", DType::kBF16, {2}}, {"none", DType::kF16, {0, 3}}},
      {{"format", "pt"}});
  writer.Append(AsBytes(a));
  writer.Append(AsBytes(b));
  writer.Append({});
  writer.Commit();
  const MappedFile file(dir / "w");
  EXPECT_TRUE(LooksLikeSafetensors(file.bytes()));
  const SafetensorsFile parsed = ParseSafetensors(file.bytes(), "w");
  EXPECT_EQ(parsed.metadata.at("format"), "pt");
  ASSERT_EQ(parsed.tensors.size(), 3U);
  const TensorView& z = parsed.tensors.at("z");
  EXPECT_EQ(z.dtype, DType::kF32);
  EXPECT_EQ(z.shape, (Shape{2, 1}));
  EXPECT_EQ(std::string(z.bytes.begin(), z.bytes.end()), a);
  EXPECT_EQ(parsed.tensors.at("a").dtype, DType::kBF16);
  EXPECT_TRUE(parsed.tensors.at("none").bytes.empty());
}

TEST(Safetensors, WriterRefusesWhatWasNotAnnounced) {
  const TestDir dir;
  {
    SafetensorsWriter writer(dir / "w", {{"a", DType::kF32, {1}}}, {});
    EXPECT_THAT(ErrorOf([&] { writer.Append(AsBytes("abc")); }),
                HasSubstr("3 bytes are written for tensor 'a', 4 were announced"));
    EXPECT_THAT(ErrorOf([&] { writer.Append(AsBytes("abcd")); }), HasSubstr("more tensors"));
  }
  {
    SafetensorsWriter writer(dir / "w", {{"a", DType::kF32, {1}}}, {});
    EXPECT_THAT(ErrorOf([&] { writer.Commit(); }), HasSubstr("'a' was announced but not written"));
  }
  EXPECT_TRUE(dir.empty());
}

TEST(Safetensors, TruncatedAnywhereIsRefused) {
  const std::string whole =
      WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd");
  EXPECT_EQ(ParseSafetensors(AsBytes(whole), "w").tensors.size(), 1U);
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_THAT(ErrorOf([&] { return ParseSafetensors(AsBytes(cut), "w.st"); }), HasSubstr("w.st"));
  }
  const std::string longer = whole + "e";
  EXPECT_THAT(ErrorOf([&] { return ParseSafetensors(AsBytes(longer), "w"); }),
              HasSubstr("its tensors take 4 bytes, but 5 follow the header"));
}

TEST(Safetensors, HostileHeadersAreRefused) {
  const std::string a = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_THAT(ErrorFor(a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd"),
              HasSubstr("tensor 'b' begins at byte 0 of the data, expected 4"));
  EXPECT_THAT(
      ErrorFor(a + R"(,"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})", "abcdefghijkl"),
      HasSubstr("tensor 'b' begins at byte 8 of the data, expected 4"));
  EXPECT_THAT(ErrorFor(a + R"(,"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "abcdefgh"),
              HasSubstr("key 'a' twice"));
  const auto tensor = [](const std::string& text) {
    return ErrorFor(R"({"a":{)" + text + "}}", "abcd");
  };
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
              HasSubstr("tensor 'a': F32 of shape [2] does not fit 4 bytes"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), HasSubstr("'shape'"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), HasSubstr("'shape'"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4])"),
              HasSubstr("tensor 'a': impossible shape"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4])"),
              HasSubstr("impossible shape"));
  EXPECT_THAT(tensor(R"("dtype":"F99","shape":[1],"data_offsets":[0,4])"), HasSubstr("'F99'"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"),
              HasSubstr("data_offsets"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,99])"), HasSubstr("truncated"));
  EXPECT_THAT(tensor(R"("dtype":"F32","shape":[1])"), HasSubstr("'data_offsets' is missing"));
  EXPECT_THAT(ErrorFor("[]", ""), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(ErrorFor(R"({"a":3})", ""), HasSubstr("expected an object"));
}

TEST(Safetensors, ScalarsAndOtherTypesAreRead) {
  const std::string file = WithHeader(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                      R"("i":{"dtype":"I64","shape":[1],"data_offsets":[4,12]}}  )",
                                      "abcdefghijkl");
  const SafetensorsFile parsed = ParseSafetensors(AsBytes(file), "w");
  EXPECT_TRUE(parsed.tensors.at("s").shape.empty());
  EXPECT_EQ(parsed.tensors.at("i").dtype, DType::kOther);
}

}  // namespace
}  // namespace vggt
