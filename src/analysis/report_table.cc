// SPDX-License-Identifier: Apache-2.0
#include "analysis/report_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/block_kind.h"
#include "core/bytes.h"
#include "formats/csv.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/zip_writer.h"

namespace vggt {
namespace {

std::string CsvCell(const TableCell& cell) {
  if (const auto* number = std::get_if<int64_t>(&cell)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&cell)) {
    return std::isfinite(*number) ? fmt::format("{:.9g}", *number) : "";
  }
  const auto* text = std::get_if<std::string>(&cell);
  return text == nullptr ? "" : CsvName(*text);
}

Json JsonCell(const TableCell& cell) {
  if (const auto* number = std::get_if<int64_t>(&cell)) return *number;
  if (const auto* number = std::get_if<double>(&cell)) {
    return std::isfinite(*number) ? Json(*number) : Json();
  }
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return {};
}

// The code points of UTF-8; what is no UTF-8 becomes U+FFFD.
std::u32string CodePoints(const std::string& text) {
  std::u32string points;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    auto point = static_cast<char32_t>(length == 1 ? lead : lead & (0x7F >> length));
    bool whole = i + length <= text.size() && !(lead >= 0x80 && lead < 0xC0);
    for (size_t j = 1; whole && j < length; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      whole = (next & 0xC0) == 0x80;
      point = point << 6 | (next & 0x3F);
    }
    points.push_back(whole ? point : U'\uFFFD');
    i += whole ? length : 1;
  }
  return points;
}

// An entry of an .npz and its values.
struct Entry {
  std::string name, header;
  std::vector<uint8_t> data;
};

template <typename T>
std::vector<uint8_t> BytesOfValues(const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

Entry ColumnEntry(const ReportTable& table, size_t column) {
  const auto count = static_cast<int64_t>(table.rows.size());
  const auto entry = [&](const std::string& descr, std::vector<uint8_t> data) {
    return Entry{table.columns[column].name, NpyHeader(descr, {count}), std::move(data)};
  };
  const ColumnValues column_values = ValuesOf(table, column);
  if (const auto* whole = std::get_if<std::vector<int64_t>>(&column_values)) {
    return entry("<i8", BytesOfValues(*whole));
  }
  if (const auto* numbers = std::get_if<std::vector<double>>(&column_values)) {
    return entry("<f8", BytesOfValues(*numbers));
  }
  std::vector<std::u32string> points;
  size_t longest = 1;  // NumPy knows no empty texts
  for (const std::string& text : std::get<std::vector<std::string>>(column_values)) {
    points.push_back(CodePoints(text));
    longest = std::max(longest, points.back().size());
  }
  std::vector<uint32_t> values(points.size() * longest);
  for (size_t i = 0; i < points.size(); ++i) {
    std::copy(points[i].begin(), points[i].end(), values.begin() + std::ptrdiff_t(i * longest));
  }
  return entry(fmt::format("<U{}", longest), BytesOfValues(values));
}

}  // namespace

std::vector<TableColumn> HeadColumns() {
  return {{"block", "", "kind of block"},
          {"layer", "", "from 1"},
          {"layer_index", "", "from 0"},
          {"head", "", "from 1"},
          {"head_index", "", "from 0"}};
}

std::vector<TableCell> HeadCells(int64_t layer, int64_t head) {
  return {std::string(BlockKindName(BlockKind::kGlobal)), layer + 1, layer, head + 1, head};
}

ColumnValues ValuesOf(const ReportTable& table, size_t column) {
  bool texts = false, whole = true;
  for (const std::vector<TableCell>& row : table.rows) {
    texts |= std::holds_alternative<std::string>(row[column]);
    whole &= std::holds_alternative<int64_t>(row[column]);
  }
  if (texts) {
    std::vector<std::string> values;
    for (const std::vector<TableCell>& row : table.rows) {
      const auto* text = std::get_if<std::string>(&row[column]);
      values.push_back(text != nullptr ? *text : CsvCell(row[column]));
    }
    return values;
  }
  if (whole) {
    std::vector<int64_t> values;
    for (const auto& row : table.rows) values.push_back(std::get<int64_t>(row[column]));
    return values;
  }
  std::vector<double> values;
  for (const auto& row : table.rows) {
    double value = std::numeric_limits<double>::quiet_NaN();
    if (const auto* number = std::get_if<double>(&row[column])) {
      if (std::isfinite(*number)) value = *number;
    }
    if (const auto* number = std::get_if<int64_t>(&row[column])) {
      value = static_cast<double>(*number);
    }
    values.push_back(value);
  }
  return values;
}

std::string TableCsv(const ReportTable& table) {
  std::string text;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    text += (c > 0 ? "," : "") + table.columns[c].name;
  }
  text += '\n';
  for (const std::vector<TableCell>& row : table.rows) {
    for (size_t c = 0; c < row.size(); ++c) text += (c > 0 ? "," : "") + CsvCell(row[c]);
    text += '\n';
  }
  return text;
}

std::string TableJson(const ReportTable& table) {
  Json json = {
      {"name", table.name},     {"title", table.title},     {"definition", table.definition},
      {"sample", table.sample}, {"columns", Json::array()}, {"rows", Json::array()},
      {"arrays", Json::array()}};
  for (const TableColumn& column : table.columns) {
    json["columns"].push_back(
        {{"name", column.name}, {"unit", column.unit}, {"text", column.text}});
  }
  for (const std::vector<TableCell>& row : table.rows) {
    Json cells = Json::array();
    for (const TableCell& cell : row) cells.push_back(JsonCell(cell));
    json["rows"].push_back(std::move(cells));
  }
  for (const ReportArray& array : table.arrays) {
    json["arrays"].push_back(
        {{"name", array.name}, {"axes", array.axes}, {"text", array.text}, {"shape", array.shape}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void WriteTableNpz(const std::filesystem::path& path, const ReportTable& table,
                   AtomicOptions options) {
  std::vector<Entry> entries;
  for (size_t c = 0; c < table.columns.size(); ++c) entries.push_back(ColumnEntry(table, c));
  for (const ReportArray& array : table.arrays) {
    entries.push_back({array.name, NpyHeader("<f4", array.shape), BytesOfValues(array.values)});
  }
  std::vector<ZipInput> inputs;
  for (const Entry& entry : entries) {
    inputs.push_back({entry.name + ".npy", {BytesOf(entry.header), Bytes(entry.data)}});
  }
  WriteZip(path, inputs, false, options);
}

}  // namespace vggt
