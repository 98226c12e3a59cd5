// SPDX-License-Identifier: Apache-2.0
// Numbers about a whole model as tables and arrays, each with its definition, and the files that
// they become.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"

namespace vggt {

struct TableColumn {
  std::string name;  // in CSV and JSON: "entropy"
  std::string unit;  // "nats"; empty for names and numbers of things
  std::string text;  // what it is, in a sentence
};

// Empty where there is no such number. A double that is not finite counts as empty.
using TableCell = std::variant<std::monostate, int64_t, double, std::string>;

// Values that are no columns, saved by name in an .npz.
struct ReportArray {
  std::string name;
  std::string axes;  // "[layers, heads, pictures, pictures + 1]"
  std::string text;  // what its values are
  Shape shape;
  std::vector<float> values;
};

struct ReportTable {
  std::string name;        // of its files: "heads" is heads.csv
  std::string title;       // one line
  std::string definition;  // what its numbers are and where the formula comes from, in sentences
  std::string sample;      // which rows of attention they were taken of
  std::vector<TableColumn> columns;
  std::vector<std::vector<TableCell>> rows;
  std::vector<ReportArray> arrays;
};

// The first columns of a table with a row for each head of the global blocks, and a row's first
// cells. Both count from 0.
std::vector<TableColumn> HeadColumns();
std::vector<TableCell> HeadCells(int64_t layer, int64_t head);

// A column as one array: texts if any cell is one, an empty cell then being ""; whole numbers if
// all cells are; else numbers, NaN for empty.
using ColumnValues =
    std::variant<std::vector<std::string>, std::vector<int64_t>, std::vector<double>>;
ColumnValues ValuesOf(const ReportTable& table, size_t column);

// CSV (RFC 4180, with plain line ends): names of the columns, then the rows. Numbers have up to 9
// digits; an empty cell is an empty field. Texts that a spreadsheet would compute, because they
// begin with =, +, - or @, have "./" before them.
std::string TableCsv(const ReportTable& table);

// {"name", "title", "definition", "sample", "columns": [{"name", "unit", "text"}], "rows": [[…]],
// "arrays": [{"name", "axes", "text", "shape"}]}; empty cells are null.
std::string TableJson(const ReportTable& table);

// Writes an .npz: each column by its name as ValuesOf has it (texts as NumPy's "<U…", numbers as
// int64 or float64), then each array as float32. No two columns or arrays have one name. Throws
// Error like WriteZip.
void WriteTableNpz(const std::filesystem::path& path, const ReportTable& table,
                   AtomicOptions options = {});

}  // namespace vggt
