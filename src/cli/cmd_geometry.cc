// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <string>

#include "capture/added_geometry.h"
#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/error.h"

namespace vggt {
namespace {

struct GeometryFlags {
  std::string path, from;
  bool overwrite = false;
};

int RunGeometry(const GeometryFlags& flags) {
  NoteRecovery(flags.path);
  CatchInterrupts();
  const AddedGeometry added =
      AddGeometry(flags.path, flags.from, flags.overwrite, ThrowIfInterrupted);
  for (const std::string& note : added.summary.notes) fmt::print(stderr, "{}\n", note);
  fmt::print("wrote {}: {} cameras, {} depth maps, {} points\n",
             PrintableText(added.folder.string()), added.summary.cameras, added.summary.depth_maps,
             added.summary.points);
  return 0;
}

}  // namespace

std::function<int()> DeclareGeometry(CLI::App& app) {
  auto flags = std::make_shared<GeometryFlags>();
  app.add_option("export", flags->path, "an export")->check(SomeText())->required();
  app.add_option("--from", flags->from,
                 "cameras and depth of its pictures: a cameras.json, or a folder\nwith one, a "
                 "COLMAP model or a scan (pose/, depth/, intrinsic/)")
      ->type_name("PATH")
      ->check(SomeText())
      ->required();
  app.add_flag("--overwrite", flags->overwrite, "replace the geometry that it has");
  app.footer(
      "Example:\n"
      "  vggt-attn geometry attn_first2all_demo --from examples/demo\n"
      "writes attn_first2all_demo/geometry/: cameras, depth maps and points, also as PLY, GLB and\n"
      "a COLMAP model.");
  return [flags] { return RunGeometry(*flags); };
}

}  // namespace vggt
