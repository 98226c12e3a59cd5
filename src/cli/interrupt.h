// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, taken so that nothing half-written is left.
#pragma once

namespace vggt {

// From now on SIGINT, SIGTERM and SIGHUP are noted, unless they were ignored before (nohup); a
// second one ends the process at once.
void CatchInterrupts();

// Throws Interrupted if one has been noted. Called wherever work can be given up.
void ThrowIfInterrupted();

}  // namespace vggt
