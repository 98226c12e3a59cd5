// SPDX-License-Identifier: Apache-2.0
// Exceptions of the library as Python's.
#include "core/error.h"

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>
#include <utility>

#include "attention/request_words.h"
#include "binding/binding.h"
#include "model/model_choice.h"

namespace nb = nanobind;

namespace vggt::python {
namespace {

// Options and fields that are called otherwise in Python, as texts of the library name them.
constexpr std::pair<std::string_view, std::string_view> kNames[] = {
    {"`output`", "`out`"},
    {"`video`", "`images`"},
};
// The same of requests, whose errors are about a field (attention/request_words.h).
constexpr std::pair<std::string_view, std::string_view> kFields[] = {
    {"layers", "layer"},
    {"heads", "head"},
};

std::string WithPythonNames(std::string text) {
  for (const auto& [library, python] : kNames) {
    for (size_t at; (at = text.find(library)) != std::string::npos;) {
      text.replace(at, library.size(), python);
    }
  }
  return text;
}

// Paths from the file system may be no UTF-8; Python's own way of naming them is kept.
nb::object TextOf(const std::string& bytes) {
  const std::string text = WithPythonNames(bytes);
  return nb::steal(
      PyUnicode_DecodeFSDefaultAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
}

void Raise(const char* name, const std::string& what, const std::string& where,
           const std::string& hint) {
  try {
    const nb::object type = nb::module_::import_("vggt_attn.errors").attr(name);
    const nb::object exception = type(TextOf(what), TextOf(where), TextOf(hint));
    PyErr_SetObject(type.ptr(), exception.ptr());
  } catch (nb::python_error& failed) {
    failed.restore();
  }
}

void RaiseError(const Error& error) {
  const bool of_option =
      error.where().starts_with('`') || dynamic_cast<const ModelChoiceError*>(&error) != nullptr;
  Raise(of_option ? "OptionError" : "Error", error.problem(), error.where(), error.hint());
}

void RaiseRequestError(const RequestError& error) {
  std::string field = error.field();
  for (const auto& [library, python] : kFields) {
    if (field == library) field = python;
  }
  Raise("OptionError", error.problem(), field.empty() ? "" : "`" + field + "`", error.hint());
}

}  // namespace

void BindErrors(nb::module_& /*module*/) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void* /*data*/) {
    try {
      std::rethrow_exception(thrown);
    } catch (const MissingFile& error) {
      Raise("MissingFile", error.problem(), error.where(), error.hint());
    } catch (const RequestError& error) {
      RaiseRequestError(error);
    } catch (const Error& error) {
      RaiseError(error);
    } catch (const Interrupted&) {
      PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
  });
}

}  // namespace vggt::python
