// SPDX-License-Identifier: Apache-2.0
#include "report/report_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "analysis/statistics_cache.h"
#include "core/error.h"
#include "core/file.h"
#include "core/staged_directory.h"
#include "geometry/geometry_folder.h"
#include "geometry/given_geometry.h"
#include "image/png_codec.h"
#include "render/typeset.h"
#include "report/chart_pictures.h"
#include "report/draw_chart.h"
#include "report/html_page.h"
#include "report/input_hash.h"
#include "report/layers_section.h"
#include "report/matches_section.h"
#include "report/presets.h"
#include "report/report_json.h"
#include "report/scenes_section.h"
#include "report/sections.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr AtomicOptions kInStaging = {.existing = Existing::kRefuse, .sync = Sync::kLater};

// What is held against known matches needs them, and what is given must be there: told whatever the
// sections, before hours of computing.
void CheckTruth(const ReportOptions& options, bool all_have_geometry) {
  CheckMatchInput(options.matches, options.geometry);
  if (all_have_geometry || !options.geometry.empty()) return;
  if (options.matches.empty() && std::ranges::count(options.only, "matches") > 0) {
    throw Error("the section matches needs known matches", "`only`",
                "Give `matches` (a file of point pairs) or `geometry` (cameras and depth, or a "
                "model of COLMAP).");
  }
  if (std::ranges::count(options.only, "epipolar") > 0) {
    throw Error("the section epipolar needs cameras", "`only`",
                "Give `geometry` (cameras and depth, or a model of COLMAP).");
  }
}

// Which sections are made: those asked for, or the preset's, or the usual ones and those that
// matches and cameras allow. `has_geometry`, `has_predictions`: of an export.
std::vector<const SectionInfo*> ChosenSections(const ReportOptions& options, bool has_geometry,
                                               bool has_predictions) {
  const ReportPreset* preset = nullptr;
  if (!options.preset.empty()) {
    preset = FindReportPreset(options.preset);
    if (preset == nullptr) {
      std::vector<const char*> names;
      for (const ReportPreset& each : ReportPresets()) names.push_back(each.name);
      throw Error(
          fmt::format("'{}' is none of {}", Printable(options.preset), fmt::join(names, ", ")),
          "`preset`");
    }
  }
  std::set<std::string> wanted(options.only.begin(), options.only.end());
  for (const std::string& name : wanted) {
    if (FindReportSection(name) != nullptr) continue;
    std::vector<const char*> names;
    for (const SectionInfo& each : ReportSections()) names.push_back(each.name);
    throw Error(fmt::format("'{}' is none of {}", Printable(name), fmt::join(names, ", ")),
                "`only`");
  }
  if (preset != nullptr) {
    if (!wanted.empty() && !wanted.contains(preset->section)) {
      throw Error(fmt::format("'{}' defines the section {}, which is not among those asked for",
                              preset->name, preset->section),
                  "`preset`",
                  fmt::format("Add {} to `only`, or leave one of both out.", preset->section));
    }
    if (wanted.empty()) wanted = {preset->section};
  }
  std::vector<const SectionInfo*> chosen;
  for (const SectionInfo& each : ReportSections()) {
    const bool cameras = has_geometry || !options.geometry.empty(),
               matches = !options.matches.empty();
    const std::string_view name = each.name;
    const bool given = (name == "matches" && (cameras || matches)) ||
                       (name == "epipolar" && cameras) || (name == "lens" && has_predictions);
    if (wanted.empty() ? each.usual || given : wanted.contains(each.name)) chosen.push_back(&each);
  }
  return chosen;
}

bool IsFree(const fs::path& path) {
  std::error_code unknown;
  return !fs::exists(fs::symlink_status(path, unknown));
}

// The folder that is to be written, refused before anything is computed.
std::unique_ptr<StagedDirectory> OpenOut(const ReportOptions& options) {
  if (options.out.empty()) throw Error("no `out` is given");
  if (options.overwrite) {
    const auto own = [](const fs::path& folder) {
      try {
        return ListReportFiles(folder);
      } catch (const Error& error) {
        throw Error(error.problem() + "; it is not replaced", error.where(),
                    "Move it away, or choose another `out`.");
      }
    };
    return std::make_unique<StagedDirectory>(options.out, own);
  }
  if (!IsFree(options.out)) {
    try {
      ListReportFiles(options.out);
    } catch (const Error&) {
      throw Error("exists already, and is no report", options.out.string(),
                  "Choose another `out`.");
    }
    throw Error("exists already", options.out.string(),
                "Use `overwrite` to replace it, or choose another `out`.");
  }
  return std::make_unique<StagedDirectory>(options.out);
}

// A name for files: letters, digits and the plainest signs.
std::string FileStem(const std::string& name) {
  std::string stem;
  for (const char letter : name.substr(0, 80)) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') || letter == '_' || letter == '-';
    stem += plain ? letter : '_';
  }
  return stem.empty() ? "export" : stem;
}

// One export with all that is made of it.
struct ReportScene {
  fs::path path;
  std::string name;
  Export source;
  std::unique_ptr<QkStore> store;
  RowSample sample;
  // What was given, and what the export has of its own; none if nothing is known of the scene.
  std::optional<SceneMatches> matches, own_matches;
  std::optional<SceneGeometry> geometry, own_geometry;
  std::map<std::pair<BlockKind, size_t>, std::unique_ptr<const LayerStatistics>> statistics;
  std::map<size_t, ChartPicture> pictures;
  std::vector<Section> sections;

  SectionInput Input(const ReportOptions& options, const StopCheck& stop_check);
};

SectionInput ReportScene::Input(const ReportOptions& options, const StopCheck& stop_check) {
  const auto statistics_of = [this, stop_check](BlockKind kind,
                                                size_t layer) -> const LayerStatistics& {
    auto& kept = statistics[{kind, layer}];
    if (!kept) {
      kept = std::make_unique<const LayerStatistics>(
          StatisticsOf(*store, kind, layer, sample, stop_check));
    }
    return *kept;
  };
  const auto picture_of = [this](size_t frame) {
    const auto [known, is_new] = pictures.try_emplace(frame);
    if (is_new) known->second = PictureOf(source, frame);
    return known->second;
  };
  SectionInput input{source,  *store,        options.rows, options.seed, options.preset,
                     nullptr, statistics_of, picture_of,   stop_check,   {}};
  // The export's own stands beside what is given, or in its place.
  if (own_matches) (matches ? input.own_matches : input.matches) = &*own_matches;
  if (own_geometry) (geometry ? input.own_geometry : input.geometry) = &*own_geometry;
  if (matches) input.matches = &*matches;
  if (geometry) input.geometry = &*geometry;
  return input;
}

std::vector<ReportScene> OpenScenes(const ReportOptions& options) {
  if (options.exports.empty()) throw Error("no export is given");
  std::vector<ReportScene> scenes;
  std::set<std::string> names;
  for (const fs::path& path : options.exports) {
    Export source = OpenExport(path);
    if (!source.store) {
      throw Error("has no queries and keys, of which reports are made", path.string(),
                  "Export with `save_qk` to have them.");
    }
    if (!source.store->error.empty()) throw Error(source.store->error);
    ReportScene& scene = scenes.emplace_back();
    scene.path = path;
    scene.store = std::make_unique<QkStore>(source.store->file, source.root);
    scene.sample = SampleFor(scene.store->description(), options.rows);
    fs::path folder = fs::weakly_canonical(source.root.empty() ? path : source.root);
    // The folder of the export itself, if a part of it was given.
    if (fs::is_regular_file(folder)) folder = folder.parent_path();
    if (folder.filename() == "qk" || folder.filename() == "attn_maps")
      folder = folder.parent_path();
    const std::string stem = FileStem(folder.filename().string());
    std::string name = stem;
    for (int i = 2; !names.insert(name).second; ++i) name = fmt::format("{}_{}", stem, i);
    scene.name = name;
    scene.source = std::move(source);
  }
  return scenes;
}

// Exports that are put into one table must have the same layers and heads: told before hours of
// computing.
void CheckFit(const std::vector<ReportScene>& scenes) {
  std::vector<std::vector<LayerStatistics>> shapes(scenes.size());
  std::vector<Scene> bare;
  for (size_t i = 0; i < scenes.size(); ++i) {
    for (const QkBlocks& blocks : scenes[i].store->description().blocks) {
      for (const QkLayer& layer : blocks.layers) {
        LayerStatistics shape;
        shape.kind = blocks.kind;
        shape.layer_index = layer.index;
        shape.heads = blocks.heads;
        shapes[i].push_back(std::move(shape));
      }
    }
    Scene& scene = bare.emplace_back(Scene{scenes[i].name, {}});
    for (const LayerStatistics& shape : shapes[i]) scene.layers.push_back(&shape);
  }
  CheckScenesFit(bare);
}

// Files of one section, whose names no other section of the scene has.
class SectionWriter {
 public:
  SectionWriter(fs::path staging, const ReportOptions& options)
      : staging_(std::move(staging)), options_(options) {}

  // `folder`: of the scene, below data/ and figures/; empty: these themselves.
  PageSection Write(const Section& section, const std::string& scene, const std::string& folder);
  void WriteText(const std::string& path, const std::string& text);
  const std::vector<ReportFile>& files() const { return files_; }
  std::vector<ReportFile>& files() { return files_; }

 private:
  std::string FreeName(const std::string& top, const std::string& folder, const Section& section,
                       const std::string& name);
  void Note(const std::string& path);

  const fs::path staging_;
  const ReportOptions& options_;
  std::set<std::string> names_;
  std::vector<ReportFile> files_;
};

std::string SectionWriter::FreeName(const std::string& top, const std::string& folder,
                                    const Section& section, const std::string& name) {
  const std::string below = top + "/" + (folder.empty() ? "" : folder + "/");
  std::string stem = below + FileStem(name);
  if (!names_.insert(stem).second) {
    stem = below + FileStem(section.name + "_" + name);
    for (int i = 2; !names_.insert(stem).second; ++i) {
      stem = below + FileStem(fmt::format("{}_{}_{}", section.name, name, i));
    }
  }
  fs::create_directories((staging_ / stem).parent_path());
  return stem;
}

void SectionWriter::Note(const std::string& path) {
  files_.push_back({path, fs::file_size(staging_ / path)});
}

void SectionWriter::WriteText(const std::string& path, const std::string& text) {
  WriteFileAtomic(staging_ / path, text, kInStaging);
  Note(path);
}

PageSection SectionWriter::Write(const Section& section, const std::string& scene,
                                 const std::string& folder) {
  PageSection page;
  page.section = &section;
  page.scene = scene;
  struct Drawing {
    const Chart* chart;
    FigureFormat format;
    std::string path;  // empty: into the page
    std::string* svg;
  };
  std::vector<Drawing> drawings;
  page.figures.resize(section.charts.size());
  std::vector<Chart> bare = section.charts;
  for (size_t i = 0; i < section.charts.size(); ++i) {
    const std::string stem = FreeName("figures", folder, section, section.charts[i].name);
    PageFigure& figure = page.figures[i];
    figure.chart = &section.charts[i];
    bare[i].title.clear();
    bare[i].caption.clear();
    drawings.push_back({&bare[i], FigureFormat::kSvg, "", &figure.svg});
    for (const auto& [format, ending, label] : {std::tuple{FigureFormat::kSvg, ".svg", "SVG"},
                                                std::tuple{FigureFormat::kPdf, ".pdf", "PDF"},
                                                std::tuple{FigureFormat::kPng, ".png", "PNG"}}) {
      drawings.push_back({figure.chart, format, stem + ending, nullptr});
      figure.links.emplace_back(label, stem + ending);
    }
  }
  ParallelFor(drawings.size(), 1, [&](size_t i) {
    const Drawing& drawing = drawings[i];
    const std::vector<uint8_t> bytes = DrawChart(*drawing.chart, drawing.format, options_.creator);
    if (drawing.svg != nullptr) {
      drawing.svg->assign(bytes.begin(), bytes.end());
    } else {
      WriteFileAtomic(staging_ / drawing.path, Bytes(bytes), kInStaging);
    }
  });
  for (const Drawing& drawing : drawings) {
    if (!drawing.path.empty()) Note(drawing.path);
  }
  for (const ReportTable& table : section.tables) {
    const std::string stem = FreeName("data", folder, section, table.name);
    PageTable& made = page.tables.emplace_back();
    made.table = &table;
    if (!table.rows.empty()) {
      WriteText(stem + ".csv", TableCsv(table));
      made.links.emplace_back("CSV", stem + ".csv");
    }
    if (!table.rows.empty() || !table.arrays.empty()) {
      WriteTableNpz(staging_ / (stem + ".npz"), table, kInStaging);
      Note(stem + ".npz");
      made.links.emplace_back("NPZ", stem + ".npz");
    }
  }
  for (const SectionPicture& picture : section.pictures) {
    const std::string path = FreeName("data", folder, section, picture.name) + ".png";
    const Picture made = picture.make();
    WritePng(staging_ / path, made.width, made.height, made.rgb, kInStaging);
    Note(path);
  }
  return page;
}

std::string SceneTitle(const ReportScene& scene) {
  return scene.source.image_set_name.empty() ? scene.name : scene.source.image_set_name;
}

std::vector<std::pair<std::string, std::string>> FactsOf(const ReportScene& scene,
                                                         const ReportSceneJson& json) {
  const QkDescription& d = scene.store->description();
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back("pictures", fmt::format("{} of {} × {} patches", d.frames, d.W_p, d.H_p));
  std::vector<std::string> model;
  for (const std::string& text : {d.provenance.family, d.provenance.model_text}) {
    if (!text.empty()) model.push_back(text);
  }
  if (!model.empty()) facts.emplace_back("model", fmt::format("{}", fmt::join(model, ": ")));
  std::vector<std::string> kinds;
  for (const QkBlocks& blocks : d.blocks) {
    kinds.push_back(fmt::format("{} {} of {} heads", blocks.layers.size(),
                                BlockKindName(blocks.kind), blocks.heads));
  }
  facts.emplace_back("layers", fmt::format("{}", fmt::join(kinds, ", ")));
  if (!d.provenance.precision.empty()) facts.emplace_back("precision", d.provenance.precision);
  facts.emplace_back("rows (layers and heads)", json.sample);
  if (!d.provenance.generator.empty()) facts.emplace_back("exported by", d.provenance.generator);
  facts.emplace_back("input", fmt::format("SHA-256 {}…, {}", json.hash.value.substr(0, 16),
                                          HumanBytes(static_cast<double>(json.hash.bytes))));
  return facts;
}

class ReportMaker {
 public:
  ReportMaker(const ReportOptions& options, ReportProgress progress, StopCheck stop_check)
      : options_(options), progress_(std::move(progress)), stop_check_(std::move(stop_check)) {}

  ReportSummary Make();

 private:
  void Say(const std::string& stage, double share) const {
    if (progress_) progress_(stage, share);
  }
  void ReadOwnGeometry(ReportScene& scene);
  void MakeSections(ReportScene& scene, const std::vector<const SectionInfo*>& chosen);
  void WriteAll(const std::vector<ReportScene>& scenes, const fs::path& staging);

  const ReportOptions& options_;
  const ReportProgress progress_;
  const StopCheck stop_check_;
  std::vector<Section> together_;  // of all scenes
  ReportSummary summary_;
};

// What an export says of its own scene may be damaged: that is a note.
void ReportMaker::ReadOwnGeometry(ReportScene& scene) {
  const auto folder = scene.source.GeometryFolder();
  if (!folder) return;
  try {
    if (!HoldsGeometryFolder(*folder)) return;  // somebody's own cameras.json
    const FrameList& frames = scene.store->description();
    scene.own_geometry = ReadGeometryFolder(*folder, frames);
    if (frames.frames < 2) return;
    SceneMatches matches = MatchesOf(*scene.own_geometry, frames);
    if (!matches.pairs.empty()) scene.own_matches = std::move(matches);
  } catch (const Error& error) {
    summary_.notes.push_back(
        fmt::format("the export's own geometry was not used: {}", error.what()));
  }
}

void ReportMaker::MakeSections(ReportScene& scene, const std::vector<const SectionInfo*>& chosen) {
  SectionInput input = scene.Input(options_, stop_check_);
  const std::string before = options_.exports.size() > 1 ? scene.name + ": " : "";
  for (const SectionInfo* info : chosen) {
    CheckStop(stop_check_);
    const std::string stage = before + info->name;
    Say(stage, 0);
    input.progress = [&](double share) { Say(stage, std::clamp(share, 0.0, 1.0)); };
    const bool asked = std::ranges::count(options_.only, info->name) > 0 ||
                       !options_.preset.empty() || std::string_view(info->name) == "layers" ||
                       (std::string_view(info->name) == "matches" && scene.matches) ||
                       (std::string_view(info->name) == "epipolar" && scene.geometry);
    Section section;
    try {
      section = info->make(input);
    } catch (const Error& error) {
      if (asked && error.where().empty() && options_.exports.size() > 1) {
        throw Error(error.problem(), scene.path.string(), error.hint());
      }
      if (asked) throw;
      section.name = info->name;
      section.title = info->about;
      section.notes.push_back(error.what());
    }
    for (const Chart& chart : section.charts) CheckChart(chart);
    const bool empty = section.charts.empty() && section.tables.empty();
    for (const std::string& note : section.notes) {
      if (empty) summary_.notes.push_back(fmt::format("{}: {}", stage, note));
    }
    scene.sections.push_back(std::move(section));
  }
  std::vector<size_t> unread;
  for (const auto& [frame, picture] : scene.pictures) {
    if (!picture.picture.pixels) unread.push_back(frame);
  }
  if (!unread.empty()) {
    summary_.notes.push_back(fmt::format("{}pictures that cannot be read are grey fields: {}",
                                         before, fmt::join(unread, ", ")));
  }
}

void ReportMaker::WriteAll(const std::vector<ReportScene>& scenes, const fs::path& staging) {
  ReportPage page;
  page.creator = options_.creator;
  SectionWriter writer(staging, options_);
  ReportJson json;
  size_t count = together_.size(), done = 0;
  for (const ReportScene& scene : scenes) count += scene.sections.size();
  const auto write = [&](const Section& section, const std::string& scene) {
    CheckStop(stop_check_);
    Say("drawing", static_cast<double>(done++) / static_cast<double>(count));
    page.sections.push_back(writer.Write(section, scene, scene));
    summary_.figures += static_cast<int64_t>(section.charts.size());
    summary_.tables += static_cast<int64_t>(section.tables.size());
    ++summary_.sections;
  };
  for (const Section& section : together_) write(section, "");
  std::vector<std::string> titles;
  for (const ReportScene& scene : scenes) {
    const std::string name = scenes.size() > 1 ? scene.name : "";
    for (const Section& section : scene.sections) write(section, name);
    const QkDescription& description = scene.store->description();
    json.scenes.push_back(
        {scene.name, SceneTitle(scene), &description,
         SampleText(scene.sample, description.token_grid(description.blocks.front())),
         HashInput(scene.source.store->file, *scene.store)});
    titles.push_back(SceneTitle(scene));
    for (const auto& [fact, value] : FactsOf(scene, json.scenes.back())) {
      page.facts.emplace_back(name.empty() ? fact : fmt::format("{}: {}", name, fact), value);
    }
  }
  page.facts.emplace_back("report by", options_.creator);
  page.title = scenes.size() > 1 ? fmt::format("Attention in {} scenes", scenes.size())
                                 : "Attention in " + titles[0];
  writer.WriteText("index.html", HtmlPage(page));
  json.options = &options_;
  json.sections = &page.sections;
  json.files = writer.files();
  writer.WriteText("report.json", ReportJsonText(json));
  for (const ReportFile& file : writer.files()) summary_.bytes += file.bytes;
}

ReportSummary ReportMaker::Make() {
  const auto begin = std::chrono::steady_clock::now();
  ChosenSections(options_, false, false);  // refuses what it must before anything is opened
  CheckMatchInput(options_.matches, options_.geometry);
  const Typesetter typesetter;  // where nothing can be drawn, that is told before the long work
  std::vector<ReportScene> scenes = OpenScenes(options_);
  if (scenes.size() > 1) CheckFit(scenes);
  for (ReportScene& scene : scenes) ReadOwnGeometry(scene);
  const auto has_geometry = [](const ReportScene& scene) { return scene.own_geometry.has_value(); };
  const auto has_predictions = [](const ReportScene& scene) {
    return scene.own_geometry && scene.own_geometry->predicted;
  };
  CheckTruth(options_, std::ranges::all_of(scenes, has_geometry));
  const std::vector<const SectionInfo*> chosen =
      ChosenSections(options_, std::ranges::any_of(scenes, has_geometry),
                     std::ranges::any_of(scenes, has_predictions));
  const auto is_chosen = [&](const char* name) {
    return std::ranges::find(chosen, FindReportSection(name)) != chosen.end();
  };
  if (!options_.geometry.empty() &&
      (is_chosen("dynamic") || is_chosen("epipolar") || is_chosen("lens"))) {
    for (ReportScene& scene : scenes) {
      scene.geometry = ReadGivenGeometry(options_.geometry, scene.store->description());
    }
  }
  if (!options_.matches.empty() || !options_.geometry.empty()) {
    const bool used = std::ranges::any_of(
        scenes, [](const ReportScene& scene) { return scene.geometry.has_value(); });
    if (!is_chosen("matches") && used) {
      // Cameras and depths are enough.
    } else if (!is_chosen("matches")) {
      summary_.notes.push_back(fmt::format(
          "{} was not used: the section matches is not among those asked for",
          PrintableText(
              (options_.matches.empty() ? options_.geometry : options_.matches).string())));
    } else {
      // What others wrote may be wrong: that is found before the long work.
      for (ReportScene& scene : scenes) {
        scene.matches =
            ReadMatchInput(options_.matches, options_.geometry, scene.store->description());
      }
    }
  }
  const std::unique_ptr<StagedDirectory> staged = OpenOut(options_);
  try {
    for (ReportScene& scene : scenes) MakeSections(scene, chosen);
    if (scenes.size() > 1) {
      std::vector<Scene> all;
      for (ReportScene& scene : scenes) {
        SectionInput input = scene.Input(options_, stop_check_);
        input.progress = [&](double share) { Say("all scenes", share); };
        all.push_back({scene.name, AllStatistics(input)});
      }
      together_.push_back(ScenesSection(all));
    }
    WriteAll(scenes, staged->staging());
    CheckStop(stop_check_);
    const std::vector<fs::path> kept = staged->Commit();
    if (!kept.empty()) {
      const bool one = kept.size() == 1;
      summary_.notes.push_back(fmt::format("kept in {}, as no report wrote {}: {} file{}",
                                           PrintableText(options_.out.string()),
                                           one ? "it" : "them", kept.size(), one ? "" : "s"));
    }
  } catch (const Error& error) {
    const Error at_final_place = staged->AtFinalPlace(error);
    if (at_final_place.where() != error.where()) throw at_final_place;
    throw;
  }
  summary_.out = options_.out;
  summary_.scenes = static_cast<int64_t>(scenes.size());
  summary_.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return summary_;
}

// Whether reports give files this name: index.html, or figures/… and data/… of their kinds.
bool IsReportName(const fs::path& path) {
  if (path.empty()) return false;
  if (path == "index.html") return true;
  const std::string first = path.begin()->string(), kind = path.extension().string();
  if (first == "figures") return kind == ".svg" || kind == ".pdf" || kind == ".png";
  return first == "data" && (kind == ".csv" || kind == ".npz" || kind == ".png");
}

}  // namespace

ReportSummary MakeReport(const ReportOptions& options, const ReportProgress& progress,
                         const StopCheck& stop_check) {
  return ReportMaker(options, progress, stop_check).Make();
}

std::set<fs::path> ListReportFiles(const fs::path& folder) {
  if (fs::is_directory(folder) && fs::is_empty(folder)) return {};
  const fs::path file = folder / "report.json";
  if (!fs::is_directory(folder) || !fs::is_regular_file(file)) {
    throw Error("is no report", folder.string());
  }
  std::set<fs::path> files = {"report.json"};
  for (const std::string& name : FilesInReportJson(file)) {
    const fs::path path = fs::path(name).lexically_normal();
    // A list may name anything; only what has the names of reports may go.
    if (IsReportName(path) && fs::is_regular_file(fs::symlink_status(folder / path))) {
      files.insert(path);
    }
  }
  return files;
}

}  // namespace vggt
