// SPDX-License-Identifier: Apache-2.0
#include "capture/background_job.h"

#include <chrono>
#include <utility>

namespace vggt {

BackgroundJob::BackgroundJob() {
  thread_ = std::thread([this] { Work(); });
}

BackgroundJob::~BackgroundJob() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BackgroundJob::Start(std::function<void()> job) {
  Wait();
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
  }
  changed_.notify_all();
}

void BackgroundJob::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !job_; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void BackgroundJob::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || job_; });
    if (stopping_) return;
    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    std::exception_ptr error;
    try {
      job_();  // nobody else touches it until it is empty again
    } catch (...) {
      error = std::current_exception();
    }
    const std::chrono::duration<double> busy = std::chrono::steady_clock::now() - start;
    lock.lock();
    busy_seconds_ += busy.count();
    if (error) error_ = error;
    job_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace vggt
