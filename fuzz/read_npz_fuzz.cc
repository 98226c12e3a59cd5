// SPDX-License-Identifier: Apache-2.0
// Whatever the file: arrays as large as their shape says, or an Error.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/error.h"
#include "core/tensor.h"
#include "formats/npz.h"

namespace {

void ReadAll(const std::string& path) {
  const vggt::NpzFile file(path);
  for (const std::string& name : file.names()) {
    const vggt::NpzFile::Array array = file.Read(name);
    const auto count = static_cast<size_t>(vggt::NumElements(array.npy.shape));
    if (count > 0 && array.npy.data.size() % count != 0) std::abort();
    if (!array.storage.empty() && array.npy.data.size() > array.storage.size()) std::abort();
  }
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
    vggt::ParseNpy({data, size}, "fuzz");
  } catch (const vggt::Error&) {
  }
  return 0;
}
