// SPDX-License-Identifier: Apache-2.0
// Whatever the file: arrays as large as their shape says, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/tensor.h"
#include "formats/npy.h"
#include "formats/zip.h"

namespace {

constexpr uint64_t kMostBytes = 1 << 24;

void ReadArray(vggt::Bytes bytes) {
  const vggt::NpyArray array = vggt::ParseNpy(bytes, "fuzz");
  const auto count = static_cast<size_t>(vggt::NumElements(array.shape));
  if (count > 0 && array.data.size() % count != 0) std::abort();
  if (array.data.size() > bytes.size()) std::abort();
}

void ReadAll(const std::string& path) {
  const vggt::ZipReader zip(path);
  for (const vggt::ZipEntry& entry : zip.entries()) ReadArray(zip.Read(entry, kMostBytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int fd = memfd_create("npz", MFD_CLOEXEC);
  if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  try {
    ReadAll("/proc/self/fd/" + std::to_string(fd));
  } catch (const vggt::Error&) {
  }
  try {
    ReadArray({data, size});
  } catch (const vggt::Error&) {
  }
  return 0;
}
