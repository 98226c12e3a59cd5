// SPDX-License-Identifier: Apache-2.0
#include "capture/output_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "capture/capture_options.h"
#include "export_testing.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

// All files below a folder, with what they hold.
std::vector<std::string> FilesBelow(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files.push_back(entry.path().lexically_relative(folder).string() + ": " +
                    ReadFile(entry.path()));
  }
  std::ranges::sort(files);
  return files;
}

TEST(OutputFolder, AppearsWithCommit) {
  const TestDir dir;
  {
    OutputFolder output(dir / "new/out", false, {dir / "pictures"});
    WriteFileAtomic(output.staging() / "a", "1");
    EXPECT_FALSE(fs::exists(dir / "new/out"));
  }
  EXPECT_TRUE(dir.empty());
  OutputFolder output(dir / "new/out", false, {dir / "pictures"});
  WriteFileAtomic(output.staging() / "a", "1");
  EXPECT_EQ(output.Commit(), "");
  EXPECT_EQ(ReadFile(dir / "new/out/a"), "1");
}

TEST(OutputFolder, NothingIsReplacedUnasked) {
  const TestDir dir;
  const auto refusal = [&](const fs::path& path) {
    return ErrorOf([&] { OutputFolder(path, false, {}); });
  };
  EXPECT_THAT(refusal(testing::CopyExport(dir, "dino_mixed_sizes", "export")),
              HasSubstr("export: exists already. Use `overwrite` to replace it, or choose another "
                        "`output`."));
  fs::create_directory(dir / "thesis");
  dir.Write("thesis/thesis.tex", "years of work");
  EXPECT_THAT(refusal(dir / "thesis"), HasSubstr("exists already, and is no export"));
  fs::create_symlink("nowhere", dir / "link");
  EXPECT_THAT(refusal(dir / "link"), HasSubstr("exists already"));
  EXPECT_EQ(refusal(""), "no `output` is given");
}

TEST(OutputFolder, OnlyAnExportIsReplaced) {
  const TestDir dir;
  const auto refusal = [&](const fs::path& path, const std::vector<fs::path>& read) {
    const auto before = FilesBelow(dir.path());
    const std::string error = ErrorOf([&] { OutputFolder(path, true, read); });
    EXPECT_EQ(FilesBelow(dir.path()), before);
    return error;
  };
  fs::create_directory(dir / "thesis");
  dir.Write("thesis/thesis.tex", "years of work");
  EXPECT_THAT(refusal(dir / "thesis", {}), HasSubstr("holds no export; it is not replaced"));
  const fs::path old = testing::CopyExport(dir, "dino_mixed_sizes", "old");
  for (const fs::path& read : {old / "images", old, old / "images/frame_01.png"}) {
    EXPECT_THAT(refusal(old, {dir / "thesis", read}),
                HasSubstr("old: holds the pictures that are read"));
  }
}

TEST(OutputFolder, ForeignFilesAreKeptAndNamed) {
  const TestDir dir;
  const fs::path old = testing::CopyExport(dir, "dino_mixed_sizes", "old");
  for (int i = 0; i < 7; ++i) dir.Write(fmt::format("old/note_{}.txt", i), "mine");
  OutputFolder output(old, true, {dir / "pictures"});
  WriteFileAtomic(output.staging() / "a", "1");
  EXPECT_THAT(output.Commit(),
              AllOf(HasSubstr("old, as no export wrote it: "), HasSubstr(" and 2 more")));
  EXPECT_EQ(ReadFile(old / "note_6.txt"), "mine");
  EXPECT_FALSE(fs::exists(old / "attn_maps"));
}

TEST(OutputFolder, ErrorsNameTheFinalPlaceAndKeepTheirType) {
  const TestDir dir;
  const OutputFolder output(dir / "out", false, {});
  const auto rethrown = [&](const auto& thrown) {
    try {
      throw thrown;
    } catch (const Error& error) {
      output.Rethrow(error);
    }
  };
  EXPECT_EQ(ErrorOf([&] { rethrown(Error("is full", output.staging() / "a")); }),
            (dir / "out/a").string() + ": is full");
  EXPECT_THROW(rethrown(LayerError(4, {1, 2, 3})), LayerError);
}

}  // namespace
}  // namespace vggt
