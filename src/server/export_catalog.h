// SPDX-License-Identifier: Apache-2.0
// Lists the exports below one folder and keeps those that were used last open.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "attention/attention_rows.h"
#include "store/export/export_reader.h"
#include "store/export/export_version.h"
#include "store/maps/map_reader.h"

namespace vggt {

// An open export. Whoever holds it can go on reading when the catalog has dropped it.
struct OpenedExport {
  std::string id;       // the path from the root to what was opened: its folder; "." is the root
  std::string path;     // its attn_maps/ (or qk/), or the one layer's metadata; absolute
  std::string name;     // of the image set, or else of the folder
  std::string version;  // another once the export on disk is another
  std::vector<DescribingFile> files;  // which tell that
  Export described;
  MapReader maps;                       // of described.maps
  std::unique_ptr<AttentionRows> rows;  // null if it has no store that can be read
};

// Whether another export has taken its place (store/export/export_version.h).
bool IsReplaced(const OpenedExport& opened);

// Which geometry/ an export has now: another once its cameras are others; "" if it has none.
std::string GeometryVersion(const Export& described);

// An export as listed: id, path and name as above.
struct ListedExport {
  std::string id, path, name;
  size_t layers = 0;
  int64_t frames = 0;
  std::string error;  // why it cannot be opened; empty if it can
};

struct ExportList {
  std::vector<ListedExport> exports;  // by id
  bool truncated = false;             // there may be more: a limit ended the search
};

// From any number of threads.
class ExportCatalog {
 public:
  // `root`: a folder; nothing outside it is opened, symbolic links resolved. `cache`: for the
  // layers of all open exports; null: one of the usual size. Throws Error if there is no such
  // folder.
  explicit ExportCatalog(const std::filesystem::path& root,
                         std::shared_ptr<InflatedCache> cache = nullptr);

  const std::filesystem::path& root() const { return root_; }  // absolute, links resolved
  const InflatedCache& cache() const { return *cache_; }

  // Opens afresh what `path` names, absolute or below the root. Throws Refusal (403) outside the
  // root, (404) if there is no such thing; else Error.
  std::shared_ptr<const OpenedExport> Open(const std::string& path);

  // An export by its id; opens it if it is not open, and afresh if another stands on disk now. "":
  // the first that was ever opened, whatever was opened since; Refusal (404) if there is none.
  std::shared_ptr<const OpenedExport> Get(const std::string& id);

  // The export that Open opened last; nullptr if there is none.
  std::shared_ptr<const OpenedExport> Latest() const;
  // Waits until that is another than `than`, and returns it. Returns nullptr as soon as a stop is
  // requested.
  std::shared_ptr<const OpenedExport> AwaitOther(const OpenedExport* than, std::stop_token stop);

  // What can be opened below the root: at most 4 folders deep, 20,000 entries and 200 exports;
  // hidden folders and links to folders are left out.
  ExportList List() const;

 private:
  std::shared_ptr<const OpenedExport> Load(const std::filesystem::path& found) const;
  std::shared_ptr<const OpenedExport> FindOpened(const std::string& id);
  void Keep(std::shared_ptr<const OpenedExport> opened, bool as_latest);

  std::filesystem::path root_;
  std::shared_ptr<InflatedCache> cache_;
  mutable std::mutex mutex_;
  std::condition_variable_any newly_opened_;
  std::vector<std::shared_ptr<const OpenedExport>> opened_;  // the least recently used first
  std::shared_ptr<const OpenedExport> first_;  // what is answered to those who name none
  std::shared_ptr<const OpenedExport> latest_;
};

// `path` as it is on disk, links resolved. Throws Refusal: 403 if it lies outside `root`, whether
// it exists or not; 404 if it does not exist.
std::filesystem::path ResolveBelow(const std::filesystem::path& root, const std::string& path);

}  // namespace vggt
