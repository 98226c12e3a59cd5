// SPDX-License-Identifier: Apache-2.0
#include "cli/picture_flags.h"

#include <fmt/ranges.h>

#include <vector>

#include "cli/flag_values.h"
#include "image/picture_rules.h"

namespace vggt {

void DeclarePictureFlags(CLI::App& app, PictureFlags& flags, const std::string& usual) {
  constexpr uint64_t kLargestPatch = 16;
  std::vector<std::string> rules;
  for (const PictureRule rule : kPictureRules) rules.emplace_back(PictureRuleName(rule));
  app.add_option("--picture_rule", flags.picture_rule,
                 fmt::format("how pictures become what the model sees, as a family\n"
                             "does it: {} [{}]",
                             fmt::join(rules, ", "), usual))
      ->type_name("RULE")
      ->check(OneOf(rules));
  app.add_option("--image_size", flags.image_size,
                 "width or longer side that the model sees: pixels, whole\n"
                 "patches of 14 or 16 [the rule's own: 518, 504 or 512]")
      ->type_name("N")
      ->check(WholeNumber(1, kLargestPatch * kMostPatches));
  app.add_flag("--exif_transpose", flags.exif_transpose,
               "turn pictures upright as their EXIF says, which VGGT does not");
}

}  // namespace vggt
