// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>

#include "cli/command.h"
#include "cli/flag_names.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "core/parallel.h"
#include "formats/json.h"
#include "report/presets.h"
#include "report/report_job.h"
#include "report/sections.h"

namespace vggt {
namespace {

struct ReportFlags {
  std::vector<std::string> exports;
  std::string out, only, preset, rows, matches, geometry;
  uint64_t seed = 1;
  int64_t threads = 0;  // 0: not given
  bool overwrite = false, quiet = false, json = false;
};

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

std::vector<std::string> SectionNames() {
  std::vector<std::string> names;
  for (const SectionInfo& info : ReportSections()) names.emplace_back(info.name);
  return names;
}

std::vector<std::string> PresetNames() {
  std::vector<std::string> names;
  for (const ReportPreset& preset : ReportPresets()) names.emplace_back(preset.name);
  return names;
}

// Says what is wrong with a word that has to be one of `names`, and which was probably meant.
std::string NotAmong(const std::string& word, const std::vector<std::string>& names) {
  if (std::ranges::count(names, word) > 0) return "";
  const std::string near = Nearest(word, names);
  return near.empty()
             ? fmt::format("'{}' is none of {}", Printable(word), fmt::join(names, ", "))
             : fmt::format("'{}' is no name of one; did you mean {}?", Printable(word), near);
}

std::string SectionList(const std::string& text) {
  const std::vector<std::string> words = SplitAtCommas(text);
  if (words.empty()) return "names no section";
  for (const std::string& word : words) {
    const std::string problem = NotAmong(word, SectionNames());
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string PresetName(const std::string& text) { return NotAmong(text, PresetNames()); }

std::string RowsValue(const std::string& text) {
  if (text == "all" || WholeNumber(1, 1'000'000)(text).empty()) return "";
  return fmt::format("'{}' is neither a whole number from 1 to 1000000 nor 'all'", Printable(text));
}

ReportOptions ToReportOptions(const ReportFlags& flags) {
  ReportOptions options;
  options.exports.assign(flags.exports.begin(), flags.exports.end());
  options.out = flags.out;
  options.overwrite = flags.overwrite;
  options.only = SplitAtCommas(flags.only);
  options.preset = flags.preset;
  if (!flags.rows.empty()) options.rows = flags.rows == "all" ? 0 : std::stoll(flags.rows);
  options.seed = flags.seed;
  options.matches = flags.matches;
  options.geometry = flags.geometry;
  options.creator = "vggt-attn " VGGT_VERSION;
  return options;
}

OrderedJson ReportToJson(const ReportSummary& summary) {
  OrderedJson json;
  json["out"] = summary.out.string();
  json["exports"] = summary.scenes;
  json["sections"] = summary.sections;
  json["figures"] = summary.figures;
  json["tables"] = summary.tables;
  json["bytes_written"] = summary.bytes;
  json["notes"] = OrderedJson::array();
  for (const std::string& note : summary.notes) json["notes"].push_back(WithFlagNames(note));
  json["seconds"] = summary.seconds;
  return json;
}

void CheckReportFlags(const ReportFlags& flags) {
  if (!flags.matches.empty() && !flags.geometry.empty()) {
    throw WrongUsage("cannot be given together with --geometry", "--matches", "Give one of them.");
  }
}

int RunReport(const ReportFlags& flags) {
  CheckReportFlags(flags);
  if (flags.threads > 0) SetThreadCount(static_cast<int>(flags.threads));
  CatchInterrupts();
  for (const std::string& path : flags.exports) NoteRecovery(path);
  NoteRecovery(flags.out);
  ProgressDisplay display(flags.quiet);
  std::string stage;
  const auto progress = [&](const std::string& now, double share) {
    if (now != stage) {
      stage = now;
      display.Begin(stage);
    }
    display.Update(share, "");
  };
  const ReportSummary summary = MakeReport(ToReportOptions(flags), progress, ThrowIfInterrupted);
  display.End();
  for (const std::string& note : summary.notes) display.Note(note);
  if (flags.json) {
    fmt::print("{}", DumpJson(ReportToJson(summary)));
  } else if (!flags.quiet) {
    fmt::print("wrote {}: {} figure{} and {} table{}, {}, in {}; open {}\n",
               PrintableText(flags.out), summary.figures, summary.figures == 1 ? "" : "s",
               summary.tables, summary.tables == 1 ? "" : "s",
               HumanBytes(static_cast<double>(summary.bytes)), HumanSeconds(summary.seconds),
               PrintableText((summary.out / "index.html").string()));
  }
  return 0;
}

// A line for each section, or each preset.
std::string ReportChoices() {
  std::string text = "Sections (those in brackets only if they are asked for):\n";
  for (const SectionInfo& info : ReportSections()) {
    const std::string name = info.usual ? info.name : fmt::format("({})", info.name);
    text += fmt::format("  {:<14} {}\n", name, info.about);
  }
  text += "Presets:\n";
  for (const ReportPreset& preset : ReportPresets()) {
    text += fmt::format("  {:<14} {}: {}\n", preset.name, preset.section, preset.source);
  }
  return text;
}

}  // namespace

std::function<int()> DeclareReport(CLI::App& app) {
  auto flags = std::make_shared<ReportFlags>();
  app.add_option("export", flags->exports,
                 "exports with queries and keys (export --save_qk); of several\n"
                 "there is one table over all, too")
      ->check(SomeText())
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->required();
  app.add_option("--out", flags->out, "folder to write the report to")
      ->type_name("DIR")
      ->check(SomeText())
      ->required();
  app.add_option("--only", flags->only, "only these sections, separated by commas (below)")
      ->type_name("LIST")
      ->check(SectionList);
  app.add_option("--preset", flags->preset, "a published definition (below)")
      ->type_name("NAME")
      ->check(PresetName);
  app.add_option("--rows", flags->rows,
                 "patches of each picture that numbers are taken of: a number,\n"
                 "evenly spaced, or all; for layers and heads [all, or as many as\n"
                 "take 2·10¹² multiply-adds, and for other parts as many as fit\n"
                 "them: each says how many]")
      ->type_name("N")
      ->check(RowsValue);
  app.add_option("--matches", flags->matches,
                 "known matches between the pictures: pairs of points, as .npz\nor .csv")
      ->type_name("FILE")
      ->check(SomeText());
  app.add_option("--geometry", flags->geometry,
                 "known cameras and depth: a cameras.json, its folder, a COLMAP\n"
                 "model or a scan (pose/, depth/, intrinsic/) [the export's own]")
      ->type_name("PATH")
      ->check(SomeText());
  app.add_option("--seed", flags->seed, "of whatever is drawn at random")
      ->type_name("N")
      ->check(WholeNumber(0, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--threads", flags->threads, "threads to compute with [all processors]")
      ->type_name("N")
      ->check(WholeNumber(1, 1024));
  app.add_flag("--overwrite", flags->overwrite, "replace an existing report");
  app.add_flag("--quiet", flags->quiet, "print nothing but errors (and --json)");
  app.add_flag("--json", flags->json, "print one JSON object about what was made on stdout");
  app.footer("");  // not the program's own
  app.footer([] {
    return "Example:\n"
           "  vggt-attn export --image_set_name demo --num_images 6 --save_qk\n"
           "  vggt-attn report attn_first2all_demo --out report\n"
           "writes report/index.html, a page that needs no network, with figures as SVG, PDF and\n"
           "PNG in report/figures/ and numbers as CSV and NPZ in report/data/.\n\n" +
           ReportChoices();
  });
  return [flags] { return RunReport(*flags); };
}

}  // namespace vggt
