// SPDX-License-Identifier: Apache-2.0
#include "weights/file_kind.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using namespace std::string_literals;
using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

FileKind KindOf(const std::string& bytes) { return DetectFileKind(AsBytes(bytes), "w"); }

std::string KindErrorFor(const std::string& bytes) {
  return ErrorOf([&] { KindOf(bytes); });
}

TEST(FileKind, WhatIsRead) {
  EXPECT_EQ(KindOf("\x02\0\0\0\0\0\0\0{}"s), FileKind::kSafetensors);
  EXPECT_EQ(KindOf("{\"weight_map\": {}}"), FileKind::kShardIndex);
  EXPECT_EQ(KindOf("\xEF\xBB\xBF\n {\n}"), FileKind::kShardIndex);
  EXPECT_EQ(KindOf("PK\3\4..."), FileKind::kZip);
  EXPECT_EQ(KindOf("PK\5\6..."), FileKind::kZip);
  EXPECT_EQ(KindOf(ReadFile(Golden("checkpoints/bare.pt"))), FileKind::kZip);
  EXPECT_EQ(KindOf(ReadFile(Golden("checkpoints/expected.safetensors"))), FileKind::kSafetensors);
}

TEST(FileKind, EachOtherKindHasItsMessage) {
  const std::pair<std::string, const char*> others[] = {
      {"", "w: is empty. Was the download interrupted?"},
      {ReadFile(Golden("checkpoints/legacy.pt")), "is a legacy PyTorch file, from before 1.6"},
      {ReadFile(Golden("checkpoints/archive.tar")), "is a tar archive"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5026367224\n",
       "is a Git LFS pointer"},
      {"\x1F\x8B\x08", "is compressed with gzip"},
      {"\xFD\x37zXZ\0"s, "is compressed with xz"},
      {"\x28\xB5\x2F\xFD", "is compressed with Zstandard"},
      {"\x89HDF\r\n\x1A\n", "is an HDF5 file"},
      {"GGUF\3\0\0\0"s, "is a GGUF file"},
      {"\x93NUMPY\1\0"s, "is a NumPy array"},
      {"\x80\2}q\0."s, "is a bare Python pickle"},
      {"<!doctype HTML><html>", "is a web page"},
      {"\n <HTML lang=en>", "is a web page"},
      {"<?xml version='1.0'?><Error>", "is a web page"},
      {"Access to model facebook/VGGT is restricted.\nLog in.",
       "is plain text, beginning 'Access to model facebook/VGGT is restri"},
      {"\x7F"
       "ELF\1\2\3",
       "is not a checkpoint"},
      {"{\0\0\0\0\0\0\0\0"s, "is not a checkpoint"},
      {std::string(600, '\0'), "is not a checkpoint"},
  };
  for (const auto& [bytes, message] : others) {
    EXPECT_THAT(KindErrorFor(bytes), HasSubstr(message)) << Printable(bytes);
  }
}

TEST(FileKind, AnyFirstBytesAreAnswered) {
  for (const char* name : {"legacy.pt", "archive.tar"}) {
    const std::string whole = ReadFile(Golden("checkpoints/"s + name));
    for (size_t size = 0; size < 300; ++size) {
      EXPECT_THAT(KindErrorFor(whole.substr(0, size)), HasSubstr("w: is ")) << name << " " << size;
    }
  }
}

}  // namespace
}  // namespace vggt
