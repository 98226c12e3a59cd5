// SPDX-License-Identifier: Apache-2.0
#include "server/numbers_answer.h"

#include <fmt/format.h>

#include "figure/file_name.h"
#include "figure/table.h"
#include "server/answer_form.h"
#include "server/recipe_answer.h"

namespace vggt {
namespace {

// Of CSV, which usually are some 150 MB.
constexpr double kMostLines = 2e6;
constexpr const char* kAskForLess =
    "Ask for fewer `queries` or `frames`, or use 'vggt-attn figure'.";

void CheckLines(double lines) {
  if (lines <= kMostLines) return;
  throw Refusal(400,
                fmt::format("{:.3g} million lines, at most {:.3g} million fit in one answer",
                            lines / 1e6, kMostLines / 1e6),
                "", kAskForLess);
}

void CheckBytes(const Shape& shape) {
  double bytes = sizeof(float);
  for (const int64_t extent : shape) bytes *= static_cast<double>(extent);
  if (bytes <= static_cast<double>(kMostAnswerBytes)) return;
  throw Refusal(400,
                fmt::format("{} of maps, at most {} MiB fit in one answer", HumanBytes(bytes),
                            kMostAnswerBytes >> 20),
                "", kAskForLess);
}

}  // namespace

Response NumbersResponse(const RecipePlan& plan, const std::string& extension,
                         const StopCheck& stop_check, size_t most_csv_bytes) {
  std::string body;
  const PieceSink append = [&](std::string_view piece) { body += piece; };
  const PieceSink append_line = [&](std::string_view piece) {
    if (piece.size() > most_csv_bytes - body.size()) {
      throw Refusal(400,
                    fmt::format("more than {} of CSV do not fit in one answer",
                                HumanBytes(static_cast<double>(most_csv_bytes))),
                    "", kAskForLess);
    }
    append(piece);
  };
  const bool csv = extension == "csv";
  if (csv) {
    CheckLines(TableLineCount(plan));
    WriteTableCsv(plan, append_line, stop_check);
  } else {
    CheckBytes(TableShape(plan));
    WriteTableNpy(plan, append, stop_check);
  }
  return SavedFileResponse(std::move(body),
                           csv ? "text/csv; charset=utf-8" : "application/octet-stream",
                           RecipeFileName(plan, extension));
}

}  // namespace vggt
