// SPDX-License-Identifier: Apache-2.0
// Whatever the three files of a model hold: a model that refers only to what it has, or an Error.
// The first byte says whether they are text; marks tell where one ends and the next begins.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "geometry/colmap_model.h"

namespace {

struct Folder {
  Folder() {
    std::string name = "/dev/shm/vggt-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

void WritePart(const std::filesystem::path& path, std::string_view& rest) {
  constexpr std::string_view kMark = "\xFF\xFE\xFD\xFC";
  const size_t end = std::min(rest.find(kMark), rest.size());
  std::ofstream(path, std::ios::binary) << rest.substr(0, end);
  rest.remove_prefix(std::min(end + kMark.size(), rest.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder made;
  const std::filesystem::path& folder = made.path;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool is_text = data[0] == 't';
  std::filesystem::remove(folder / "cameras.bin");
  for (const char* name : {"cameras", "images", "points3D"}) {
    WritePart(folder / (std::string(name) + (is_text ? ".txt" : ".bin")), rest);
  }
  try {
    const vggt::ColmapModel model = vggt::ReadColmapModel(folder);
    for (const vggt::ColmapPoint& point : model.points) {
      for (const vggt::ColmapObservation& seen : point.track) {
        if (seen.image >= model.images.size()) std::abort();
        if (seen.point >= model.images[seen.image].points.size()) std::abort();
      }
    }
  } catch (const vggt::Error&) {
  }
  return 0;
}
