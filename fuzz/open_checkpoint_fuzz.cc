// SPDX-License-Identifier: Apache-2.0
// Whatever the file: tensors that can be read to their last value, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "weights/checkpoint.h"

namespace {

constexpr int64_t kMostValues = 1 << 16;  // copied of a tensor: zero strides repeat many

void ReadAll(const vggt::Checkpoint& checkpoint) {
  for (const auto& [name, view] : checkpoint.tensors()) {
    volatile uint8_t sink = 0;
    if (!view.bytes.empty()) sink = view.bytes.front() ^ view.bytes.back();
    static_cast<void>(sink);
    if (vggt::DTypeSize(view.dtype) < 2) continue;
    const int64_t count = vggt::NumElements(view.shape);
    if (count > kMostValues) continue;
    std::vector<float> values(static_cast<size_t>(count));
    vggt::CopyToF32(view, values.data());
    checkpoint.Release(view);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = memfd_create("checkpoint", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  try {
    ReadAll(vggt::Checkpoint::Open("/proc/self/fd/" + std::to_string(fd)));
  } catch (const vggt::Error&) {
  }
  return 0;
}
