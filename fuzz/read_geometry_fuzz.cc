// SPDX-License-Identifier: Apache-2.0
// Whatever the files of a geometry hold: cameras that are some and depths from 0 on, or an Error.
// Marks tell where one file ends and the next begins.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "geometry/frame_view.h"
#include "geometry/given_geometry.h"
#include "geometry/prediction_file.h"

namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    std::string name = "/dev/shm/vggt-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
    fs::create_directory(path / "pose");
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

// Two pictures of 14 x 14 pixels.
vggt::FrameList Frames() {
  vggt::FrameList frames;
  frames.frames = 2;
  frames.H_p = frames.W_p = 1;
  frames.image_paths = {"frame_00.png", "frame_01.png"};
  frames.sources = {{"a.png", {}}, {"b.png", {}}};
  frames.transforms.assign(2, {14, 14, 14, 14, 0, 14, 0, 0, 14, 14});
  return frames;
}

// An empty part is no file.
void WriteFilePart(const fs::path& path, std::string_view& rest) {
  constexpr std::string_view kMark = "\xFF\xFE\xFD\xFC";
  const size_t end = std::min(rest.find(kMark), rest.size());
  fs::remove(path);
  if (end > 0) std::ofstream(path, std::ios::binary) << rest.substr(0, end);
  rest.remove_prefix(std::min(end + kMark.size(), rest.size()));
}

template <typename Read>
void Check(const Read& read, const vggt::FrameList& frames) {
  try {
    const vggt::SceneGeometry scene = read();
    if (scene.views.size() != 2) std::abort();
    for (const auto& view : scene.views) {
      if (!view) continue;
      vggt::CheckCamera(view->camera, "what was read");
      for (const float z : view->depth.z) {
        if (!(z >= 0 && std::isfinite(z))) std::abort();
      }
      vggt::AtFrame(*view, frames.transforms[0]);
    }
  } catch (const vggt::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder made;
  static const vggt::FrameList frames = Frames();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"cameras.json", "frame_00.npz", "depth.png", "intrinsics.txt",
                           "pose/a.txt", "lens_layer_01.npz"}) {
    WriteFilePart(made.path / name, rest);
  }
  Check([&] { return vggt::ReadGivenGeometry(made.path, frames); }, frames);
  Check([&] { return vggt::ReadPrediction(made.path, vggt::LensName(0), frames); }, frames);
  return 0;
}
