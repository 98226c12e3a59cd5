// SPDX-License-Identifier: Apache-2.0
#include "report/input_hash.h"

#include <gtest/gtest.h>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::TestDir;

std::string HashOf(const std::filesystem::path& description) {
  return HashInput(description, QkStore(description, {})).value;
}

TEST(InputHash, IsSha256) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(InputHash, IsThatOfTheContentAndNotOfThePlace) {
  const TestDir dir;
  const auto description = testing::WriteQkStore(dir / "a", testing::SmallQkDescription());
  const std::string hash = HashOf(description);
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(HashOf(description), hash);
  std::filesystem::copy(dir / "a", dir / "b", std::filesystem::copy_options::recursive);
  EXPECT_EQ(HashOf(dir / "b" / "qk" / "attention.json"), hash);
}

TEST(InputHash, ChangesWithTheDescriptionAndWithALayer) {
  const TestDir dir;
  QkDescription d = testing::SmallQkDescription();
  const auto description = testing::WriteQkStore(dir / "a", d);
  const std::string hash = HashOf(description);
  const auto layer = description.parent_path() / d.blocks[1].layers[0].file;
  std::string bytes = ReadFile(layer);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  WriteFileAtomic(layer, bytes);
  EXPECT_NE(HashOf(description), hash);
  d.image_set_name = "another";
  EXPECT_NE(HashOf(testing::WriteQkStore(dir / "c", d)), hash);
}

TEST(InputHash, CountsAllBytes) {
  const TestDir dir;
  const auto description = testing::WriteQkStore(dir / "a", testing::SmallQkDescription());
  uint64_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(description.parent_path())) {
    bytes += file.file_size();
  }
  EXPECT_EQ(HashInput(description, QkStore(description, {})).bytes, bytes);
}

}  // namespace
}  // namespace vggt
