// SPDX-License-Identifier: Apache-2.0
#include "server/export_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "server/message.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMostOpen = 4;
// Of each open export: all heads of fifty pictures' layers.
constexpr uint64_t kNormalizerBytes = 128 << 20;
constexpr int kDeepest = 4;
constexpr size_t kMostEntries = 20'000;
constexpr size_t kMostListed = 200;
constexpr size_t kLongestPath = 4096;

bool IsBelow(const fs::path& root, const fs::path& path) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

bool IsManifest(const fs::path& path) {
  return path.filename() == kManifestName || path.filename() == kQkDescriptionName;
}

// The folder that people know an export by: the one that attn_maps/ or qk/ lies in.
fs::path ExportFolder(const fs::path& maps_folder, const fs::path& root) {
  const fs::path name = maps_folder.filename();
  const bool inside = maps_folder != root && (name == kMapsFolderName || name == kQkFolderName);
  return inside ? maps_folder.parent_path() : maps_folder;
}

std::string FromRoot(const fs::path& path, const fs::path& root) {
  return path.lexically_relative(root).generic_string();
}

std::string NameOf(const Export& described, const fs::path& folder) {
  return described.image_set_name.empty() ? folder.filename().string() : described.image_set_name;
}

std::string VersionOf(const std::vector<DescribingFile>& files) {
  std::string said;
  for (const auto& [path, is] : files) {
    said += fmt::format("{} {} {} {} ", is.inode, is.size, is.seconds, is.nanoseconds);
  }
  return fmt::format("{:016x}", std::hash<std::string>()(said));
}

// The walk of List().
class Walk {
 public:
  explicit Walk(const fs::path& root) : root_(root) {}

  ExportList Run() && {
    Enter(root_, 0);
    std::sort(list_.exports.begin(), list_.exports.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::move(list_);
  }

 private:
  void Enter(const fs::path& folder, int depth) {
    std::vector<fs::path> folders;
    bool manifest = false, metadata = false;
    std::error_code failed;
    for (fs::directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      if (++entries_ > kMostEntries) {
        full_ = list_.truncated = true;
        break;
      }
      std::error_code ignored;
      manifest = manifest || IsManifest(it->path());
      metadata = metadata || IsLayerMetadata(it->path());
      if (!it->path().filename().string().starts_with('.') &&
          it->symlink_status(ignored).type() == fs::file_type::directory) {
        folders.push_back(it->path());
      }
    }
    if ((manifest || metadata) && Add(folder, manifest)) return;
    if (depth == kDeepest) {
      list_.truncated = list_.truncated || !folders.empty();
      return;
    }
    std::sort(folders.begin(), folders.end());
    for (const fs::path& inner : folders) {
      if (full_) return;
      Enter(inner, depth + 1);
    }
  }

  // False if the folder is no export after all: others' metadata may bear such names.
  bool Add(const fs::path& maps_folder, bool certain) {
    if (list_.exports.size() == kMostListed) {
      full_ = list_.truncated = true;
      return true;
    }
    const fs::path folder = ExportFolder(maps_folder, root_);
    ListedExport listed{
        FromRoot(folder, root_), maps_folder.string(), folder.filename().string(), 0, 0, ""};
    // A store beside maps, which come first, belongs to the same export.
    if (!list_.exports.empty() && list_.exports.back().id == listed.id) return true;
    try {
      const Export described = OpenExport(maps_folder, root_);
      listed.name = NameOf(described, folder);
      listed.layers = described.layer_count();
      listed.frames = described.frames.frames;
    } catch (const Error& error) {
      if (!certain) return false;
      listed.error = error.problem();
    }
    list_.exports.push_back(std::move(listed));
    return true;
  }

  const fs::path& root_;
  size_t entries_ = 0;
  bool full_ = false;
  ExportList list_;
};

}  // namespace

bool IsReplaced(const OpenedExport& opened) { return AreReplaced(opened.files); }

std::string GeometryVersion(const Export& described) {
  try {
    const auto folder = described.GeometryFolder();
    const auto identity = folder ? IdentityOf(*folder / kCamerasName) : std::nullopt;
    return identity ? VersionOf({{*folder / kCamerasName, *identity}}) : "";
  } catch (const OutsideRoot&) {
    return "";
  }
}

fs::path ResolveBelow(const fs::path& root, const std::string& path) {
  if (path.empty() || path.size() > kLongestPath || path.find('\0') != std::string::npos) {
    throw Refusal(400, "is no path", path);
  }
  std::error_code failed;
  const fs::path whole = root / path;
  const fs::path found = fs::weakly_canonical(whole, failed);
  // Where links lead in circles nothing can be said of the place.
  if (failed) throw Refusal(404, "no such file or folder", path);
  if (!IsBelow(root, found)) {
    throw Refusal(403, "lies outside the folder that is served", path,
                  fmt::format("That is {}; 'vggt-attn view --root DIR' serves another.",
                              PrintableText(root.string())));
  }
  if (!fs::exists(found, failed)) throw Refusal(404, "no such file or folder", path);
  return found;
}

ExportCatalog::ExportCatalog(const fs::path& root, std::shared_ptr<InflatedCache> cache)
    : cache_(cache ? std::move(cache)
                   : std::make_shared<InflatedCache>(DefaultCacheFolder(),
                                                     InflatedCache::kUsualBytes)) {
  std::error_code failed;
  root_ = fs::canonical(root, failed);
  if (failed || !fs::is_directory(root_, failed)) throw Error("is no folder", root.string());
}

std::shared_ptr<const OpenedExport> ExportCatalog::Load(const fs::path& found) const {
  const Export described = OpenExport(found, root_);
  const fs::path maps_folder = ResolveBelow(root_, described.folder.string());
  const fs::path folder = ExportFolder(maps_folder, root_);
  // One layer's metadata stands for that layer alone.
  const bool one = IsLayerMetadata(found);
  std::string id = FromRoot(one ? found : folder, root_);
  std::string name = NameOf(described, folder);
  std::vector<DescribingFile> files = DescribingFiles(described);
  std::string version = VersionOf(files);
  std::unique_ptr<AttentionRows> rows;
  if (described.store && described.store->error.empty()) {
    rows = std::make_unique<AttentionRows>(described.store->file, root_, kNormalizerBytes);
  }
  return std::shared_ptr<const OpenedExport>(new OpenedExport{
      std::move(id), (one ? found : maps_folder).string(), std::move(name), std::move(version),
      std::move(files), described, MapReader(described.maps, {.root = root_, .cache = cache_}),
      std::move(rows)});
}

void ExportCatalog::Keep(std::shared_ptr<const OpenedExport> opened, bool as_latest) {
  const std::lock_guard lock(mutex_);
  std::erase_if(opened_, [&](const auto& other) { return other->id == opened->id; });
  if (!first_ || first_->id == opened->id) first_ = opened;
  if (as_latest || (latest_ && latest_->id == opened->id)) latest_ = opened;
  opened_.push_back(std::move(opened));
  if (opened_.size() > kMostOpen) {
    opened_.erase(opened_.front() == first_ ? opened_.begin() + 1 : opened_.begin());
  }
}

std::shared_ptr<const OpenedExport> ExportCatalog::Open(const std::string& path) {
  auto opened = Load(ResolveBelow(root_, path));
  Keep(opened, true);
  newly_opened_.notify_all();
  return opened;
}

std::shared_ptr<const OpenedExport> ExportCatalog::Latest() const {
  const std::lock_guard lock(mutex_);
  return latest_;
}

std::shared_ptr<const OpenedExport> ExportCatalog::AwaitOther(const OpenedExport* than,
                                                              std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const bool other =
      newly_opened_.wait(lock, std::move(stop), [&] { return latest_ && latest_.get() != than; });
  return other ? latest_ : nullptr;
}

std::shared_ptr<const OpenedExport> ExportCatalog::FindOpened(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (id.empty() && !first_) {
    throw Refusal(404, "no export is open", "", "/api/exports lists what can be opened.");
  }
  const std::string& wanted = id.empty() ? first_->id : id;
  const auto found = std::find_if(opened_.begin(), opened_.end(),
                                  [&](const auto& other) { return other->id == wanted; });
  if (found == opened_.end()) return nullptr;
  std::rotate(found, found + 1, opened_.end());
  return opened_.back();
}

std::shared_ptr<const OpenedExport> ExportCatalog::Get(const std::string& id) {
  auto opened = FindOpened(id);
  if (opened && !IsReplaced(*opened)) return opened;
  opened = Load(ResolveBelow(root_, opened ? opened->path : id));
  Keep(opened, false);
  return opened;
}

ExportList ExportCatalog::List() const { return Walk(root_).Run(); }

}  // namespace vggt
