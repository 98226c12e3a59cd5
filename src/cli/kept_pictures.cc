// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_pictures.h"

#include "cli/interrupt.h"
#include "core/parallel.h"
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
                  const KeptPictures& kept) {
  ParallelFor(pictures.size(), 1, [&](size_t i) {
    ThrowIfInterrupted();
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
