// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

namespace vggt {
namespace {

std::atomic<int> wanted{0};  // 0: as OpenMP has it
thread_local bool alone = false;

#ifdef __SANITIZE_THREAD__
// ThreadSanitizer does not know how the threads of GCC's OpenMP wait for each other, and would
// report races that are none. Its build has a team of plain threads.
thread_local int thread_index = 0;
thread_local bool in_team = false;

int MaxThreads() { return wanted.load() == 0 ? omp_get_max_threads() : wanted.load(); }

void RunTeam(const std::function<void()>& body) {
  std::vector<std::thread> team;
  for (int i = 0; i < MaxThreads(); ++i) {
    team.emplace_back([&body, i] {
      thread_index = i;
      in_team = true;
      body();
    });
  }
  for (std::thread& thread : team) thread.join();
}

bool InTeam() { return in_team; }
#else
int MaxThreads() {
  // OpenMP keeps a number for each thread; here they take over the process's.
  const int count = wanted.load(std::memory_order_relaxed);
  if (count != 0 && omp_get_max_threads() != count) omp_set_num_threads(count);
  return omp_get_max_threads();
}

void RunTeam(const std::function<void()>& body) {
#pragma omp parallel
  body();
}

bool InTeam() { return omp_in_parallel() != 0; }
#endif

// Chunks that are still to be done, on a cache line of their own.
struct alignas(64) Share {
  std::atomic<size_t> next;
  size_t end;
};

// `shares` of equal size, each in order; a thread takes its own first.
void Run(size_t count, size_t chunk, size_t shares, const std::function<void(size_t)>& body) {
  if (count <= chunk || ThreadCount() == 1 || InTeam()) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  const size_t chunks = (count + chunk - 1) / chunk;
  std::vector<Share> left(shares);
  for (size_t s = 0; s < shares; ++s) {
    left[s].next = chunks * s / shares;
    left[s].end = chunks * (s + 1) / shares;
  }
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  RunTeam([&] {
    for (size_t s = 0; s < shares; ++s) {
      Share& share = left[(ThreadIndex() + s) % shares];
      while (!failed.load(std::memory_order_relaxed)) {
        const size_t begin = share.next.fetch_add(1, std::memory_order_relaxed);
        if (begin >= share.end) break;
        try {
          for (size_t i = begin * chunk; i < std::min((begin + 1) * chunk, count); ++i) body(i);
        } catch (...) {
          if (!failed.exchange(true)) error = std::current_exception();
        }
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace

int ThreadCount() { return alone ? 1 : MaxThreads(); }

void SetThreadCount(int count) {
  wanted.store(std::max(count, 1), std::memory_order_relaxed);
  ThreadCount();
}

void WorkAloneHere() { alone = true; }

// OpenMP's number of threads is the calling thread's own, unlike SetThreadCount's.
OneThreadHere::OneThreadHere()
    : alone_before_(std::exchange(alone, true)), threads_before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

OneThreadHere::~OneThreadHere() {
  omp_set_num_threads(threads_before_);
  alone = alone_before_;
}

int ThreadIndex() {
#ifdef __SANITIZE_THREAD__
  return thread_index;
#else
  return omp_get_thread_num();
#endif
}

void ParallelFor(size_t count, size_t grain, const std::function<void(size_t)>& body) {
  Run(count, std::max<size_t>(grain, 1), ThreadCount(), body);
}

void ParallelInOrder(size_t count, const std::function<void(size_t)>& body) {
  Run(count, 1, 1, body);
}

}  // namespace vggt
