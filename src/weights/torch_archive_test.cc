// SPDX-License-Identifier: Apache-2.0
#include "weights/torch_archive.h"

#include <gmock/gmock.h>

#include <cstring>

#include "core/mapped_file.h"
#include "formats/safetensors.h"
#include "formats/zip_writer.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;
using Tensors = std::map<std::string, TensorView>;

std::vector<float> ValuesOf(const TensorView& view) {
  std::vector<float> values(NumElements(view.shape));
  CopyToF32(view, values.data());
  return values;
}

// --- what PyTorch wrote: tests/golden/make_checkpoints.py ---

// Checks that FILE.pt holds the tensors of expected.safetensors, with `prefix` before their names,
// and `others` more.
void ExpectGolden(const std::string& file, const std::string& prefix, size_t others) {
  SCOPED_TRACE(file);
  const MappedFile mapped(Golden("checkpoints/expected.safetensors"));
  const Tensors wanted = ParseSafetensors(mapped.bytes(), "expected").tensors;
  const ZipReader zip(Golden("checkpoints/" + file));
  const Tensors found = ReadTorchArchive(zip);
  EXPECT_GT(wanted.size(), 0U);
  EXPECT_EQ(found.size(), wanted.size() + others);
  for (const auto& [name, view] : wanted) {
    const auto it = found.find(prefix + name);
    ASSERT_NE(it, found.end()) << name;
    EXPECT_EQ(it->second.shape, view.shape) << name;
    EXPECT_EQ(ValuesOf(it->second), ValuesOf(view)) << name;
  }
}

TEST(TorchArchive, StateDictsOfEveryType) {
  for (const char* file : {"bare.pt", "protocol4.pt", "f16.pt", "bf16.pt", "f64.pt"}) {
    ExpectGolden(file, "", 0);
  }
  ExpectGolden("parameters.pt", "", 0);
  ExpectGolden("others.pt", "", 3);
  for (const auto& [file, dtype] : {std::pair("f16.pt", DType::kF16), {"bf16.pt", DType::kBF16}}) {
    const ZipReader zip(Golden(std::string("checkpoints/") + file));
    EXPECT_EQ(ReadTorchArchive(zip).at("a.weight").dtype, dtype);
  }
}

TEST(TorchArchive, TensorsInsideOtherThings) {
  ExpectGolden("state_dict.pt", "state_dict.", 0);
  ExpectGolden("wrapped.pt", "model.module.", 2);
  const ZipReader zip(Golden("checkpoints/wrapped.pt"));
  EXPECT_TRUE(ReadTorchArchive(zip).contains("optimizer.state.0.exp_avg"));
}

TEST(TorchArchive, ViewsAndSharedStorages) {
  ExpectGolden("views.pt", "", 2);
  const ZipReader zip(Golden("checkpoints/views.pt"));
  const Tensors tensors = ReadTorchArchive(zip);
  const TensorView &weight = tensors.at("a.weight"), &transposed = tensors.at("transposed");
  EXPECT_TRUE(weight.strides.empty());
  EXPECT_EQ(tensors.at("a.bias").bytes.data(), weight.bytes.data() + 12 * 4);
  EXPECT_EQ(transposed.strides, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(ValuesOf(transposed), ValuesOf(weight));
  EXPECT_EQ(ValuesOf(tensors.at("expanded")),
            std::vector<float>(6, ValuesOf(tensors.at("b.scale"))[0]));
  EXPECT_TRUE(tensors.at("d.none").bytes.empty());
}

std::string ArchiveErrorFor(const std::filesystem::path& path) {
  return ErrorOf([&] {
    const ZipReader zip(path);
    return ReadTorchArchive(zip).size();
  });
}

TEST(TorchArchive, RefusesWhatIsNoStateDict) {
  EXPECT_THAT(ArchiveErrorFor(Golden("checkpoints/script.pt")), HasSubstr("TorchScript"));
  EXPECT_THAT(ArchiveErrorFor(Golden("checkpoints/whole_model.pt")),
              HasSubstr("holds a whole object of class torch.nn.modules.linear.Linear"));
  EXPECT_THAT(ArchiveErrorFor(Golden("checkpoints/one_tensor.pt")),
              HasSubstr("expected a state_dict"));
  EXPECT_THAT(ArchiveErrorFor(Golden("checkpoints/no_tensors.pt")), HasSubstr("holds no tensors"));
}

// --- what no PyTorch writes ---

// Opcodes of protocol 2, put together as text.
const std::string kStart = "\x80\x02", kRebuild = "ctorch._utils\n_rebuild_tensor_v2\n";

std::string Text(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  return 'X' + std::string(reinterpret_cast<const char*>(&size), 4) + text;
}

std::string Int(int64_t value) {
  return std::string("\x8A\x08", 2) + std::string(reinterpret_cast<const char*>(&value), 8);
}

std::string Tuple(const std::vector<int64_t>& values) {
  std::string out = "(";
  for (const int64_t value : values) out += Int(value);
  return out + "t";
}

struct Description {
  std::string storage = "ctorch\nFloatStorage\n";
  std::string record = "0";
  int64_t stored = 6, offset = 0;
  std::vector<int64_t> shape = {2, 3}, strides = {3, 1};
  std::string rebuild = kRebuild;
  std::string more = {};  // arguments at the end
};

std::string Arguments(const Description& d) {
  return "((" + Text("storage") + d.storage + Text(d.record) + Text("cpu") + Int(d.stored) + "tQ" +
         Int(d.offset) + Tuple(d.shape) + Tuple(d.strides) + "\x89}" + d.more + "t";
}

std::string Pickled(const Description& d) { return d.rebuild + Arguments(d) + "R"; }

std::string DictOf(const std::string& key, const std::string& value) {
  return "}" + Text(key) + value + "s";
}

// Writes an archive of this pickle and one record of 24 bytes.
std::filesystem::path Write(const TestDir& dir, const std::string& pickle,
                            const std::vector<ZipInput>& more = {}) {
  static const std::string kRecord(
      "\0\0\x80\x3F\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xA0\x40\0\0\xC0\x40", 24);
  std::vector<ZipInput> entries = {{"a/data.pkl", {AsBytes(pickle)}},
                                   {"a/data/0", {AsBytes(kRecord)}}};
  entries.insert(entries.end(), more.begin(), more.end());
  WriteZip(dir / "w.pt", entries, false);
  return dir / "w.pt";
}

std::string TensorErrorFor(const Description& description) {
  const TestDir dir;
  return ArchiveErrorFor(Write(dir, kStart + DictOf("t", Pickled(description)) + "."));
}

std::vector<float> ValuesFor(const Description& description) {
  const TestDir dir;
  const ZipReader zip(Write(dir, kStart + DictOf("t", Pickled(description)) + "."));
  return ValuesOf(ReadTorchArchive(zip).at("t"));
}

TEST(TorchArchive, WriterOfThisTestIsUnderstood) {
  EXPECT_EQ(ValuesFor({}), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(ValuesFor({.offset = 1, .shape = {2, 2}, .strides = {1, 3}}),
            (std::vector<float>{2, 5, 3, 6}));
  EXPECT_EQ(ValuesFor({.shape = {}, .strides = {}}), std::vector<float>{1});
}

TEST(TorchArchive, UntypedStoragesOfNewerVersions) {
  EXPECT_EQ(ValuesFor({.storage = "ctorch.storage\nUntypedStorage\n",
                       .stored = 24,
                       .rebuild = "ctorch._utils\n_rebuild_tensor_v3\n",
                       .more = "ctorch\nfloat32\n"}),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(ValuesFor({.storage = "ctorch.storage\nUntypedStorage\n",
                       .stored = 24,
                       .offset = 1,
                       .shape = {2},
                       .strides = {2},
                       .rebuild = "ctorch._utils\n_rebuild_tensor_v3\n",
                       .more = "ctorch\nbfloat16\n"}),
            (std::vector<float>{1, 2}));
}

TEST(TorchArchive, OtherNumberTypesAreKeptButNotRead) {
  const TestDir dir;
  for (const char* storage : {"ctorch\nIntStorage\n", "ctorch\nQInt8Storage\n", "ca\nb\n"}) {
    const ZipReader zip(Write(dir, kStart + DictOf("t", Pickled({.storage = storage})) + "."));
    const TensorView view = ReadTorchArchive(zip).at("t");
    EXPECT_EQ(view.dtype, DType::kOther);
    EXPECT_THAT(ErrorOf([&] { ValuesOf(view); }), HasSubstr("F32, F16, BF16 or F64 is needed"));
  }
}

TEST(TorchArchive, TensorsMustLieInTheirRecord) {
  constexpr int64_t kHuge = INT64_MAX / 2;
  const Description past[] = {
      {.offset = 1},
      {.offset = 7, .shape = {0}, .strides = {1}},
      {.shape = {3, 3}},
      {.strides = {4, 1}},
      {.shape = {kHuge, 3}},
      {.shape = {kHuge, kHuge}},
      {.strides = {kHuge, kHuge}},
      {.shape = {kHuge, 1}, .strides = {kHuge, kHuge}},
  };
  for (const Description& description : past) {
    EXPECT_THAT(TensorErrorFor(description), HasSubstr("tensor 't': shape"))
        << ShapeText(description.shape);
  }
  EXPECT_THAT(TensorErrorFor({.stored = 7}), HasSubstr("storage of 7 values is cut to 24 bytes"));
  EXPECT_THAT(TensorErrorFor({.stored = INT64_MAX}), HasSubstr("is cut to 24 bytes"));
  EXPECT_THAT(TensorErrorFor({.record = "1"}), HasSubstr("record 'data/1' is missing"));
  EXPECT_THAT(TensorErrorFor({.record = "../data/0"}), HasSubstr("is missing"));
  EXPECT_THAT(TensorErrorFor({.shape = {1 << 14, 1 << 14}, .strides = {0, 0}}),
              HasSubstr("repeats 1 values"));
}

TEST(TorchArchive, MalformedDescriptionsAreRefused) {
  EXPECT_THAT(TensorErrorFor({.offset = -1}), HasSubstr("tensor 't': its offset is malformed"));
  EXPECT_THAT(TensorErrorFor({.stored = -1}), HasSubstr("its storage is malformed"));
  EXPECT_THAT(TensorErrorFor({.shape = {-1}, .strides = {1}}), HasSubstr("its shape is malformed"));
  EXPECT_THAT(TensorErrorFor({.strides = {-3, 1}}), HasSubstr("its strides is malformed"));
  EXPECT_THAT(TensorErrorFor({.strides = {1}}), HasSubstr("its strides is malformed"));
  const std::vector<int64_t> many(65, 1);
  EXPECT_THAT(TensorErrorFor({.shape = many, .strides = many}),
              HasSubstr("its shape is malformed"));
  const TestDir dir;
  EXPECT_THAT(ArchiveErrorFor(Write(dir, kStart + DictOf("t", kRebuild + ")R") + ".")),
              HasSubstr("its description is malformed"));
  EXPECT_THAT(ArchiveErrorFor(Write(dir, kStart + DictOf("t", kRebuild + "(KKKKKKKKtR") + ".")),
              HasSubstr("its description is malformed"));
}

TEST(TorchArchive, DictionariesThatHoldThemselves) {
  const TestDir dir;
  const std::string tensor = Pickled({});
  // d = {"d": d, "t": tensor}
  const ZipReader zip(
      Write(dir, kStart + "}q\x01" + Text("d") + "h\x01s" + Text("t") + tensor + "s."));
  EXPECT_EQ(ValuesOf(ReadTorchArchive(zip).at("t")), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  // d = {"a": d, "b": d} has 2^n names of depth n.
  EXPECT_THAT(
      ArchiveErrorFor(Write(dir, kStart + "}q\x01" + Text("a") + "h\x01s" + Text("b") + "h\x01s.")),
      HasSubstr("holds too many names"));
  // The same dictionary with many keys that give no names.
  std::string ways = kStart + "}q\x01";
  for (int i = 0; i < 10'000; ++i) ways += "NNs";
  ways += Text("a") + "h\x01s" + Text("b") + "h\x01s.";
  EXPECT_THAT(ArchiveErrorFor(Write(dir, ways)), HasSubstr("holds too many names"));
}

TEST(TorchArchive, WrappersAreLookedThroughOnlySoFar) {
  const auto wrap = [](const std::string& value, int times) {
    std::string begin, end;
    for (int i = 0; i < times; ++i) {
      begin += "ctorch._utils\n_rebuild_parameter\n(";
      end += "\x88}tR";
    }
    return begin + value + end;
  };
  const TestDir dir;
  const std::string subclass =
      "ctorch._tensor\n_rebuild_from_type_v2\n(" + kRebuild + "cm\nSub\n" + Arguments({}) + "}tR";
  for (const std::string& value : {wrap(Pickled({}), 2), subclass, wrap(subclass, 1)}) {
    const ZipReader zip(Write(dir, kStart + DictOf("t", value) + "."));
    EXPECT_EQ(ValuesOf(ReadTorchArchive(zip).at("t")), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  }
  EXPECT_THAT(ArchiveErrorFor(Write(dir, kStart + DictOf("t", wrap(Pickled({}), 1000)) + ".")),
              HasSubstr("holds no tensors"));
}

TEST(TorchArchive, TheSameNameTwice) {
  const TestDir dir;
  const std::string tensor = Pickled({});
  EXPECT_THAT(ArchiveErrorFor(
                  Write(dir, kStart + "}" + Text("a") + tensor + "s" + Text("a") + tensor + "s.")),
              HasSubstr("tensor 'a': occurs twice"));
}

TEST(TorchArchive, ByteOrder) {
  const TestDir dir;
  const std::string pickle = kStart + DictOf("t", Pickled({})) + ".", little = "little",
                    big = "big";
  const ZipReader zip(
      Write(dir, pickle,
            {{"a/byteorder", {AsBytes(little)}}, {"a/.data/serialization_id", {AsBytes(big)}}}));
  EXPECT_EQ(ReadTorchArchive(zip).size(), 1U);
  EXPECT_THAT(ArchiveErrorFor(Write(dir, pickle, {{"a/byteorder", {AsBytes(big)}}})),
              HasSubstr("big-endian"));
}

TEST(TorchArchive, OtherArchives) {
  const TestDir dir;
  const std::string text = "x";
  const ZipInput npz[] = {{"layer.npy", {AsBytes(text)}}};
  WriteZip(dir / "a", npz, true);
  EXPECT_THAT(ArchiveErrorFor(dir / "a"), HasSubstr(".npz"));
  const ZipInput other[] = {{"vggt/model.pt", {AsBytes(text)}}};
  WriteZip(dir / "b", other, false);
  EXPECT_THAT(ArchiveErrorFor(dir / "b"), HasSubstr("zip archive without data.pkl"));
  const std::string pickle = kStart + DictOf("t", Pickled({})) + ".";
  const ZipInput zipped[] = {{"a/data.pkl", {AsBytes(pickle)}}};
  WriteZip(dir / "c", zipped, true);
  EXPECT_THAT(ArchiveErrorFor(dir / "c"), HasSubstr("record 'data.pkl' is compressed"));
  EXPECT_THAT(ArchiveErrorFor(Write(dir, kStart + "}.")), HasSubstr("holds no tensors"));
  EXPECT_THAT(ArchiveErrorFor(Write(dir, kStart + "K\x01.")), HasSubstr("expected a state_dict"));
}

TEST(TorchArchive, TruncatedAnywhereIsRefused) {
  const TestDir dir;
  const std::string whole = ReadFile(Golden("checkpoints/views.pt"));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto path = dir.Write("cut.pt", whole.substr(0, size));
    EXPECT_THAT(ArchiveErrorFor(path), HasSubstr("truncated or damaged")) << size;
  }
}

TEST(TorchArchive, AnyDamagedByteOfThePickleIsReadOrRefused) {
  const std::string pickle = kStart + DictOf("t", Pickled({})) + ".";
  const TestDir dir;
  const std::string whole = ReadFile(Write(dir, pickle));
  const size_t begin = whole.find(pickle);
  size_t refused = 0;
  for (size_t i = begin; i < begin + pickle.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto path = dir.Write("damaged.pt", damaged);
      try {
        const ZipReader zip(path);
        for (const auto& [name, view] : ReadTorchArchive(zip)) {
          if (DTypeSize(view.dtype) > 1) ValuesOf(view);
        }
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, pickle.size());
}

}  // namespace
}  // namespace vggt
