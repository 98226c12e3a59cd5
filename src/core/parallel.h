// SPDX-License-Identifier: Apache-2.0
// Threads: OpenMP's pool, the same that oneDNN uses.
#pragma once

#include <cstddef>
#include <functional>

namespace vggt {

// How many threads parallel work uses. At first: what OMP_NUM_THREADS says, or the processors this
// process may run on.
int ThreadCount();

// `count` ≥ 1; for everything after, oneDNN included.
void SetThreadCount(int count);

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
