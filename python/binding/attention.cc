// SPDX-License-Identifier: Apache-2.0
// Exact attention, asked for in the words of attention/request_words.h.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <utility>

#include "attention/attention_rows.h"
#include "attention/request_words.h"
#include "binding/arrays.h"
#include "binding/binding.h"
#include "binding/opened_export.h"
#include "binding/unlocked.h"

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

AttentionRequest RequestOf(const std::map<std::string, std::string>& words,
                           const QkDescription& description) {
  RequestWords read;
  for (const RequestField& field : RequestFields()) {
    const auto found = words.find(field.name);
    if (found != words.end()) read.*field.text = found->second;
  }
  try {
    return ParseRequest(read, description);
  } catch (const RequestError& error) {
    if (error.kind() != RequestError::Kind::kPlace) throw;
    throw RequestError(error.kind(), "", error.problem(),
                       "Give `row` and `col`, `x` and `y`, `rows` and `cols`, `cells`, or `token`, "
                       "one of them.");
  }
}

// [layers, heads, frames, rows, cols], a view past the special tokens; of all tokens
// [layers, heads, frames, tokens].
Array<float> Ask(const OpenedExport& e, const std::map<std::string, std::string>& words) {
  const AttentionRows& rows = e.rows();
  const QkDescription& description = rows.store().description();
  const AttentionRequest request = RequestOf(words, description);
  auto answer = std::make_unique<AttentionAnswer>(
      Unlocked([&](const StopCheck& stop_check) { return rows.Answer(request, stop_check); }));
  float* data = answer->values.data();
  const Shape shape = answer->shape;
  if (request.all_tokens) return ArrayOf(data, shape, std::move(answer));
  const TokenGrid grid = rows.grid(request.kind);
  data += answer->special_tokens;
  const Shape strides = {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], grid.width,
                         1};
  return ArrayOf(data, {shape[0], shape[1], shape[2], grid.height, grid.width}, std::move(answer),
                 strides);
}

}  // namespace

void BindAttention(nb::module_& module) {
  nb::class_<DefinitionInfo>(module, "Definition", "A definition of attention.")
      .def_ro("name", &DefinitionInfo::name, "In requests.")
      .def_ro("label", &DefinitionInfo::label, "For people.")
      .def_ro("unit", &DefinitionInfo::unit, "What a value is.")
      .def_ro("text", &DefinitionInfo::text, "What it means, in a sentence or two.")
      .def("__repr__", [](const DefinitionInfo& info) {
        return "<Definition " + std::string(info.name) + ": " + info.text + ">";
      });
  module.def(
      "definitions",
      [] { return std::vector<DefinitionInfo>(Definitions().begin(), Definitions().end()); },
      "The definitions of attention that can be asked for; the first is the default.");
  module.def("attention", Ask, "export"_a, "words"_a);
}

}  // namespace vggt::python
