// SPDX-License-Identifier: Apache-2.0
#include "geometry/ply_file.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace vggt {
namespace {

constexpr size_t kPointsAtATime = 1 << 16;

template <typename T>
void AppendPly(std::vector<uint8_t>& out, T value) {
  uint8_t bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.insert(out.end(), bytes, bytes + sizeof(T));
}

}  // namespace

void WritePly(const std::filesystem::path& path, std::span<const CloudPoint> points,
              AtomicOptions options) {
  AtomicFile file(path, options);
  file.Write(
      BytesOf(fmt::format("ply\nformat binary_little_endian 1.0\nelement vertex {}\n"
                          "property float x\nproperty float y\nproperty float z\n"
                          "property uchar red\nproperty uchar green\nproperty uchar blue\n"
                          "property float confidence\n"
                          "property int frame\nproperty int patch\nend_header\n",
                          points.size())));
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < points.size(); ++i) {
    for (const float value : points[i].position) AppendPly(bytes, value);
    for (const uint8_t value : points[i].colour) AppendPly(bytes, value);
    AppendPly(bytes, points[i].confidence);
    AppendPly(bytes, points[i].frame);
    AppendPly(bytes, points[i].patch);
    if ((i + 1) % kPointsAtATime != 0 && i + 1 != points.size()) continue;
    file.Write(bytes);
    bytes.clear();
  }
  file.Commit();
}

}  // namespace vggt
