// SPDX-License-Identifier: Apache-2.0
// Where answers are computed: on two threads, however many clients ask. Each has OpenMP's pool to
// itself; a pool for every thread that answers clients would be hundreds of threads.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/parallel.h"

namespace vggt {

enum class Lane {
  kQuick,  // for what nobody waits for long
  kLong    // for the rest, at a lower priority, so that quick answers keep most of the processors
};

class ComputeLanes {
 public:
  // More work waits in no lane: long answers would come too late for those who ask.
  static constexpr size_t kMostWaiting = 8;

  ComputeLanes();
  ComputeLanes(const ComputeLanes&) = delete;
  ComputeLanes& operator=(const ComputeLanes&) = delete;
  // Nobody may be waiting in Run().
  ~ComputeLanes() = default;

  // Runs `work` on the lane's thread, in the order of calls, and rethrows what it throws. From any
  // number of threads. While it waits for its turn, `stop_check` is asked about 50 times a second;
  // if it throws, the work is not done. Once it runs, ending it is the work's own affair. Throws
  // Refusal (503) if too much waits in the long lane.
  void Run(Lane lane, const std::function<void()>& work, const StopCheck& stop_check);

 private:
  struct Task {
    const std::function<void()>* work;
    enum { kWaiting, kRunning, kDone } state = kWaiting;
    std::exception_ptr error;
    std::condition_variable changed;
  };
  struct Queue {
    std::mutex mutex;
    std::condition_variable_any filled;
    std::deque<Task*> tasks;
    std::jthread thread;  // the last, so that it ends before what it uses
  };

  static void Work(Queue& queue, Lane lane, const std::stop_token& stop);

  std::array<Queue, 2> queues_;
};

}  // namespace vggt
