// SPDX-License-Identifier: Apache-2.0
// Threads: OpenMP's pool, the same that oneDNN uses.
#pragma once

#include <cstddef>
#include <functional>

namespace vggt {

// Called again and again by long work, from any of its threads at once; what it throws ends the
// work. Empty: nothing ends it.
using StopCheck = std::function<void()>;
inline void CheckStop(const StopCheck& stop_check) {
  if (stop_check) stop_check();
}

// How many threads parallel work uses. At first: what OMP_NUM_THREADS says, or the processors this
// process may run on.
int ThreadCount();

// `count` ≥ 1; for every loop begun from now on, whichever thread begins it. oneDNN, which asks
// OpenMP, follows on the calling thread, and on any other once that has called ThreadCount() or
// begun a loop.
void SetThreadCount(int count);

// From now on the calling thread begins no parallel work: its loops run on it alone. For threads of
// which there are many: each that began a loop would get a pool of its own from OpenMP, which lives
// as long as the thread.
void WorkAloneHere();

// While it lives, the calling thread begins no parallel work, and oneDNN uses that thread alone.
// Other threads are not concerned.
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

// Inside a body of ParallelFor: which thread runs it, in [0, ThreadCount()); outside: 0.
int ThreadIndex();

// Calls body(i) for each i in [0, count), each once, on any thread, `grain` neighbours at a time.
// Returns when all are done. The first exception that a body throws is rethrown here; calls not yet
// begun are then skipped. Not for nesting: inside a body it runs serially.
//
// Each thread begins with its own share of neighbours and then helps the others: what one loop has
// left in a thread's caches, the next one finds there. Threads need not share a cache.
void ParallelFor(size_t count, size_t grain, const std::function<void(size_t)>& body);
// The same, begun in the order of i: for what is to be put together in that order.
void ParallelInOrder(size_t count, const std::function<void(size_t)>& body);

}  // namespace vggt
