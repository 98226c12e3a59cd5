// SPDX-License-Identifier: Apache-2.0
#include "report/report_json.h"

#include "core/error.h"
#include "formats/json.h"
#include "report/presets.h"

namespace vggt {
namespace {

constexpr const char* kReportFormat = "vggt-attn-report";
constexpr int64_t kReportVersion = 1;

OrderedJson LinksJson(const PageLinks& links) {
  OrderedJson files = OrderedJson::array();
  for (const auto& [label, path] : links) files.push_back(path);
  return files;
}

OrderedJson TableJsonOf(const PageTable& each) {
  const ReportTable& table = *each.table;
  OrderedJson json;
  json["name"] = table.name;
  json["title"] = table.title;
  json["definition"] = table.definition;
  json["sample"] = table.sample;
  json["rows"] = table.rows.size();
  json["columns"] = OrderedJson::array();
  for (const TableColumn& column : table.columns) {
    json["columns"].push_back(
        {{"name", column.name}, {"unit", column.unit}, {"text", column.text}});
  }
  json["arrays"] = OrderedJson::array();
  for (const ReportArray& array : table.arrays) {
    json["arrays"].push_back(
        {{"name", array.name}, {"axes", array.axes}, {"text", array.text}, {"shape", array.shape}});
  }
  json["files"] = LinksJson(each.links);
  return json;
}

OrderedJson SectionJson(const PageSection& each) {
  OrderedJson json;
  json["name"] = each.section->name;
  json["title"] = each.section->title;
  json["export"] = each.scene;
  json["findings"] = each.section->findings;
  json["notes"] = each.section->notes;
  json["figures"] = OrderedJson::array();
  for (const PageFigure& figure : each.figures) {
    json["figures"].push_back({{"name", figure.chart->name},
                               {"title", figure.chart->title},
                               {"caption", figure.chart->caption},
                               {"files", LinksJson(figure.links)}});
  }
  json["tables"] = OrderedJson::array();
  for (const PageTable& table : each.tables) json["tables"].push_back(TableJsonOf(table));
  return json;
}

// The last part of a path, which tells what was given but not where it lies; of "." and "a/" too.
std::string NameOf(const std::filesystem::path& path) {
  if (path.empty()) return "";
  const std::filesystem::path whole = std::filesystem::weakly_canonical(path);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

OrderedJson OptionsJson(const ReportOptions& options) {
  OrderedJson json;
  json["only"] = options.only;
  json["preset"] = nullptr;
  if (const ReportPreset* preset = FindReportPreset(options.preset)) {
    json["preset"] = {{"name", preset->name},
                      {"section", preset->section},
                      {"source", preset->source},
                      {"definition", preset->text}};
  }
  json["rows"] = nullptr;  // as many as are usual
  if (options.rows)
    json["rows"] = *options.rows == 0 ? OrderedJson("all") : OrderedJson(*options.rows);
  json["seed"] = options.seed;
  json["matches"] = NameOf(options.matches);
  json["geometry"] = NameOf(options.geometry);
  return json;
}

OrderedJson SceneJson(const ReportSceneJson& scene) {
  const QkDescription& d = *scene.description;
  OrderedJson json;
  json["name"] = scene.name;
  json["title"] = scene.title;
  json["pictures"] = d.frames;
  json["patch_grid"] = {d.W_p, d.H_p};
  json["model"] = d.provenance.model_text;
  json["precision"] = d.provenance.precision;
  json["generator"] = d.provenance.generator;
  json["blocks"] = OrderedJson::object();
  for (const QkBlocks& blocks : d.blocks) {
    json["blocks"][BlockKindName(blocks.kind)] = {{"layers", blocks.layers.size()},
                                                  {"heads", blocks.heads}};
  }
  json["sample"] = scene.sample;
  json["hash"] = scene.hash.value;
  json["bytes"] = scene.hash.bytes;
  return json;
}

}  // namespace

std::string ReportJsonText(const ReportJson& report) {
  OrderedJson json;
  json["format"] = kReportFormat;
  json["format_version"] = kReportVersion;
  json["generator"] = report.options->creator;
  json["options"] = OptionsJson(*report.options);
  json["hash"] = kInputHashText;
  json["exports"] = OrderedJson::array();
  for (const ReportSceneJson& scene : report.scenes) json["exports"].push_back(SceneJson(scene));
  json["sections"] = OrderedJson::array();
  for (const PageSection& section : *report.sections) {
    json["sections"].push_back(SectionJson(section));
  }
  json["files"] = OrderedJson::array();
  for (const ReportFile& file : report.files) {
    json["files"].push_back({{"path", file.path}, {"bytes", file.bytes}});
  }
  return DumpJson(json);
}

std::vector<std::string> FilesInReportJson(const std::filesystem::path& file) {
  const std::string source = file.string();
  const Json json = ReadJsonFile(file);
  if (!json.is_object() || !HasJson(json, "format") ||
      GetJson<std::string>(json, "format", source) != kReportFormat) {
    throw Error("is no report of this program", source);
  }
  if (GetJson<int64_t>(json, "format_version", source) != kReportVersion) {
    throw Error("is a report of another version", source);
  }
  std::vector<std::string> files;
  for (const Json& each : GetJson<std::vector<Json>>(json, "files", source)) {
    files.push_back(GetJson<std::string>(each, "path", source));
  }
  return files;
}

}  // namespace vggt
