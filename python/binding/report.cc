// SPDX-License-Identifier: Apache-2.0
// Numbers about whole models: as tables, and as a report's folder.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "analysis/statistics_cache.h"
#include "attention/request_words.h"
#include "binding/arrays.h"
#include "binding/binding.h"
#include "binding/opened_export.h"
#include "binding/unlocked.h"
#include "report/report_job.h"
#include "server/report_tables.h"

namespace nb = nanobind;
namespace fs = std::filesystem;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

constexpr std::chrono::milliseconds kBetweenUpdates{50};

// Calls update(stage, share), if it is not None, at each stage and now and then. Without Python's
// lock, on one thread.
ReportProgress Saying(const nb::object& update) {
  if (update.is_none()) return {};
  return [&update, before = std::string(), next = std::chrono::steady_clock::time_point()](
             const std::string& stage, double share) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (stage == before && share < 1 && now < next) return;
    before = stage;
    next = now + kBetweenUpdates;
    const nb::gil_scoped_acquire held;
    update(stage, share);
  };
}

// What tables of one export are made of. What was computed once is kept. One thread at a time
// computes; others wait.
class TableMaker {
 public:
  TableMaker(std::shared_ptr<OpenedExport> e, std::optional<int64_t> rows)
      : export_(std::move(e)), sample_(SampleFor(export_->store().description(), rows)) {}

  std::vector<ReportTable> Make(const std::string& name, const nb::object& update) {
    const ReportTableMaker* maker = FindReportTable(name);
    if (maker == nullptr) {
      throw RequestError(RequestError::Kind::kMalformed, "name",
                         "there is no table '" + Printable(name) + "'");
    }
    const ReportProgress progress = Saying(update);
    return Unlocked([&](const StopCheck& stop_check) {
      const std::lock_guard lock(mutex_);
      if (maker->needs_statistics) ComputeLayers(progress, stop_check);
      std::vector<const LayerStatistics*> layers;
      for (const LayerStatistics& layer : layers_) layers.push_back(&layer);
      if (!maker->needs_statistics) layers.clear();
      if (progress) progress(name, 0);
      const QkStore& store = export_->store();
      const auto read_matches = [&] {
        return ReadOwnMatches(export_->described(), store.description());
      };
      std::vector<ReportTable> tables =
          maker->make({store, std::move(layers), sparsity_, stop_check, &matches_, read_matches});
      if (progress) progress(name, 1);
      return tables;
    });
  }

  std::vector<std::string> names() const {
    const bool has_geometry = export_->described().GeometryFolder().has_value();
    std::vector<std::string> names;
    for (const ReportTableMaker& maker : ReportTableMakers()) {
      if (has_geometry || !maker.needs_matches) names.emplace_back(maker.name);
    }
    return names;
  }

  std::string sample() const {
    const QkDescription& d = export_->store().description();
    return SampleText(sample_, d.token_grid(d.blocks.front()));
  }

 private:
  void ComputeLayers(const ReportProgress& progress, const StopCheck& stop_check) {
    const QkDescription& d = export_->store().description();
    size_t count = 0, place = 0;
    for (const QkBlocks& blocks : d.blocks) count += blocks.layers.size();
    for (const QkBlocks& blocks : d.blocks) {
      for (size_t layer = 0; layer < blocks.layers.size(); ++layer, ++place) {
        if (place < layers_.size()) continue;
        if (progress) {
          progress("layers", static_cast<double>(place) / static_cast<double>(count));
        }
        layers_.push_back(StatisticsOf(export_->store(), blocks.kind, layer, sample_, stop_check));
      }
    }
  }

  const std::shared_ptr<const OpenedExport> export_;
  const RowSample sample_;
  std::mutex mutex_;  // for what follows
  std::vector<LayerStatistics> layers_;
  std::vector<LayerSparsity> sparsity_;
  std::optional<MatchBoard> matches_;
};

nb::object ColumnOf(const ReportTable& table, size_t column) {
  const auto count = static_cast<int64_t>(table.rows.size());
  return std::visit(
      [&]<typename T>(std::vector<T> values) -> nb::object {
        if constexpr (std::is_same_v<T, std::string>) {
          return nb::cast(values);
        } else {
          return nb::cast(ArrayOf(std::move(values), {count}));
        }
      },
      ValuesOf(table, column));
}

nb::dict SaveReport(const std::vector<fs::path>& exports, const fs::path& out, bool overwrite,
                    const std::vector<std::string>& only, const std::string& preset,
                    std::optional<int64_t> rows, uint64_t seed,
                    const std::optional<fs::path>& matches, const std::optional<fs::path>& geometry,
                    const nb::object& update) {
  const ReportOptions options = {.exports = exports,
                                 .out = out,
                                 .overwrite = overwrite,
                                 .only = only,
                                 .preset = preset,
                                 .rows = rows,
                                 .seed = seed,
                                 .matches = matches.value_or(""),
                                 .geometry = geometry.value_or(""),
                                 .creator = "vggt-attn " VGGT_VERSION};
  const ReportProgress progress = Saying(update);
  const ReportSummary summary = Unlocked(
      [&](const StopCheck& stop_check) { return MakeReport(options, progress, stop_check); });
  nb::dict facts;
  facts["out"] = summary.out;
  facts["figures"] = summary.figures;
  facts["tables"] = summary.tables;
  facts["bytes"] = summary.bytes;
  facts["notes"] = summary.notes;
  facts["seconds"] = summary.seconds;
  return facts;
}

}  // namespace

void BindReport(nb::module_& module) {
  nb::class_<TableColumn>(module, "TableColumn", "What a column of a table is.")
      .def_ro("name", &TableColumn::name)
      .def_ro("unit", &TableColumn::unit, "'nats'; '' for names and numbers of things.")
      .def_ro("text", &TableColumn::text, "What it is, in a sentence.");
  nb::class_<ReportArray>(module, "ReportArray")
      .def_ro("name", &ReportArray::name)
      .def_ro("axes", &ReportArray::axes)
      .def_ro("text", &ReportArray::text)
      .def("values", [](const ReportArray& a) { return ArrayOf(a.values, a.shape); });
  nb::class_<ReportTable>(module, "ReportTable")
      .def_ro("name", &ReportTable::name)
      .def_ro("title", &ReportTable::title)
      .def_ro("definition", &ReportTable::definition)
      .def_ro("sample", &ReportTable::sample)
      .def_ro("columns", &ReportTable::columns)
      .def_ro("arrays", &ReportTable::arrays)
      .def("column", ColumnOf, "column"_a,
           nb::sig("def column(self, column: int) -> list[str] | "
                   "numpy.typing.NDArray[numpy.int64] | numpy.typing.NDArray[numpy.float64]"))
      .def("csv", TableCsv, "The table as vggt-attn report writes it.");
  nb::class_<TableMaker>(module, "TableMaker")
      .def(nb::init<std::shared_ptr<OpenedExport>, std::optional<int64_t>>(), "export"_a,
           "rows"_a.none())
      .def("make", &TableMaker::Make, "name"_a, "update"_a.none(),
           nb::sig("def make(self, name: str, update: collections.abc.Callable[[str, float], "
                   "object] | None) -> list[ReportTable]"))
      .def_prop_ro("names", &TableMaker::names,
                   "Those of all tables but the ones that need geometry, where there is none.")
      .def_prop_ro("sample", &TableMaker::sample);
  module.def("table_names", [] {
    std::vector<std::string> names;
    for (const ReportTableMaker& maker : ReportTableMakers()) names.emplace_back(maker.name);
    return names;
  });
  module.def(
      "save_report", SaveReport, "exports"_a, "out"_a, "overwrite"_a, "only"_a, "preset"_a,
      "rows"_a.none(), "seed"_a, "matches"_a.none(), "geometry"_a.none(), "update"_a.none(),
      nb::sig("def save_report(exports: collections.abc.Sequence[pathlib.Path], "
              "out: pathlib.Path, overwrite: bool, only: collections.abc.Sequence[str], "
              "preset: str, rows: int | None, seed: int, matches: pathlib.Path | None, "
              "geometry: pathlib.Path | None, update: collections.abc.Callable[[str, float], "
              "object] | None) -> dict[str, object]"));
}

}  // namespace vggt::python
