// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_store.h"

#include <gmock/gmock.h>

#include <cmath>

#include "core/file.h"
#include "qk_store_testing.h"
#include "store/qk/qk_writer.h"

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

// A layer of one head: a frame of a camera and two patches, three channels.
struct ExtrasCase {
  QkExtraValues values{.x_norm = {1.5F, 0, 1e9F},
                       .x_unit_sum = {1.25F, -0.5F, 0},
                       .v_norm = {0.5F, 2, 0},
                       .wov_norm = {60000, 0.25F, 1}};

  // Writes it, in place of what is there.
  fs::path Write(const TestDir& dir) const {
    QkDescription d = SmallQkDescription(1, 1, 2, 4);
    d.blocks.resize(1);
    d.blocks[0].heads = 1;
    d.blocks[0].channels = 3;
    d.blocks[0].special_tokens = {"camera"};
    d.blocks[0].layers.clear();
    d.order = {0};
    fs::remove_all(dir / "qk");
    QkWriter writer(dir.path(), std::move(d));
    const std::vector<uint16_t> q(12, 0x3C00);
    writer.WriteLayer(BlockKind::kGlobal, 2, q, q, values);
    writer.Finish();
    return dir / "qk" / kQkDescriptionName;
  }
};

QkExtraValues ExtrasOf(const fs::path& file) {
  const QkStore store(file, {});
  return store.Extras(store.description().blocks[0], 0);
}

TEST(QkStore, ReadsExtras) {
  const TestDir dir;
  const ExtrasCase all;
  const fs::path file = all.Write(dir);
  const QkExtraValues read = ExtrasOf(file);
  for (const QkExtra extra : kQkExtras) EXPECT_EQ(read.of(extra), all.values.of(extra));
  const QkStore store(file, {});
  EXPECT_EQ(store.description().order, std::vector<int64_t>{0});
  EXPECT_EQ(store.description().blocks[0].channels, 3);

  // Each may be missing.
  for (const QkExtra extra : kQkExtras) {
    ExtrasCase less;
    less.values.of(extra).clear();
    const fs::path written = less.Write(dir);
    EXPECT_THAT(ExtrasOf(written).of(extra), ::testing::IsEmpty());
    EXPECT_FALSE(QkStore(written, {}).description().blocks[0].layers[0].has(extra));
  }
}

// Stores of version 1, and what else tells of none.
TEST(QkStore, HasNoExtrasUnlessToldOf) {
  const TestDir dir;
  const QkExtraValues none = ExtrasOf(WriteQkStore(dir.path(), SmallQkDescription()));
  for (const QkExtra extra : kQkExtras) EXPECT_THAT(none.of(extra), ::testing::IsEmpty());
}

TEST(QkStore, RefusesExtrasThatCannotBe) {
  const TestDir dir;
  const auto refusal = [&](auto change) {
    ExtrasCase wrong;
    change(wrong.values);
    const fs::path file = wrong.Write(dir);
    return ErrorOf([&] { ExtrasOf(file); });
  };
  EXPECT_THAT(refusal([](QkExtraValues& v) { v.x_norm[1] = -1; }),
              HasSubstr("global_03.safetensors: 'x_norm' holds -1, which is no norm, at index 1"));
  EXPECT_THAT(refusal([](QkExtraValues& v) { v.x_norm[2] = INFINITY; }), HasSubstr("holds inf"));
  EXPECT_THAT(refusal([](QkExtraValues& v) { v.v_norm[0] = NAN; }),
              HasSubstr("'v_norm' holds nan, which is no norm, at index 0"));
  EXPECT_THAT(refusal([](QkExtraValues& v) { v.wov_norm[2] = -0.5F; }),
              HasSubstr("'wov_norm' holds -0.5"));
  EXPECT_THAT(
      refusal([](QkExtraValues& v) {
        v.x_unit_sum = {2, -0.5F, 0};
      }),
      HasSubstr("'x_unit_sum' holds a vector of length 2.06155, which 2 unit vectors do not "
                "reach, at index 0"));
  EXPECT_THAT(refusal([](QkExtraValues& v) { v.x_unit_sum[2] = NAN; }),
              HasSubstr("'x_unit_sum' holds a vector of length nan"));
}

TEST(QkStore, RefusesExtrasOfAnotherShapeAndMissingOnes) {
  const TestDir dir;
  const ExtrasCase whole;
  const fs::path file = whole.Write(dir), layer = dir / "qk" / "global_03.safetensors";
  std::string json = ReadFile(file);
  json.replace(json.find("\"channels\": 3"), 13, "\"channels\": 4");
  WriteFileAtomic(file, json);
  EXPECT_THAT(ErrorOf([&] { ExtrasOf(file); }),
              HasSubstr("'x_unit_sum' is F32 of shape [1, 3], attention.json announces F32 of [1, "
                        "4]"));
  whole.Write(dir);
  // The description lists what the file does not hold; queries and keys can be read all the same.
  testing::WriteQkLayer(layer, {1, 3, 4}, std::vector<float>(12), std::vector<float>(12));
  EXPECT_THAT(ErrorOf([&] { ExtrasOf(file); }), HasSubstr("has no tensor 'x_norm'"));
  const QkStore store(file, {});
  EXPECT_NE(store.Layer(store.description().blocks[0], 0).q, nullptr);
}

TEST(QkStore, RefusesExtrasThatAreCutAnywhere) {
  const TestDir dir;
  const fs::path file = ExtrasCase().Write(dir), layer = dir / "qk" / "global_03.safetensors";
  const std::string whole = ReadFile(layer);
  for (size_t size = 0; size < whole.size(); ++size) {
    WriteFileAtomic(layer, whole.substr(0, size), {.sync = Sync::kLater});
    EXPECT_THAT(ErrorOf([&] { ExtrasOf(file); }), HasSubstr("global_03.safetensors")) << size;
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
