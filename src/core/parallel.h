// SPDX-License-Identifier: Apache-2.0
// Parallel loops on OpenMP's pool of threads, which oneDNN uses, too.
#pragma once

#include <cstddef>
#include <functional>

namespace vggt {

// Long work calls a StopCheck repeatedly, from several threads at once. It may throw: the exception
// ends the work. An empty one never does.
using StopCheck = std::function<void()>;
inline void CheckStop(const StopCheck& stop_check) {
  if (stop_check) stop_check();
}

// How many threads a loop of the calling thread uses. Before the first SetThreadCount it is
// OMP_NUM_THREADS or, if that is not set, the number of processors this process may run on.
int ThreadCount();

// Sets the number of threads (at least 1) for every loop that begins from now on, whichever thread
// begins it. oneDNN asks OpenMP for the number: on the calling thread it follows at once, on
// another one after that thread has called ThreadCount() or begun a loop.
void SetThreadCount(int count);

// From now on, loops that the calling thread begins run on this thread alone. For programs with
// many threads: OpenMP gives every thread that begins a parallel loop a pool of its own, which
// lives as long as the thread.
void WorkAloneHere();

// As long as the object lives, loops of the calling thread run on this thread alone, and so does
// oneDNN when it is called there. Other threads are not affected.
class OneThreadHere {
 public:
  OneThreadHere();
  OneThreadHere(const OneThreadHere&) = delete;
  OneThreadHere& operator=(const OneThreadHere&) = delete;
  ~OneThreadHere();

 private:
  const bool alone_before_;
  const int threads_before_;
};

// Calls body() here, or, where this thread's pool is lost, on a thread of its own, and rethrows
// what it throws. A child process of fork() has only the thread that called fork(): the others of
// its pool are gone, which OpenMP does not notice and waits for them forever. For work in which
// oneDNN is called; loops see to it themselves.
void WithWholePool(const std::function<void()>& body);

// Inside the body of a loop: the index of the thread that runs it, in [0, ThreadCount()). Outside
// of loops: 0.
int ThreadIndex();

// Calls body(i) once for each i in [0, count), on any thread. A thread takes `grain` neighbouring
// indices at a time. Returns when all calls have ended. If a body throws, calls that have not begun
// are skipped, and the first exception is rethrown here. A loop inside a body runs serially.
//
// Each thread begins with its own share of neighbouring indices, and then takes from the shares of
// others. The shares are the same in every loop of equal `count` and `grain`, so data stays in the
// cache of the core that produced it.
void ParallelFor(size_t count, size_t grain, const std::function<void(size_t)>& body);
// The same, but indices are begun in ascending order: for results that are joined in that order.
void ParallelInOrder(size_t count, const std::function<void(size_t)>& body);

}  // namespace vggt
