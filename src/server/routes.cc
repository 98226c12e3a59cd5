// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <tuple>

#include "attention/request_words.h"
#include "figure/recipe_maps.h"
#include "figure/table.h"
#include "server/answer_form.h"
#include "server/assets.h"
#include "server/export_json.h"
#include "server/geometry_answer.h"
#include "server/map_answer.h"
#include "server/message.h"
#include "server/numbers_answer.h"
#include "server/picture_file.h"
#include "server/recipe_answer.h"
#include "server/row_answer.h"
#include "server/row_stats.h"

namespace vggt {
namespace {

constexpr const char* kFrames = "/api/frames/";
constexpr const char* kFigure = "/api/figure.";
constexpr const char* kNumbers = "/api/numbers.";
constexpr const char* kRecipe = "/api/recipe.json";
constexpr int64_t kMostFrames = 1'000'000;

// Products (AttentionRows::Products) that one thread computes sooner than it wakes others: a tenth
// of a millisecond.
constexpr double kInstantProducts = 3e4;
// Those that are computed before anybody notices: a tenth of a second of two processors.
constexpr double kQuickProducts = 1e8;
// The same of lines of a table.
constexpr double kQuickLines = 1e5;

Response ErrorResponse(int status, const Error& error) {
  Response response = JsonResponse({{"error",
                                     {{"what", PrintableText(error.problem())},
                                      {"where", PrintableText(error.where())},
                                      {"hint", PrintableText(error.hint())}}}},
                                   status);
  if (status == 503) response.headers.emplace_back("Retry-After", "5");
  return response;
}

Response RequestErrorResponse(const RequestError& error) {
  if (error.kind() == RequestError::Kind::kPlace) {
    return ErrorResponse(
        400, Error(error.problem(), "", "Give one of row and col, rows and cols, cells, token."));
  }
  return ErrorResponse(error.kind() == RequestError::Kind::kNotThere ? 404 : 400, error);
}

// Ends an answer that nobody waits for, or that takes longer than anybody should.
StopCheck StopCheckOf(const Request& request, std::chrono::milliseconds answer_time) {
  const auto end = std::chrono::steady_clock::now() + answer_time;
  return [abandoned = request.abandoned, end, answer_time] {
    if (abandoned && *abandoned) throw Refusal(503, "nobody waits for this answer any more");
    if (std::chrono::steady_clock::now() < end) return;
    throw Refusal(
        503,
        fmt::format("the answer was not computed within {:g} s",
                    std::chrono::duration<double>(answer_time).count()),
        "",
        "Ask for fewer layers, heads or patches at a time. What incoming attention needs of whole "
        "heads is kept: asked again, it gets further.");
  };
}

Response AssetResponse(const Asset& asset, const std::string& if_none_match) {
  Response response;
  response.headers = {{"ETag", std::string(asset.etag)}, {"Cache-Control", "no-cache"}};
  if (EtagMatches(if_none_match, std::string(asset.etag))) {
    response.status = 304;
  } else {
    response.content_type = asset.content_type;
    response.body.assign(asset.bytes.begin(), asset.bytes.end());
  }
  return response;
}

// What `answer` returns; if it throws, the error as an answer.
template <typename Body>
Response Guarded(const Body& answer) {
  try {
    return answer();
  } catch (const Refusal& refusal) {
    return ErrorResponse(refusal.status(), refusal);
  } catch (const RequestError& error) {
    return RequestErrorResponse(error);
  } catch (const OutsideRoot& error) {
    return ErrorResponse(403, error);
  } catch (const MissingFile& error) {
    return ErrorResponse(404, error);
  } catch (const Error& error) {
    return ErrorResponse(422, error);
  } catch (const std::bad_alloc&) {
    return ErrorResponse(500, Error("not enough memory for this answer"));
  } catch (const std::exception& error) {
    return ErrorResponse(500, Error(error.what()));
  }
}

Response FrameResponse(const Request& request, const Export& described) {
  const std::string text = request.path.substr(std::string_view(kFrames).size());
  const int64_t frame = ParseNumber(text, {"frame", 0, kMostFrames}, "frame");
  if (frame >= described.frames.frames) {
    throw Refusal(404, fmt::format("the export has no frame {}", frame), "",
                  fmt::format("Its frames are 0 to {}.", described.frames.frames - 1));
  }
  return PictureResponse(described.ImagePath(static_cast<size_t>(frame)), request.if_none_match);
}

// Which export the answer is about, before what it says.
Response NamedJsonResponse(const OpenedExport& opened, const OrderedJson& told) {
  OrderedJson json = {{"export", opened.id}};
  json.update(told);
  return JsonResponse(json);
}

}  // namespace

// Exact attention, computed from the export's store.
Response Routes::Rows(const Request& request, const OpenedExport& opened, bool as_json) const {
  if (opened.rows == nullptr) {
    const std::optional<ExportStore>& store = opened.described.store;
    if (store && !store->error.empty()) {
      throw Refusal(422, "its queries and keys cannot be read: " + store->error, opened.id);
    }
    throw Refusal(404, "this export has no queries and keys to compute attention from", opened.id,
                  "Export with --save_qk to have them.");
  }
  const QkDescription& description = opened.rows->store().description();
  const AttentionRequest asked = ParseRowRequest(request.params, description);
  const double products = opened.rows->Products(asked);
  CheckCost(products, threads_);
  const StopCheck stop_check = StopCheckOf(request, answer_time_);
  const bool with_stats = AsksForStats(request.params);
  if (with_stats && as_json) {
    throw Refusal(400, "they come with /api/maps.npy alone", "stats");
  }
  AttentionAnswer answer;
  RowStats stats;
  const auto compute = [&] {
    if (with_stats) {
      std::tie(answer, stats) = RowsWithStats(*opened.rows, asked, stop_check);
    } else {
      answer = opened.rows->Answer(asked, stop_check);
    }
  };
  if (products <= kInstantProducts) {
    compute();
  } else {
    lanes_.Run(products > kQuickProducts ? Lane::kLong : Lane::kQuick, compute, stop_check);
  }
  if (as_json) return NamedJsonResponse(opened, RowsJson(asked, description, answer));
  std::string body = RowsNpy(asked, description, answer);
  if (with_stats) AppendStats(stats, answer.shape, body);
  Response response = NpyResponse(std::move(body));
  response.headers.emplace_back("X-Definition", InfoOf(asked.definition).name);
  return response;
}

// Stored maps. With a definition, exact attention is asked for instead.
Response Routes::Maps(const Request& request, const OpenedExport& opened, bool as_json) const {
  const auto begin = std::chrono::steady_clock::now();
  Response response;
  if (ParamValue(request.params, "definition")) {
    response = Rows(request, opened, as_json);
  } else {
    const MapReader& maps = opened.maps;
    if (maps.layers().empty()) throw MissingFile("holds queries and keys, but no stored maps");
    const MapRequest asked = ParseMapRequest(request.params, maps.layers());
    response = as_json ? NamedJsonResponse(opened, MapsJson(asked, maps))
                       : NpyResponse(MapsNpy(asked, maps));
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  response.headers.emplace_back("Server-Timing", fmt::format("maps;dur={:.3f}", took.count()));
  return response;
}

// A figure or the numbers of a recipe, and which layers of its view are not in them; or the recipe.
// A figure is drawn for seconds, and large tables are written for as long, so that they never wait,
// nor let others wait, among quick answers.
Response Routes::Made(const Request& request, const OpenedExport& opened) const {
  const OpenedRecipe recipe(request.params, opened, catalog_);
  const RecipePlan& plan = recipe.plan();
  if (request.path == kRecipe) return RecipeResponse(plan, opened, recipe.b());
  const double products = RecipeProducts(plan);
  CheckCost(products, threads_);
  const StopCheck stop_check = StopCheckOf(request, answer_time_);
  const std::string extension = request.path.substr(request.path.rfind('.') + 1);
  const bool figure = request.path.starts_with(kFigure);
  const bool quick = !figure && products <= kQuickProducts && TableLineCount(plan) <= kQuickLines;
  Response response;
  const auto make = [&] {
    response = figure ? FigureResponse(plan, extension, stop_check)
                      : NumbersResponse(plan, extension, stop_check);
  };
  lanes_.Run(quick ? Lane::kQuick : Lane::kLong, make, stop_check);
  const std::vector<int64_t> left_out = LeftOutLayers(plan);
  if (!left_out.empty()) {
    response.headers.emplace_back("X-Left-Out", fmt::format("{}", fmt::join(left_out, ",")));
  }
  if (recipe.b() != nullptr) {
    response.headers.emplace_back("X-Other-Version", recipe.b()->version);
  }
  return response;
}

// Pictures and depth maps are read for it, so that it never lets quick answers wait.
Response Routes::Geometry(const Request& request,
                          const std::shared_ptr<const OpenedExport>& opened) const {
  const StopCheck stop_check = StopCheckOf(request, answer_time_);
  Response response;
  const auto answer = [&] { response = geometry_.Answer(request, opened, stop_check); };
  lanes_.Run(Lane::kLong, answer, stop_check);
  return response;
}

std::shared_ptr<const OpenedExport> Routes::Open(const Request& request) const {
  if (!request.content_type.starts_with("application/json")) {
    throw Refusal(415, "the body must be of the type application/json");
  }
  std::string path;
  try {
    path = GetJson<std::string>(ParseJson(request.body, "body"), "path", "body");
  } catch (const Error& error) {
    throw Refusal(400, error.problem(), error.where(), R"(Send {"path": "…"}.)");
  }
  return catalog_.Open(path);
}

Response Routes::AnswerAbout(const Request& request, const OpenedExport& opened) const {
  const std::string& path = request.path;
  if (path.starts_with(kFrames)) return FrameResponse(request, opened.described);
  if (path.starts_with(kFigure) || path.starts_with(kNumbers) || path == kRecipe) {
    return Made(request, opened);
  }
  if (path == "/api/maps.npy" || path == "/api/maps.json") {
    return Maps(request, opened, path == "/api/maps.json");
  }
  return JsonResponse(ExportJson(opened));
}

Response Routes::AnswerApi(const Request& request) const {
  const std::string& path = request.path;
  const std::string wanted = path == "/api/open" ? "POST" : "GET";
  const bool known =
      path == "/api/open" || path == "/api/export" || path == "/api/exports" ||
      path == "/api/maps.npy" || path == "/api/maps.json" || path == "/api/figure.png" ||
      path == "/api/figure.svg" || path == "/api/figure.pdf" || path == "/api/numbers.csv" ||
      path == "/api/numbers.npy" || path == kRecipe || path.starts_with(kFrames) ||
      path.starts_with(ReportRoutes::kBegin) || path.starts_with(GeometryAnswers::kBegin);
  if (!known) throw Refusal(404, "there is no such address", path);
  if (request.method != wanted) {
    throw Refusal(405, fmt::format("only {} is answered here", wanted), path);
  }
  if (path == "/api/exports") {
    return JsonResponse(ExportListJson(catalog_.List(), catalog_.root()));
  }
  const auto opened = path == "/api/open"
                          ? Open(request)
                          : catalog_.Get(ParamValue(request.params, "export").value_or(""));
  Response response = Guarded([&] {
    if (path.starts_with(GeometryAnswers::kBegin)) return Geometry(request, opened);
    if (!path.starts_with(ReportRoutes::kBegin)) return AnswerAbout(request, *opened);
    return reports_.Answer(request, opened, StopCheckOf(request, answer_time_));
  });
  response.headers.emplace_back("X-Export", PercentEncoded(opened->id));
  response.headers.emplace_back("X-Export-Version", opened->version);
  const std::string geometry = GeometryVersion(opened->described);
  response.headers.emplace_back("X-Geometry-Version", geometry.empty() ? "none" : geometry);
  return response;
}

Response Routes::Answer(const Request& request) const {
  const bool is_api = request.path.starts_with("/api/");
  CheckAccess(access_, request, !is_api);
  if (is_api) return AnswerApi(request);
  const Asset* asset = FindAsset(request.path);
  if (asset == nullptr) throw Refusal(404, "there is no such address", request.path);
  if (request.method != "GET") throw Refusal(405, "only GET is answered here", request.path);
  return AssetResponse(*asset, request.if_none_match);
}

Response Routes::Handle(const Request& request) const {
  return Guarded([&] {
    if (base_url_.empty() || !request.path.starts_with(base_url_)) return Answer(request);
    Request inside = request;
    inside.path.erase(0, base_url_.size());
    if (inside.path.starts_with("/")) return Answer(inside);
    if (!inside.path.empty()) return Answer(request);  // "/proxy/78601"
    CheckAccess(access_, request, true);
    // The page's relative addresses count from a folder.
    return Response{308, "text/plain", "", {{"Location", base_url_ + "/"}}};
  });
}

}  // namespace vggt
