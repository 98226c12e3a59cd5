// SPDX-License-Identifier: Apache-2.0
#include "binding/unlocked.h"

namespace vggt::python {
namespace {

// Taking the lock may wait for another Python thread, 5 ms as a rule.
constexpr std::chrono::milliseconds kBetweenChecks{100};

}  // namespace

void SignalWatch::Check() {
  if (stopped_.load(std::memory_order_relaxed)) throw Interrupted();
  if (std::this_thread::get_id() != thread_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kBetweenChecks;
  const nanobind::gil_scoped_acquire held;
  if (PyErr_CheckSignals() == 0) return;
  raised_.emplace();  // takes over what the handler has raised
  stopped_ = true;
  throw Interrupted();
}

void SignalWatch::Rethrow() const {
  if (raised_) throw nanobind::python_error(*raised_);
  throw Interrupted();
}

}  // namespace vggt::python
