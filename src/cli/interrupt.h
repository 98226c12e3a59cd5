// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, taken so that nothing half-written is left.
#pragma once

namespace vggt {

// From now on SIGINT, SIGTERM and SIGHUP are noted, unless they were ignored before (nohup); a
// second one ends the process at once.
void CatchInterrupts();

// Throws Interrupted if one has been noted. Called wherever work can be given up.
void ThrowIfInterrupted();

// For programs that only wait: holds the same signals back from this thread and those it starts
// from now on, for AwaitInterrupt() to find.
void HoldInterrupts();

// Returns when one of them has come.
void AwaitInterrupt();

}  // namespace vggt
