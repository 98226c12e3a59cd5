// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace vggt {

int ThreadCount() { return omp_get_max_threads(); }

void SetThreadCount(int count) { omp_set_num_threads(std::max(count, 1)); }

int ThreadIndex() { return omp_get_thread_num(); }

void ParallelFor(size_t count, size_t grain, const std::function<void(size_t)>& body) {
  const size_t chunk = std::max<size_t>(grain, 1);
  if (count <= chunk || ThreadCount() == 1 || omp_in_parallel()) {
    for (size_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::atomic<bool> failed{false};
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t begin = 0; begin < count; begin += chunk) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      for (size_t i = begin; i < std::min(begin + chunk, count); ++i) body(i);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace vggt
