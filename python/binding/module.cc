// SPDX-License-Identifier: Apache-2.0
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "binding/binding.h"

NB_MODULE(_core, module) {
  using namespace vggt::python;  // NOLINT(google-build-using-namespace)
  // A notebook's kernel, which keeps what cells have shown, ends with objects alive.
  nanobind::set_leak_warnings(false);
  module.doc() = "The compiled part of vggt_attn.";
  module.def(
      "version", [] { return std::string(VGGT_VERSION); }, "Version of the library, as '0.1.0'.");
  BindCommand(module);
  BindErrors(module);
  BindOpenedExport(module);
  BindAttention(module);
  BindCapture(module);
  BindFigure(module);
  BindReport(module);
  BindViewer(module);
}
