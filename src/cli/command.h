// SPDX-License-Identifier: Apache-2.0
// What command_line.cc knows of each command.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "core/error.h"

namespace vggt {

// What was asked for cannot be, whatever is tried: exit status 2. where() is a flag.
class WrongUsage : public Error {
 public:
  using Error::Error;
};

// Declares the command's flags on `app` and returns what runs it: the exit status.
using DeclareCommand = std::function<int()> (*)(CLI::App& app);

std::function<int()> DeclareExport(CLI::App& app);
std::function<int()> DeclareFigure(CLI::App& app);
std::function<int()> DeclareGeometry(CLI::App& app);
std::function<int()> DeclareInspect(CLI::App& app);
std::function<int()> DeclarePreprocess(CLI::App& app);
std::function<int()> DeclareQuery(CLI::App& app);
std::function<int()> DeclareReport(CLI::App& app);
std::function<int()> DeclareSynthWeights(CLI::App& app);
std::function<int()> DeclareView(CLI::App& app);

}  // namespace vggt
