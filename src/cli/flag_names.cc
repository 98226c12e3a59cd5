// SPDX-License-Identifier: Apache-2.0
#include "cli/flag_names.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace vggt {
namespace {

// Options that the library names, and what users of the command line write for them.
constexpr std::pair<std::string_view, std::string_view> kFlags[] = {
    {"capture", "--capture"},
    {"every", "--every"},
    {"exif_transpose", "--exif_transpose"},
    {"first_image_idx", "--first_image_idx"},
    {"family", "--family"},
    {"fps", "--fps"},
    {"geometry", "--geometry"},
    {"geometry_from", "--geometry_from"},
    {"geometry_layers", "--geometry_layers"},
    {"image_extension", "--image_extension"},
    {"image_size", "--image_size"},
    {"layers", "--layers"},
    {"layers_lens", "--layers_lens"},
    {"matches", "--matches"},
    {"num_images", "--num_images"},
    {"only", "--only"},
    {"out", "--out"},
    {"output", "--image_set_name or --output_dir_prefix"},
    {"overwrite", "--overwrite"},
    {"picture_rule", "--picture_rule"},
    {"precision", "--precision"},
    {"preset", "--preset"},
    {"rows", "--rows"},
    {"save_qk", "--save_qk"},
    {"sort", "--sort"},
    {"stride_h", "--stride_h"},
    {"stride_w", "--stride_w"},
    {"video", "--video FILE"},
    {"weights", "--weights"},
    {"weights_key", "--weights_key"},
};

size_t Distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string WithFlagNames(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t end = text[i] == '`' ? text.find('`', i + 1) : std::string::npos;
    const std::string_view name = end == std::string::npos
                                      ? std::string_view()
                                      : std::string_view(text).substr(i + 1, end - i - 1);
    const auto* flag = std::ranges::find(kFlags, name, [](const auto& pair) { return pair.first; });
    if (flag == std::end(kFlags)) {
      out += text[i++];
    } else {
      out += flag->second;
      i = end + 1;
    }
  }
  return out;
}

std::string Nearest(const std::string& word, std::span<const std::string> candidates) {
  std::string best;
  size_t fewest = std::max<size_t>(word.size() / 3, 2) + 1;
  for (const std::string& candidate : candidates) {
    // Somebody who types the beginning of a name means that name, or the last word of a flag's.
    const bool begins = word.size() > 3 && candidate.starts_with(word);
    const bool ends =
        word.size() > 4 && word.starts_with("--") && candidate.ends_with("_" + word.substr(2));
    const size_t distance = begins ? 0 : ends ? 1 : Distance(word, candidate);
    if (distance < fewest) {
      fewest = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace vggt
