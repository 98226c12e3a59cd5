// SPDX-License-Identifier: Apache-2.0
// The geometry/ of an export as the page takes it: cameras, points and depth of its frames
// (docs/http-api.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "core/file.h"
#include "core/parallel.h"
#include "geometry/scene_geometry.h"
#include "server/export_catalog.h"
#include "server/message.h"

namespace vggt {

// From any number of threads.
class GeometryAnswers {
 public:
  static constexpr const char* kBegin = "/api/geometry";

  // Answers a GET of an address that begins with kBegin. What was read last is kept for the next
  // question. Throws Refusal: 404 for an export without geometry, without the layer of the lens
  // that is asked for, and for addresses that there are not, 400 for parameters; RequestError for
  // their values; else Error.
  Response Answer(const Request& request, const std::shared_ptr<const OpenedExport>& opened,
                  const StopCheck& stop_check);

 private:
  using Scene = std::shared_ptr<const SceneGeometry>;

  // `layer`: from 0; none: all of them.
  Scene SceneOf(const std::shared_ptr<const OpenedExport>& opened, std::optional<int64_t> layer);
  Scene ReadScene(const std::shared_ptr<const OpenedExport>& opened,
                  const std::filesystem::path& folder);

  std::mutex mutex_;
  std::weak_ptr<const OpenedExport> of_;
  std::optional<FileIdentity> identity_;  // of the cameras' file, before it was read
  Scene scene_;
  // What was made of a layer's file, in the world of scene_.
  std::optional<FileIdentity> lens_identity_;
  std::optional<int64_t> lens_layer_;
  Scene lens_;
};

}  // namespace vggt
