// SPDX-License-Identifier: Apache-2.0
// One job at a time on a thread of its own, while the caller prepares the next.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace vggt {

// One thread calls this. What a job threw is rethrown, once, by the next call of Wait or Start.
class BackgroundJob {
 public:
  BackgroundJob();
  BackgroundJob(const BackgroundJob&) = delete;
  BackgroundJob& operator=(const BackgroundJob&) = delete;
  // Waits for a job that has begun; one that has not is dropped.
  ~BackgroundJob();

  // Waits until no job is left, then begins this one.
  void Start(std::function<void()> job);
  // Waits until no job is left.
  void Wait();

  // Seconds that jobs have taken; to be asked after Wait().
  double busy_seconds() const { return busy_seconds_; }

 private:
  void Work();

  std::function<void()> job_;  // being done, if not empty
  bool stopping_ = false;
  std::exception_ptr error_;
  double busy_seconds_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace vggt
