// SPDX-License-Identifier: Apache-2.0
#include "server/compute_lanes.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "server/message.h"

namespace vggt {
namespace {

constexpr std::chrono::milliseconds kBetweenChecks{20};
// Of nice(1): a quarter of a processor that others want, too.
constexpr int kNicer = 5;

}  // namespace

ComputeLanes::ComputeLanes() {
  for (const Lane lane : {Lane::kQuick, Lane::kLong}) {
    Queue& queue = queues_[static_cast<size_t>(lane)];
    queue.thread =
        std::jthread([&queue, lane](const std::stop_token& stop) { Work(queue, lane, stop); });
  }
}

void ComputeLanes::Work(Queue& queue, Lane lane, const std::stop_token& stop) {
  // On Linux of this thread alone, and of OpenMP's, which it begins. Without it answers are the
  // same.
  if (lane == Lane::kLong) (void)nice(kNicer);
  std::unique_lock lock(queue.mutex);
  while (queue.filled.wait(lock, stop, [&] { return !queue.tasks.empty(); })) {
    Task& task = *queue.tasks.front();
    queue.tasks.pop_front();
    task.state = Task::kRunning;
    lock.unlock();
    std::exception_ptr error;
    try {
      (*task.work)();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    task.error = std::move(error);
    task.state = Task::kDone;
    task.changed.notify_one();
  }
}

void ComputeLanes::Run(Lane lane, const std::function<void()>& work, const StopCheck& stop_check) {
  Queue& queue = queues_[static_cast<size_t>(lane)];
  Task task{&work, Task::kWaiting, nullptr, {}};
  std::unique_lock lock(queue.mutex);
  if (lane == Lane::kLong && queue.tasks.size() >= kMostWaiting) {
    throw Refusal(503, "too many long questions wait to be computed", "", "Ask again later.");
  }
  queue.tasks.push_back(&task);
  queue.filled.notify_one();
  while (task.state == Task::kWaiting) {
    task.changed.wait_for(lock, kBetweenChecks);
    if (task.state != Task::kWaiting) break;
    lock.unlock();
    std::exception_ptr ended;
    try {
      CheckStop(stop_check);
    } catch (...) {
      ended = std::current_exception();
    }
    lock.lock();
    if (ended && task.state == Task::kWaiting) {
      std::erase(queue.tasks, &task);
      std::rethrow_exception(ended);
    }
  }
  task.changed.wait(lock, [&] { return task.state == Task::kDone; });
  if (task.error) std::rethrow_exception(task.error);
}

}  // namespace vggt
