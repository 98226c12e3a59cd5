// SPDX-License-Identifier: Apache-2.0
// Long work without Python's lock, so that other Python threads go on, and which Ctrl-C ends.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "core/error.h"
#include "core/parallel.h"

namespace vggt::python {

// Asks Python now and then whether a signal has come. Only the thread that made it asks; the others
// are told.
class SignalWatch {
 public:
  // The StopCheck, without Python's lock: throws Interrupted if a signal's handler has raised.
  void Check();
  // With the lock: throws what the handler has raised, KeyboardInterrupt after Ctrl-C.
  [[noreturn]] void Rethrow() const;

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
  std::optional<nanobind::python_error> raised_;
  std::atomic<bool> stopped_ = false;
};

// Calls body(stop_check) without Python's lock.
template <typename Body>
auto Unlocked(const Body& body) {
  SignalWatch watch;
  try {
    const nanobind::gil_scoped_release released;
    return body(StopCheck([&watch] { watch.Check(); }));
  } catch (const Interrupted&) {
    watch.Rethrow();
  }
}

}  // namespace vggt::python
