// SPDX-License-Identifier: Apache-2.0
// The command vggt-attn.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding/binding.h"
#include "cli/command_line.h"

namespace nb = nanobind;

namespace vggt::python {

void BindCommand(nb::module_& module) {
  module.def(
      "run_command",
      [](const std::vector<nb::bytes>& arguments) {
        std::vector<std::string> words;
        for (const nb::bytes& word : arguments) words.emplace_back(word.c_str(), word.size());
        const nb::gil_scoped_release released;
        return RunCommandLine(words);
      },
      nb::arg("arguments"),
      "Runs ``vggt-attn arguments…`` and returns its exit status.\n\n"
      "For programs that do nothing else: it takes signals over for good.");
}

}  // namespace vggt::python
