// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_store.h"

#include <gmock/gmock.h>

#include "core/file.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

TEST(QkStore, IsFoundByAnyOfItsPlaces) {
  const TestDir dir;
  const fs::path file = WriteQkStore(dir / "e", SmallQkDescription());
  fs::create_directories(dir / "e/attn_maps");
  for (const char* given : {"e", "e/qk", "e/qk/attention.json", "e/attn_maps"}) {
    EXPECT_EQ(FindQkDescription(dir / given), file) << given;
  }
  EXPECT_EQ(FindQkDescription(dir.path()), fs::path());
}

TEST(QkStore, ReadsWhatWasWritten) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir.path(), d), dir.path());
  EXPECT_EQ(QkDescriptionText(store.description()), QkDescriptionText(d));
  for (const QkBlocks& blocks : store.description().blocks) {
    EXPECT_EQ(store.description().Find(blocks.kind), &blocks);
    for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
      const QkTensors tensors = store.Layer(blocks, layer);
      const std::vector<float> q = QkValues(d, blocks, layer, 0), k = QkValues(d, blocks, layer, 1);
      for (size_t i = 0; i < q.size(); ++i) {
        ASSERT_EQ(F16ToF32(tensors.q[i]), q[i]);
        ASSERT_EQ(F16ToF32(tensors.k[i]), k[i]);
      }
    }
  }
}

TEST(QkStore, HasOnlyTheKindsThatWereCaptured) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks.resize(1);
  const QkStore store(WriteQkStore(dir.path(), d), {});
  EXPECT_EQ(store.description().Find(BlockKind::kFrame), nullptr);
}

TEST(QkStore, RefusesWhatIsMissingOrOfAnotherShape) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  const fs::path file = WriteQkStore(dir.path(), d);
  const fs::path layer = dir / "qk/global_05.safetensors";
  const QkStore store(file, {});
  const QkBlocks& global = *store.description().Find(BlockKind::kGlobal);
  const auto read = [&] { return store.Layer(global, 1).q; };

  fs::rename(layer, dir / "away");
  EXPECT_THROW(read(), MissingFile);
  testing::WriteQkLayer(layer, {3, 42, 8}, std::vector<float>(3 * 42 * 8, 0.0F),
                        std::vector<float>(3 * 42 * 8, 0.0F));
  EXPECT_THAT(ErrorOf(read),
              HasSubstr("'q' is F16 of shape [3, 42, 8], attention.json announces F16 of [3, 42, "
                        "16]"));
  SafetensorsWriter other(layer, {{"q", DType::kF32, {1}}}, {});
  other.Append(testing::AsBytes("four"));
  other.Commit();
  EXPECT_THAT(ErrorOf(read), HasSubstr("'q' is F32"));
  SafetensorsWriter none(layer, {{"k", DType::kF32, {1}}}, {});
  none.Append(testing::AsBytes("four"));
  none.Commit();
  EXPECT_THAT(ErrorOf(read), HasSubstr("has no tensor 'q'"));
  // It is looked for again each time.
  fs::rename(dir / "away", layer);
  EXPECT_NE(read(), nullptr);
}

TEST(QkStore, OpensAfreshWhatWasChanged) {
  const TestDir dir;
  const fs::path file = WriteQkStore(dir.path(), SmallQkDescription());
  const fs::path layer = dir / "qk/global_05.safetensors";
  const QkStore store(file, {});
  const QkBlocks& global = *store.description().Find(BlockKind::kGlobal);
  const QkTensors before = store.Layer(global, 1);
  EXPECT_EQ(store.Layer(global, 1).version, before.version);
  const std::string whole = ReadFile(layer);
  fs::resize_file(layer, whole.size() - 2);
  EXPECT_THAT(ErrorOf([&] { before.mapping->CheckIntact(); }), HasSubstr("was changed"));
  EXPECT_THAT(ErrorOf([&] { store.Layer(global, 1); }), HasSubstr("global_05.safetensors"));
  WriteFileAtomic(layer, whole);
  const QkTensors after = store.Layer(global, 1);
  EXPECT_NE(after.version, before.version);
  after.mapping->CheckIntact();
  fs::remove(layer);
  EXPECT_THROW(store.Layer(global, 1), MissingFile);
}

TEST(QkStore, RefusesAFileThatIsCutAnywhere) {
  const TestDir dir;
  const fs::path file = WriteQkStore(dir.path(), SmallQkDescription(1, 1, 1, 4));
  const fs::path layer = dir / "qk/global_01.safetensors";
  const std::string whole = ReadFile(layer), json = ReadFile(file);
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteFileAtomic(layer, whole.substr(0, size), {.sync = Sync::kLater});
    const QkStore store(file, {});
    EXPECT_THAT(
        ErrorOf([&] { return store.Layer(*store.description().Find(BlockKind::kGlobal), 0).q; }),
        HasSubstr("global_01.safetensors"))
        << size;
  }
  for (size_t size = 0; size + 2 < json.size(); size += 7) {
    WriteFileAtomic(file, json.substr(0, size), {.sync = Sync::kLater});
    EXPECT_THAT(ErrorOf([&] { return QkStore(file, {}).description().frames; }),
                HasSubstr("attention.json"))
        << size;
  }
}

TEST(QkStore, OpensNothingOutsideTheRoot) {
  const TestDir dir;
  const fs::path file = WriteQkStore(dir / "e", SmallQkDescription());
  fs::create_directories(dir / "other");
  EXPECT_THROW(QkStore(file, dir / "other"), OutsideRoot);
  fs::rename(dir / "e/qk/frame_01.safetensors", dir / "frame");
  fs::create_symlink(dir / "frame", dir / "e/qk/frame_01.safetensors");
  const QkStore store(file, dir / "e");
  EXPECT_THROW(store.Layer(*store.description().Find(BlockKind::kFrame), 0), OutsideRoot);
}

}  // namespace
}  // namespace vggt
