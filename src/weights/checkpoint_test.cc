// SPDX-License-Identifier: Apache-2.0
#include "weights/checkpoint.h"

#include <gmock/gmock.h>

#include <cstring>

#include "formats/safetensors.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// A safetensors file of one tensor with the values first, first + 1, …
std::filesystem::path WriteWeights(const std::filesystem::path& path, const std::string& name,
                                   float first, size_t count = 4) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
  SafetensorsWriter writer(path, {{name, DType::kF32, {static_cast<int64_t>(count)}}}, {});
  writer.Append({reinterpret_cast<const uint8_t*>(values.data()), count * sizeof(float)});
  writer.Commit();
  return path;
}

float FirstValue(const Checkpoint& checkpoint, const std::string& name) {
  const TensorView* view = checkpoint.Find(name);
  if (view == nullptr) throw Error("no such tensor", name);
  std::vector<float> values(NumElements(view->shape));
  CopyToF32(*view, values.data());
  return values.at(0);
}

// The first value of "a.weight" in the golden files.
float GoldenValue() {
  return FirstValue(Checkpoint::Open(Golden("checkpoints/expected.safetensors")), "a.weight");
}

std::string CheckpointErrorFor(const std::filesystem::path& path) {
  return ErrorOf([&] { return Checkpoint::Open(path).format(); });
}

TEST(Checkpoint, Safetensors) {
  const TestDir dir;
  const auto path = WriteWeights(dir / "any name", "a", 5);
  const Checkpoint checkpoint = Checkpoint::Open(path);
  EXPECT_EQ(checkpoint.name(), path.string());
  EXPECT_EQ(checkpoint.format(), "safetensors");
  EXPECT_EQ(checkpoint.file_bytes(), std::filesystem::file_size(path));
  EXPECT_EQ(checkpoint.tensors().size(), 1U);
  EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
  EXPECT_EQ(checkpoint.Find("b"), nullptr);
}

TEST(Checkpoint, ReadsPartsOfATensor) {
  const TestDir dir;
  const auto path = WriteWeights(dir / "a", "a", 5);
  const std::string text = ReadFile(path);
  const Checkpoint mapped = Checkpoint::Open(path);
  const Checkpoint held = Checkpoint::FromMemory(testing::AsBytes(text), "held");
  for (const Checkpoint* checkpoint : {&mapped, &held}) {
    float values[2] = {};
    checkpoint->Read(checkpoint->Find("a")->bytes.subspan(4, 8),
                     reinterpret_cast<uint8_t*>(values));
    EXPECT_EQ(values[0], 6);
    EXPECT_EQ(values[1], 7);
  }
}

TEST(Checkpoint, PyTorch) {
  const Checkpoint checkpoint = Checkpoint::Open(Golden("checkpoints/wrapped.pt"));
  EXPECT_EQ(checkpoint.format(), "PyTorch");
  EXPECT_EQ(checkpoint.file_bytes(), std::filesystem::file_size(Golden("checkpoints/wrapped.pt")));
  EXPECT_EQ(FirstValue(checkpoint, "model.module.a.weight"), GoldenValue());
}

TEST(Checkpoint, Memory) {
  const TestDir dir;
  const std::string text = ReadFile(WriteWeights(dir / "w", "a", 5));
  const Checkpoint checkpoint = Checkpoint::FromMemory(testing::AsBytes(text), "the bundled model");
  EXPECT_EQ(checkpoint.name(), "the bundled model");
  EXPECT_EQ(checkpoint.format(), "safetensors");
  EXPECT_EQ(checkpoint.file_bytes(), text.size());
  EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
  checkpoint.Release(*checkpoint.Find("a"));
  EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
  EXPECT_THAT(ErrorOf([&] {
                return Checkpoint::FromMemory(testing::AsBytes(text).first(text.size() - 1), "cut")
                    .format();
              }),
              HasSubstr("cut"));
}

TEST(Checkpoint, ViewsOutliveAMove) {
  const TestDir dir;
  for (const auto& path : {WriteWeights(dir / "w", "a", 8), Golden("checkpoints/bare.pt")}) {
    Checkpoint first = Checkpoint::Open(path);
    const auto [name, view] = *first.tensors().begin();
    const Checkpoint second = std::move(first);
    std::vector<float> values(NumElements(view.shape));
    CopyToF32(view, values.data());
    EXPECT_EQ(values.at(0), FirstValue(second, name));
    EXPECT_EQ(second.Find(name)->bytes.data(), view.bytes.data());
  }
}

TEST(Checkpoint, ReleasedTensorsAreReadAgain) {
  const TestDir dir;
  const Checkpoint checkpoint = Checkpoint::Open(WriteWeights(dir / "w", "a", 5, 1 << 16));
  EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
  checkpoint.Release(*checkpoint.Find("a"));
  EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
  const Checkpoint torch = Checkpoint::Open(Golden("checkpoints/bare.pt"));
  for (const auto& [name, view] : torch.tensors()) torch.Release(view);
  EXPECT_EQ(FirstValue(torch, "a.weight"), GoldenValue());
}

TEST(Checkpoint, NoticesAFileThatChangesWhileItIsOpen) {
  const TestDir dir;
  const auto file = WriteWeights(dir / "w.safetensors", "a", 1, 10'000);
  const Checkpoint checkpoint = Checkpoint::Open(file);
  checkpoint.CheckIntact();
  std::filesystem::resize_file(file, 5000);
  EXPECT_EQ(FirstValue(checkpoint, "a"), 1);  // still readable: no signal ends the process
  EXPECT_THAT(ErrorOf([&] { checkpoint.CheckIntact(); }),
              HasSubstr("w.safetensors: was changed or truncated while it was read"));
  float value = 0;
  EXPECT_THAT(ErrorOf([&] {
                checkpoint.Read(checkpoint.Find("a")->bytes.last(sizeof(float)),
                                reinterpret_cast<uint8_t*>(&value));
              }),
              HasSubstr("bytes too early"));
}

TEST(Checkpoint, Shards) {
  const TestDir dir;
  WriteWeights(dir / "1.safetensors", "a", 5);
  WriteWeights(dir / "2.safetensors", "b", 6);
  const auto index =
      dir.Write("model.safetensors.index.json",
                R"({"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  for (const auto& path : {index, dir.path()}) {
    const Checkpoint checkpoint = Checkpoint::Open(path);
    EXPECT_EQ(checkpoint.name(), index.string());
    EXPECT_EQ(checkpoint.format(), "safetensors, 2 shards");
    EXPECT_EQ(checkpoint.file_bytes(), std::filesystem::file_size(dir / "1.safetensors") +
                                           std::filesystem::file_size(dir / "2.safetensors"));
    EXPECT_EQ(FirstValue(checkpoint, "a"), 5);
    EXPECT_EQ(FirstValue(checkpoint, "b"), 6);
  }
}

TEST(Checkpoint, ShardsMustBeWhatTheIndexSays) {
  const TestDir dir;
  WriteWeights(dir / "1", "a", 5);
  std::filesystem::create_directory(dir / "sub");
  WriteWeights(dir / "sub" / "1", "a", 5);
  const auto error = [&](const std::string& json) {
    return CheckpointErrorFor(dir.Write("index.json", json));
  };
  EXPECT_THAT(error(R"({"weight_map": {"a": "2"}})"), HasSubstr("shard '2' is missing"));
  EXPECT_THAT(error(R"({"weight_map": {"b": "1"}})"), HasSubstr("tensor 'b' is missing"));
  for (const char* place :
       {R"("sub/1")", R"("../1")", R"("")", R"("..")", R"(".")", R"("1\u0000")", "1"}) {
    EXPECT_THAT(error(std::string(R"({"weight_map": {"a": )") + place + "}}"),
                HasSubstr("expected the name of a file in the same folder"))
        << place;
  }
  EXPECT_THAT(error(R"({"weight_map": {"a": "sub"}})"), HasSubstr("is a folder"));
  EXPECT_THAT(error(R"({"weight_map": {"a": "index.json"}})"), HasSubstr("is JSON"));
  EXPECT_THAT(error(R"({"weight_map": {}})"), HasSubstr("names 0 files"));
  EXPECT_THAT(error(R"({"weight_map": []})"), HasSubstr("has no 'weight_map'"));
  EXPECT_THAT(error(R"({"embed_dim": 1024})"), HasSubstr("has no 'weight_map'"));
  EXPECT_THAT(error("{"), HasSubstr("is no valid JSON"));
}

TEST(Checkpoint, Folders) {
  const TestDir dir;
  EXPECT_THAT(CheckpointErrorFor(dir.path()), HasSubstr("is a folder without a checkpoint"));
  dir.Write("config.json", "{}");
  EXPECT_THAT(CheckpointErrorFor(dir.path()), HasSubstr("is a folder without a checkpoint"));
  const auto path = WriteWeights(dir / "model.safetensors", "a", 5);
  EXPECT_EQ(Checkpoint::Open(dir.path()).name(), path.string());
  dir.Write("model.pt", "");
  EXPECT_THAT(CheckpointErrorFor(dir.path()),
              HasSubstr("is a folder with 2 checkpoints, such as model.pt and model.safetensors"));
}

TEST(Checkpoint, OtherFilesAreRefused) {
  const TestDir dir;
  EXPECT_THAT(CheckpointErrorFor(dir / "none"), HasSubstr("no such file"));
  EXPECT_THAT(CheckpointErrorFor(dir.Write("w", "")), HasSubstr("is empty"));
  EXPECT_THAT(CheckpointErrorFor(dir.Write("w", "PK\3\4 and no more")), HasSubstr("truncated"));
  EXPECT_THAT(CheckpointErrorFor(Golden("checkpoints/script.pt")), HasSubstr("TorchScript"));
}

TEST(Checkpoint, TruncatedSafetensorsAreRefused) {
  const TestDir dir;
  const std::string whole = ReadFile(WriteWeights(dir / "w", "a", 5));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(CheckpointErrorFor(dir.Write("cut", whole.substr(0, size))), HasSubstr("cut"))
        << size;
  }
}

}  // namespace
}  // namespace vggt
