// SPDX-License-Identifier: Apache-2.0
// The program as a function, for whatever brings the command vggt-attn along.
#pragma once

#include <string>
#include <vector>

namespace vggt {

// Runs `vggt-attn arguments…` and returns its exit status. Prints to the standard streams and takes
// signals as a program does, for good.
int RunCommandLine(const std::vector<std::string>& arguments);

}  // namespace vggt
