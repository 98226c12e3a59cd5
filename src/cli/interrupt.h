// SPDX-License-Identifier: Apache-2.0
// Ctrl-C, taken so that nothing half-written is left.
#pragma once

#include <csignal>
#include <vector>

namespace vggt {

// When it ends, all signals that a command changes do what they did when it began: a command may
// run inside another program, whose other work they must end.
class SignalsAsBefore {
 public:
  SignalsAsBefore();
  ~SignalsAsBefore();
  SignalsAsBefore(const SignalsAsBefore&) = delete;
  SignalsAsBefore& operator=(const SignalsAsBefore&) = delete;

 private:
  std::vector<struct sigaction> before_;
};

// From now on SIGINT, SIGTERM and SIGHUP are noted (what was noted before is forgotten), unless
// they were ignored before (nohup); a second one ends the process at once.
void CatchInterrupts();

// Throws Interrupted if one has been noted. Called wherever work can be given up.
void ThrowIfInterrupted();

// For programs that only wait: holds the same signals back from this thread and those it starts
// from now on, for AwaitInterrupt() to find.
void HoldInterrupts();

// Returns when one of them has come.
void AwaitInterrupt();

}  // namespace vggt
