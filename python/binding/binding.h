// SPDX-License-Identifier: Apache-2.0
// The subjects of vggt_attn._core, each in a file of its own. They translate between Python and the
// library, no more: what can be computed is computed by the rooms below.
#pragma once

#include <nanobind/nanobind.h>

namespace vggt::python {

void BindAttention(nanobind::module_& module);
void BindCapture(nanobind::module_& module);
void BindCommand(nanobind::module_& module);
void BindErrors(nanobind::module_& module);
void BindFigure(nanobind::module_& module);
void BindOpenedExport(nanobind::module_& module);
void BindReport(nanobind::module_& module);
void BindViewer(nanobind::module_& module);

}  // namespace vggt::python
