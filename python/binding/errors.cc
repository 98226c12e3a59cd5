// SPDX-License-Identifier: Apache-2.0
// Exceptions of the library as Python's.
#include "core/error.h"

#include <nanobind/nanobind.h>

#include "binding/binding.h"

namespace nb = nanobind;

namespace vggt::python {
namespace {

void Raise(const char* name, const Error& error) {
  try {
    const nb::object type = nb::module_::import_("vggt_attn.errors").attr(name);
    // Paths from the file system may be no UTF-8; Python's own way of naming them is kept.
    const auto text = [](const std::string& bytes) {
      return nb::steal(
          PyUnicode_DecodeFSDefaultAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
    };
    const nb::object exception =
        type(text(error.problem()), text(error.where()), text(error.hint()));
    PyErr_SetObject(type.ptr(), exception.ptr());
  } catch (nb::python_error& failed) {
    failed.restore();
  }
}

}  // namespace

void BindErrors(nb::module_& /*module*/) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void* /*data*/) {
    try {
      std::rethrow_exception(thrown);
    } catch (const MissingFile& error) {
      Raise("MissingFile", error);
    } catch (const Error& error) {
      Raise("Error", error);
    } catch (const Interrupted&) {
      PyErr_SetNone(PyExc_KeyboardInterrupt);
    }
  });
}

}  // namespace vggt::python
