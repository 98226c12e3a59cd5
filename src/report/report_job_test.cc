// SPDX-License-Identifier: Apache-2.0
#include "report/report_job.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "core/parallel.h"
#include "formats/json.h"
#include "geometry/geometry_folder.h"
#include "geometry/prediction_file.h"
#include "geometry_testing.h"
#include "prediction_testing.h"
#include "qk_store_testing.h"
#include "report/sections.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using testing::SmallQkDescription;
using testing::TestDir;

std::set<std::string> FilesBelow(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.insert(fs::relative(entry, folder).string());
  }
  return files;
}

class ReportJob : public ::testing::Test {
 protected:
  ReportJob() { testing::WriteQkStore(dir_ / "scene", SmallQkDescription(2)); }

  ReportOptions Options() const {
    ReportOptions options;
    options.exports = {dir_ / "scene"};
    options.out = dir_ / "report";
    options.rows = 0;
    options.only = {"layers", "query"};
    options.creator = "vggt-attn 1";
    return options;
  }

  std::string Problem(const ReportOptions& options) const {
    const std::set<std::string> before = FilesBelow(dir_.path());
    const std::string problem = ErrorOf([&] { MakeReport(options); });
    EXPECT_EQ(FilesBelow(dir_.path()), before) << problem;
    return problem;
  }

  TestDir dir_;
};

TEST_F(ReportJob, WritesPageNumbersAndFigures) {
  const ReportSummary summary = MakeReport(Options());
  const std::set<std::string> files = FilesBelow(dir_ / "report");
  EXPECT_THAT(files, IsSupersetOf({"index.html", "report.json", "data/heads.csv", "data/heads.npz",
                                   "data/layers.csv", "data/frames.npz", "figures/layers.svg",
                                   "figures/layers.pdf", "figures/layers.png", "figures/heads.svg",
                                   "figures/query_layers.pdf", "data/query_layers.csv"}));
  EXPECT_FALSE(files.contains("data/frames.csv"));  // it has no rows
  EXPECT_EQ(summary.figures, 6);  // of the layers one, of the heads one for each kind of block
  std::set<std::string> listed = {"report.json"};
  uint64_t bytes = 0;
  const Json json = ReadJsonFile(dir_ / "report" / "report.json");
  for (const Json& file : json["files"]) listed.insert(file["path"].get<std::string>());
  for (const std::string& file : files) bytes += fs::file_size(dir_ / "report" / file);
  EXPECT_EQ(listed, files);
  EXPECT_EQ(summary.bytes, bytes);
  // This store has no pictures.
  EXPECT_THAT(summary.notes,
              ::testing::Contains("pictures that cannot be read are grey fields: 0, 1"));
}

TEST_F(ReportJob, TheSameExportGivesTheSameBytes) {
  ReportOptions options = Options();
  MakeReport(options);
  options.out = dir_ / "again";
  SetThreadCount(1);
  MakeReport(options);
  SetThreadCount(2);
  for (const std::string& file : FilesBelow(dir_ / "report")) {
    EXPECT_TRUE(ReadFile(dir_ / "report" / file) == ReadFile(dir_ / "again" / file)) << file;
  }
}

TEST_F(ReportJob, SaysWhatItIsDoing) {
  std::vector<std::string> stages;
  double least = 1, largest = 0;
  MakeReport(Options(), [&](const std::string& stage, double share) {
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
    least = std::min(least, share), largest = std::max(largest, share);
  });
  EXPECT_THAT(stages, ::testing::ElementsAre("layers", "query", "drawing"));
  EXPECT_EQ(least, 0);
  EXPECT_EQ(largest, 1);
}

TEST_F(ReportJob, StopsWhenItIsToldAndLeavesNothing) {
  const std::set<std::string> before = FilesBelow(dir_.path());
  int asked = 0;
  EXPECT_THROW(MakeReport(Options(), {},
                          [&] {
                            if (++asked > 3) throw Interrupted();
                          }),
               Interrupted);
  EXPECT_EQ(FilesBelow(dir_.path()).contains("report/index.html"), false);
  EXPECT_FALSE(fs::exists(dir_ / "report"));
}

TEST_F(ReportJob, AReportIsReplacedAndOtherFilesAreKept) {
  MakeReport(Options());
  EXPECT_THAT(Problem(Options()), HasSubstr("Use `overwrite` to replace it"));
  dir_.Write("report/mine.txt", "mine");
  ReportOptions options = Options();
  options.overwrite = true;
  options.only = {"query"};
  const ReportSummary summary = MakeReport(options);
  EXPECT_TRUE(fs::exists(dir_ / "report" / "mine.txt"));
  EXPECT_FALSE(fs::exists(dir_ / "report" / "data/heads.csv"));
  EXPECT_TRUE(fs::exists(dir_ / "report" / "data/query_layers.csv"));
  EXPECT_THAT(summary.notes, ::testing::Contains(HasSubstr("as no report wrote it: 1 file")));
}

TEST_F(ReportJob, OnlyReportsAreReplaced) {
  fs::create_directories(dir_ / "report");
  dir_.Write("report/photo.jpg", "photo");
  ReportOptions options = Options();
  EXPECT_THAT(Problem(options), HasSubstr("exists already, and is no report"));
  options.overwrite = true;
  EXPECT_THAT(Problem(options), HasSubstr("is no report; it is not replaced"));
  options.out = dir_ / "scene";
  EXPECT_THAT(Problem(options), HasSubstr("is no report; it is not replaced"));
  options.out.clear();
  EXPECT_THAT(Problem(options), HasSubstr("no `out`"));
}

TEST_F(ReportJob, AListOfFilesCannotReachOutside) {
  MakeReport(Options());
  dir_.Write("outside.txt", "outside");
  const fs::path list = dir_ / "report" / "report.json";
  Json json = ReadJsonFile(list);
  for (const char* path : {"../outside.txt", "/etc/passwd", ".", ""}) {
    json["files"].push_back({{"path", path}, {"bytes", 7}});
  }
  WriteFileAtomic(list, json.dump());
  for (const fs::path& file : ListReportFiles(dir_ / "report")) {
    EXPECT_TRUE(file.is_relative() && file.begin()->string() != "..") << file;
  }
}

TEST_F(ReportJob, AListOfFilesNamesNothingButWhatReportsWrite) {
  MakeReport(Options());
  const fs::path report = dir_ / "report", list = report / "report.json";
  Json json = ReadJsonFile(list);
  for (const char* path : {"notes.txt", "data/notes.txt", "qk/global_01.safetensors"}) {
    fs::create_directories((report / path).parent_path());
    WriteFileAtomic(report / path, "mine");
    json["files"].push_back({{"path", path}, {"bytes", 4}});
  }
  WriteFileAtomic(list, json.dump());
  ReportOptions options = Options();
  options.overwrite = true;
  MakeReport(options);
  for (const char* path : {"notes.txt", "data/notes.txt", "qk/global_01.safetensors"}) {
    EXPECT_EQ(ReadFile(report / path), "mine") << path;
  }
}

TEST_F(ReportJob, ScenesAreToldApartAndPutTogether) {
  testing::WriteQkStore(dir_ / "b" / "scene", SmallQkDescription(3));
  ReportOptions options = Options();
  options.only = {"layers"};
  options.exports.push_back(dir_ / "b" / "scene");
  const ReportSummary summary = MakeReport(options);
  EXPECT_EQ(summary.scenes, 2);
  EXPECT_THAT(FilesBelow(dir_ / "report"),
              IsSupersetOf({"data/scenes.csv", "data/scenes.npz", "data/scene/heads.csv",
                            "data/scene_2/heads.csv", "figures/scene/layers.svg",
                            "figures/scene_2/layers.svg", "figures/scenes.pdf"}));
  const std::string csv = ReadFile(dir_ / "report" / "data" / "scenes.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 3 + 3 + 2);  // heads of all layers
}

TEST_F(ReportJob, ScenesThatDoNotFitAreRefusedAtOnce) {
  QkDescription other = SmallQkDescription(2);
  other.blocks.pop_back();
  testing::WriteQkStore(dir_ / "other", other);
  ReportOptions options = Options();
  options.exports.push_back(dir_ / "other");
  EXPECT_THAT(Problem(options), HasSubstr("do not fit one table"));
}

TEST_F(ReportJob, AnErrorOfOneSceneNamesIt) {
  testing::WriteQkStore(dir_ / "lonely", SmallQkDescription(1));
  ReportOptions options = Options();
  options.exports.push_back(dir_ / "lonely");
  options.only = {"views"};
  const std::string problem = ErrorOf([&] { MakeReport(options); });
  EXPECT_THAT(problem, AllOf(HasSubstr("lonely: "), HasSubstr("at least two pictures")));
}

TEST_F(ReportJob, WhatIsNoExportWithAStoreIsRefused) {
  ReportOptions options = Options();
  options.exports = {dir_ / "nowhere"};
  EXPECT_THAT(Problem(options), HasSubstr("nowhere"));
  options.exports = {dir_.Write("text.txt", "text")};
  EXPECT_THAT(Problem(options), HasSubstr("text.txt"));
  options.exports = {testing::Golden("export/conv_per_head")};
  EXPECT_THAT(Problem(options), HasSubstr("Export with `save_qk`"));
  options.exports.clear();
  EXPECT_THAT(Problem(options), HasSubstr("no export is given"));
}

TEST_F(ReportJob, NamesOfSectionsAndPresetsAreChecked) {
  ReportOptions options = Options();
  options.only = {"layer"};
  EXPECT_THAT(Problem(options), HasSubstr("'layer' is none of layers, query"));
  options.only = {"layers"};
  options.preset = "sead";
  EXPECT_THAT(Problem(options), HasSubstr("'sead' is none of seed, "));
  options.preset = "seed";
  EXPECT_THAT(Problem(options), HasSubstr("defines the section query"));
}

TEST_F(ReportJob, APresetChoosesItsSection) {
  ReportOptions options = Options();
  options.only.clear();
  options.preset = "seed";
  MakeReport(options);
  const std::set<std::string> files = FilesBelow(dir_ / "report");
  EXPECT_TRUE(files.contains("figures/query_seed.svg"));
  EXPECT_TRUE(files.contains("data/query_seed.csv"));
  EXPECT_FALSE(files.contains("data/query_layers.csv"));
  EXPECT_FALSE(files.contains("data/heads.csv"));
}

TEST_F(ReportJob, WhatHeadsAreHeldAgainstIsCheckedWhateverTheSections) {
  ReportOptions options = Options();
  options.geometry = dir_ / "no_geometry";
  EXPECT_THAT(Problem(options), AllOf(HasSubstr("no_geometry"), HasSubstr("does not exist")));
  options.matches = dir_ / "no_geometry";
  EXPECT_THAT(Problem(options), HasSubstr("both `matches` and `geometry` are given"));
  options.matches.clear(), options.geometry.clear();
  options.only = {"matches"};
  EXPECT_THAT(Problem(options), HasSubstr("the section matches needs known matches"));
  options.only = {"layers"};
  options.geometry = dir_ / "scene";
  EXPECT_THAT(MakeReport(options).notes, ::testing::Contains(HasSubstr("scene was not used")));
}

TEST_F(ReportJob, ThePageSaysWhatItIsOf) {
  MakeReport(Options());
  const std::string page = ReadFile(dir_ / "report" / "index.html");
  for (const char* fact :
       {"<dt>rows (layers and heads)</dt><dd>all ", "<dt>report by</dt><dd>vggt-attn 1</dd>",
        "<dt>input</dt><dd>SHA-256 "}) {
    EXPECT_THAT(page, HasSubstr(fact));
  }
}

TEST_F(ReportJob, NumbersThatAreNoneEndIt) {
  const QkDescription d = SmallQkDescription(2);
  std::vector<float> q = testing::QkValues(d, d.blocks[0], 1, 0);
  q[17] = NAN;
  testing::WriteQkLayer(dir_ / "scene" / "qk" / d.blocks[0].layers[1].file, d.shape(d.blocks[0]), q,
                        testing::QkValues(d, d.blocks[0], 1, 1));
  EXPECT_THROW(MakeReport(Options()), Error);
  EXPECT_FALSE(fs::exists(dir_ / "report"));
}

TEST_F(ReportJob, OnePictureAloneHasAReport) {
  testing::WriteQkStore(dir_ / "one", SmallQkDescription(1));
  ReportOptions options = Options();
  options.exports = {dir_ / "one"};
  MakeReport(options);
  EXPECT_THAT(ReadFile(dir_ / "report" / "index.html"), HasSubstr("The export has one picture"));
}

// An export of three pictures with its own geometry, predicted by a model.
class ReportOfGeometry : public ReportJob {
 protected:
  ReportOfGeometry() {
    frames_ = testing::PlainFrames(3, 3, 4);
    QkDescription d = SmallQkDescription(3);
    static_cast<FrameList&>(d) = frames_;
    testing::WriteQkStore(dir_ / "scene", d);
    for (int i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = frames_.transforms[0];
      view.camera = testing::PlaneCamera(0.3 * i, 0, 2, 60, frames_);
      view.depth = {4, 3, std::vector<float>(12, 2), {}};
      scene_.views.emplace_back(view);
    }
    WriteGeometryFolder(dir_ / "scene" / "geometry", scene_, frames_,
                        std::vector<uint8_t>(size_t{3} * 56 * 42 * 3));
  }

  ReportOptions Usual() const {
    ReportOptions options = Options();
    options.only.clear();
    return options;
  }

  FrameList frames_;
  SceneGeometry scene_{{}, "VGGT-1B", true};
};

TEST_F(ReportOfGeometry, UsesTheExportsOwn) {
  const ReportSummary summary = MakeReport(Usual());
  EXPECT_THAT(FilesBelow(dir_ / "report"),
              IsSupersetOf({"data/matches.csv", "data/epipolar.csv", "data/epipolar_pairs.npz",
                            "figures/epipolar.svg", "figures/epipolar_pose.pdf"}));
  EXPECT_FALSE(fs::exists(dir_ / "report/data/matches_own.csv"));
  EXPECT_THAT(ReadFile(dir_ / "report/report.json"),
              AllOf(HasSubstr("cameras and depths predicted by VGGT-1B"),
                    HasSubstr("cameras predicted by VGGT-1B")));
  EXPECT_THAT(summary.notes, ::testing::Contains(HasSubstr("`layers_lens`")));
}

TEST_F(ReportOfGeometry, LooksThroughTheLayerLens) {
  const fs::path folder = dir_ / "scene" / "geometry";
  testing::WritePredictedWall(folder / kPredictionName, frames_, 0.1, 1, 1);
  testing::WritePredictedWall(folder / LensName(1), frames_, 0.2, 2, 0);
  MakeReport(Usual());
  EXPECT_THAT(FilesBelow(dir_ / "report"), IsSupersetOf({"data/lens.csv", "data/lens_pictures.npz",
                                                         "figures/lens.svg", "figures/lens.pdf"}));
  // One that is damaged is no more than a note, unless it is asked for.
  WriteFileAtomic(folder / LensName(1), "PK");
  ReportOptions options = Usual();
  options.out = dir_ / "again";
  EXPECT_THAT(MakeReport(options).notes, ::testing::Contains(HasSubstr("lens_layer_02.npz")));
  options.out = dir_ / "third";
  options.only = {"lens"};
  EXPECT_THAT(Problem(options), HasSubstr("lens_layer_02.npz"));
}

TEST_F(ReportOfGeometry, SetsTheGivenBesideIt) {
  scene_.text = "truth.json";
  scene_.predicted = false;
  WriteGeometryFolder(dir_ / "given", scene_, frames_,
                      std::vector<uint8_t>(size_t{3} * 56 * 42 * 3));
  ReportOptions options = Usual();
  options.only = {"matches", "epipolar", "dynamic"};
  options.geometry = dir_ / "given";
  MakeReport(options);
  EXPECT_THAT(FilesBelow(dir_ / "report"),
              IsSupersetOf({"data/matches.csv", "data/matches_own.csv", "figures/matches_own.svg",
                            "data/epipolar_own.csv", "figures/epipolar_pose_own.svg",
                            "data/depth_errors.npz"}));
  const Json json = ReadJsonFile(dir_ / "report/report.json");
  for (const Json& section : json["sections"]) {
    for (const Json& table : section["tables"]) {
      const std::string name = table["name"], definition = table["definition"];
      if (!name.starts_with("matches") && !name.starts_with("epipolar")) continue;
      EXPECT_THAT(definition, HasSubstr(name.ends_with("_own") ? "VGGT-1B" : "truth.json")) << name;
    }
  }
}

TEST_F(ReportOfGeometry, DoesWithoutOneThatIsDamaged) {
  WriteFileAtomic(dir_ / "scene/geometry/frame_01.npz", "PK");
  EXPECT_THAT(MakeReport(Usual()).notes,
              ::testing::Contains(HasSubstr("the export's own geometry was not used")));
  EXPECT_FALSE(fs::exists(dir_ / "report/data/matches.csv"));
  ReportOptions options = Usual();
  options.out = dir_ / "again";
  options.only = {"epipolar"};
  EXPECT_THAT(Problem(options), HasSubstr("the section epipolar needs cameras"));
}

}  // namespace
}  // namespace vggt
