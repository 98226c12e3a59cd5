// SPDX-License-Identifier: Apache-2.0
// A loop is cut into chunks of `grain` indices, and the chunks into one share of neighbours for
// each thread. A share is a counter that threads raise to take the next chunk. Thread t empties
// share t first, then shares t + 1, t + 2 and so on, wherever chunks are left. OpenMP's own
// schedules offer either fixed shares, where a slow thread delays all, or chunks from one common
// counter, where a thread gets other indices each time and its cache holds the wrong data.
// ParallelInOrder() is the case of a single share.
//
// An exception must not leave an OpenMP region, so the first one is kept and thrown after it. Loops
// of one thread or one chunk, and loops inside a body, do not enter OpenMP at all.
#include "core/parallel.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#ifdef VGGT_ADDRESS_SANITIZER
// The search for leaks asks functions of these names. LLVM's OpenMP keeps addresses where it does
// not look, and Fontconfig (src/render) as distances from others, which it cannot follow.
extern "C" const char* __lsan_default_suppressions() { return "leak:libomp\nleak:libfontconfig"; }
extern "C" const char* __lsan_default_options() { return "print_suppressions=0"; }
#endif

namespace vggt {
namespace {

std::atomic<int> wanted{0};  // 0: OpenMP's own choice
thread_local bool alone = false;
// This thread called fork(), and this process is the child.
thread_local bool pool_lost = false;
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] { pool_lost = true; });

#ifdef VGGT_THREAD_SANITIZER
// ThreadSanitizer does not see how the threads of GCC's OpenMP wait for each other, and would
// report races where there are none. So its build has a team of plain threads.
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
  // OpenMP keeps a number for each thread that begins loops; set it to the process's number.
  const int count = wanted.load(std::memory_order_relaxed);
  if (count != 0 && omp_get_max_threads() != count) omp_set_num_threads(count);
  return omp_get_max_threads();
}

void RunTeam(const std::function<void()>& body) {
  WithWholePool([&] {
#pragma omp parallel
    body();
  });
}

bool InTeam() { return omp_in_parallel() != 0; }
#endif

// The chunks [next, end) are still to be done. Aligned to a cache line, so that threads that raise
// different counters do not slow each other down.
struct alignas(64) Share {
  std::atomic<size_t> next;
  size_t end;
};

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

void WithWholePool(const std::function<void()>& body) {
  if (!pool_lost) {
    body();
    return;
  }
  // A new thread makes a pool of its own. How many threads it takes is not handed on by itself.
  const bool alone_here = alone;
  const int count = omp_get_max_threads();
  std::exception_ptr error;
  std::thread([&] {
    alone = alone_here;
    omp_set_num_threads(count);
    try {
      body();
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  if (error) std::rethrow_exception(error);
}

int ThreadIndex() {
#ifdef VGGT_THREAD_SANITIZER
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
