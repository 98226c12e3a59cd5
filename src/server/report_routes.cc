// SPDX-License-Identifier: Apache-2.0
#include "server/report_routes.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/head_similarity.h"
#include "attention/request_words.h"
#include "formats/npy.h"
#include "server/answer_form.h"
#include "server/recipe_answer.h"
#include "server/report_answer.h"

namespace vggt {
namespace {

constexpr size_t kMostKept = 6;  // all of one export

// Why nothing can be computed about an export: a state of heads.json and a sentence; nothing of
// one that has a store.
std::optional<Refusal> WhyNot(const OpenedExport& opened) {
  if (opened.rows != nullptr) return std::nullopt;
  const std::optional<ExportStore>& store = opened.described.store;
  if (store && !store->error.empty()) {
    return Refusal(422, "its queries and keys cannot be read: " + store->error, opened.id);
  }
  return Refusal(404, "this export has no queries and keys to compute attention from", opened.id,
                 "Export with --save_qk to have them.");
}

const QkStore& StoreOf(const OpenedExport& opened) {
  if (const auto why = WhyNot(opened)) throw Refusal(*why);
  return opened.rows->store();
}

void CheckParams(const Request& request, std::vector<std::string_view> known) {
  known.emplace_back("export");
  CheckNames(request.params, known);
}

// The layer and, if `with_head`, the head that the parameters block, layer and head name. All of
// them may be left out, as for exact attention.
HeadRef ParseHead(const Request& request, const QkDescription& description, bool with_head) {
  RequestWords words;
  words.block = ParamValue(request.params, "block");
  words.layers = ParamValue(request.params, "layer");
  words.heads = with_head ? ParamValue(request.params, "head").value_or("1") : "1";
  words.row = words.col = "0";
  try {
    const AttentionRequest asked = ParseRequest(words, description);
    if (asked.layers.size() != 1) throw Refusal(400, "one layer is answered at a time", "layer");
    if (asked.heads.size() != 1 || asked.reduction != HeadReduction::kNone) {
      throw Refusal(400, "one head is answered at a time", "head");
    }
    return {asked.kind, asked.layers[0], asked.heads[0]};
  } catch (const RequestError& error) {
    const std::string& field = error.field();
    throw RequestError(error.kind(),
                       field == "layers"  ? "layer"
                       : field == "heads" ? "head"
                                          : field,
                       error.problem(), error.hint());
  }
}

Response ArrayResponse(const ReportTable& table, const std::string& name) {
  const auto found = std::ranges::find(table.arrays, name, &ReportArray::name);
  if (found == table.arrays.end()) {
    std::string names;
    for (const ReportArray& array : table.arrays) {
      names += (names.empty() ? "" : ", ") + array.name;
    }
    throw Refusal(404, fmt::format("the table has no array '{}'", Printable(name)), table.name,
                  names.empty() ? "It has none." : fmt::format("It has {}.", names));
  }
  const size_t bytes = found->values.size() * sizeof(float);
  if (bytes > kMostAnswerBytes) {
    throw Refusal(400,
                  fmt::format("{} of values, at most {} MiB fit in one answer",
                              HumanBytes(static_cast<double>(bytes)), kMostAnswerBytes >> 20),
                  "", "Use 'vggt-attn report'.");
  }
  std::string body = NpyHeader("<f4", found->shape);
  body.append(reinterpret_cast<const char*>(found->values.data()), bytes);
  return NpyResponse(std::move(body));
}

}  // namespace

Response ReportRoutes::Heads(const Request& request, const Opened& opened) {
  CheckParams(request, {});
  OrderedJson json = {{"export", opened->id}};
  if (const auto why = WhyNot(*opened)) {
    json.update(NoHeadsJson(why->status() == 404 ? "none" : "failed",
                            why->problem() + (why->hint().empty() ? "" : ". " + why->hint())));
  } else {
    json.update(HeadsJson(worker_.StateOf(opened), opened->rows->store().description(),
                          !GeometryVersion(opened->described).empty()));
  }
  return JsonResponse(json);
}

Response ReportRoutes::FrameMass(const Request& request, const Opened& opened,
                                 const StopCheck& stop_check) {
  CheckParams(request, {"block", "layer"});
  const HeadRef asked = ParseHead(request, StoreOf(*opened).description(), false);
  const ReportLayer layer = worker_.Await(opened, asked.kind, asked.layer, stop_check);
  if (layer.statistics == nullptr) throw Refusal(422, layer.error, opened->id);
  return NpyResponse(FrameMassNpy(*layer.statistics));
}

Response ReportRoutes::Similar(const Request& request, const Opened& opened,
                               const StopCheck& stop_check) {
  CheckParams(request, {"block", "layer", "head"});
  const QkStore& store = StoreOf(*opened);
  const HeadRef asked = ParseHead(request, store.description(), true);
  std::vector<HeadDistance> found;
  lanes_.Run(
      Lane::kLong, [&] { found = SimilarHeads(store, asked, stop_check); }, stop_check);
  const QkBlocks& blocks = BlocksOf(store.description(), asked.kind);
  OrderedJson json = {{"export", opened->id}};
  json.update(SimilarJson(found, blocks, store.description().token_grid(blocks)));
  return JsonResponse(json);
}

ReportRoutes::Tables ReportRoutes::Kept(const ReportTableMaker& maker, const Opened& opened,
                                        const std::string& version) {
  const std::lock_guard lock(mutex_);
  const auto kept = std::ranges::find_if(kept_, [&](const KeptTables& other) {
    return other.make == maker.make && other.id == opened->id && other.version == version;
  });
  return kept == kept_.end() ? nullptr : kept->tables;
}

ReportRoutes::Tables ReportRoutes::Made(const ReportTableMaker& maker, const Opened& opened,
                                        const StopCheck& stop_check) {
  const QkStore& store = StoreOf(*opened);
  // Tables of geometry are others once that is another.
  const std::string version =
      opened->version + (maker.needs_matches ? " " + GeometryVersion(opened->described) : "");
  if (Tables kept = Kept(maker, opened, version)) return kept;
  ReportState state;
  if (maker.needs_statistics) state = worker_.AwaitAll(opened, stop_check);
  std::string left_out;
  std::vector<const LayerStatistics*> layers;
  for (const ReportLayer& layer : state.layers) {
    if (layer.statistics != nullptr) {
      layers.push_back(layer.statistics.get());
    } else {
      const QkBlocks& blocks = BlocksOf(store.description(), layer.kind);
      left_out += fmt::format("{}{} {}", left_out.empty() ? "" : ", ", BlockKindName(layer.kind),
                              LayerName(blocks.layers[layer.layer].index));
    }
  }
  Tables tables;
  const auto make = [&] {
    CheckStop(stop_check);
    tables = Kept(maker, opened, version);  // somebody may have waited for the same
    if (tables != nullptr) return;
    TableSource source{store, layers, sparsity_.Of(opened->id, opened->version), stop_check};
    if (maker.needs_matches) {
      source.matches = &matches_.Of(opened->id, version);
      source.read_matches = [&] { return ReadOwnMatches(opened->described, store.description()); };
    }
    tables = std::make_shared<const MadeTables>(MadeTables{maker.make(source), left_out});
    const std::lock_guard lock(mutex_);
    kept_.push_front({opened->id, version, maker.make, tables});
    if (kept_.size() > kMostKept) kept_.pop_back();
  };
  lanes_.Run(Lane::kLong, make, stop_check);
  return tables;
}

// `name`: "TABLE.json", "TABLE.csv" or "TABLE/ARRAY.npy". An answer that lacks layers says so in a
// header, because rows and arrays have no place for what is not there.
Response ReportRoutes::Table(const Request& request, const std::string& name, const Opened& opened,
                             const StopCheck& stop_check) {
  const size_t end = std::min(name.find_first_of("/."), name.size());
  const ReportTableMaker* maker = FindReportTable(std::string_view(name).substr(0, end));
  const std::string rest = name.substr(end);
  const bool array = rest.starts_with('/') && rest.ends_with(".npy");
  if (maker == nullptr || (rest != ".json" && rest != ".csv" && !array)) {
    throw Refusal(404, "there is no such address", request.path);
  }
  CheckParams(request, {});
  const Tables made = Made(*maker, opened, stop_check);
  const auto table = std::ranges::find(made->tables, maker->name, &ReportTable::name);
  if (table == made->tables.end()) {
    throw Refusal(404, "this export's queries and keys do not tell enough for that table",
                  maker->name, "An export made by this version has it.");
  }
  Response response;
  if (array) {
    response = ArrayResponse(*table, rest.substr(1, rest.size() - 5));
  } else if (rest == ".csv") {
    if (table->columns.empty()) {
      throw Refusal(404, "the table has arrays alone", table->name,
                    fmt::format("{}.json has their names.", table->name));
    }
    response = SavedFileResponse(TableCsv(*table), "text/csv; charset=utf-8",
                                 fmt::format("{}_{}.csv", opened->name, table->name));
  } else {
    response = {200, "application/json", TableJson(*table) + "\n", {{"Cache-Control", "no-store"}}};
  }
  if (!made->left_out.empty()) response.headers.emplace_back("X-Left-Out", made->left_out);
  return response;
}

Response ReportRoutes::Answer(const Request& request, const Opened& opened,
                              const StopCheck& stop_check) {
  const std::string name = request.path.substr(std::string_view(kBegin).size());
  if (name == "heads.json") return Heads(request, opened);
  if (name == "frames.npy") return FrameMass(request, opened, stop_check);
  if (name == "similar.json") return Similar(request, opened, stop_check);
  return Table(request, name, opened, stop_check);
}

}  // namespace vggt
