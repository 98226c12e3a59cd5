// SPDX-License-Identifier: Apache-2.0
#include "capture/kept_pictures.h"

#include "image/codec.h"
#include "image/png_codec.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;

KeptPictures PlanKeptPictures(const std::vector<fs::path>& pictures) {
  KeptPictures kept;
  std::vector<std::string> extensions;
  for (const fs::path& picture : pictures) {
    kept.as_png.push_back(!BrowsersShow(picture));
    extensions.push_back(kept.as_png.back() ? ".png" : picture.extension().string());
  }
  kept.names = ImageNames(extensions);
  return kept;
}

void KeepPictures(const fs::path& folder, const std::vector<fs::path>& pictures,
                  const KeptPictures& kept, const StopCheck& stop_check) {
  ParallelFor(pictures.size(), 1, [&](size_t i) {
    CheckStop(stop_check);
    if (kept.as_png[i]) {
      const Picture picture = ReadPicture(pictures[i]);
      WriteImage(folder, kept.names[i],
                 EncodePng(picture.width, picture.height, picture.rgb, pictures[i].string()));
    } else {
      WriteImage(folder, kept.names[i], BytesOf(ReadFile(pictures[i])));
    }
  });
}

}  // namespace vggt
