// SPDX-License-Identifier: Apache-2.0
#include "weights/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "core/error.h"
#include "formats/safetensors.h"

namespace vggt {
namespace {

constexpr const char* kWhatToGive = "Give a .safetensors or PyTorch .pt file.";
constexpr size_t kGlance = 512;  // bytes looked at

struct Magic {
  size_t offset;
  std::string_view bytes;
  const char* what;
  const char* hint;
};

using namespace std::string_view_literals;

// Kinds of files that are refused, with the bytes by which they are recognised.
constexpr Magic kRefused[] = {
    {0, "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"sv,
     "is a legacy PyTorch file, from before 1.6",
     "Save it again with a newer PyTorch: torch.save(torch.load(file), new_file)."},
    {257, "ustar"sv, "is a tar archive, not a checkpoint",
     "Unpack it; if torch.save wrote it, load it with torch.load and save it again."},
    {0, "version https://git-lfs"sv, "is a Git LFS pointer, not the file it points to",
     "Fetch the file itself: git lfs pull."},
    {0, "\x1F\x8B"sv, "is compressed with gzip", "Unpack it first: gunzip."},
    {0, "\xFD\x37zXZ"sv, "is compressed with xz", "Unpack it first: unxz."},
    {0, "\x28\xB5\x2F\xFD"sv, "is compressed with Zstandard", "Unpack it first: unzstd."},
    {0, "\x89HDF\r\n\x1A\n"sv, "is an HDF5 file, not a checkpoint", kWhatToGive},
    {0, "GGUF"sv, "is a GGUF file, not a checkpoint that is read here", kWhatToGive},
    {0, "\x93NUMPY"sv, "is a NumPy array, not a checkpoint", kWhatToGive},
};

std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `text` without a byte order mark and white space at its beginning.
std::string_view SkipBlanks(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start == std::string_view::npos ? "" : text.substr(start);
}

bool IsWebPage(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.starts_with("<!doctype html") || lower.starts_with("<html") ||
         lower.starts_with("<head") || lower.starts_with("<?xml");
}

bool IsText(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return (c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7F;
  });
}

}  // namespace

FileKind DetectFileKind(Bytes bytes, const std::string& source) {
  if (bytes.empty()) throw Error("is empty", source, "Was the download interrupted?");
  if (LooksLikeSafetensors(bytes)) return FileKind::kSafetensors;
  const std::string_view start = AsText(bytes.first(std::min(bytes.size(), kGlance)));
  if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) return FileKind::kZip;
  for (const Magic& magic : kRefused) {
    if (start.size() > magic.offset && start.substr(magic.offset).starts_with(magic.bytes)) {
      throw Error(magic.what, source, magic.hint);
    }
  }
  if (start[0] == '\x80' && start.size() > 1 && start[1] >= 2 && start[1] <= 5) {
    throw Error("is a bare Python pickle, not a checkpoint", source,
                "Save the state_dict with torch.save.");
  }
  const std::string_view text = SkipBlanks(start);
  if (text.starts_with('{') && IsText(text)) return FileKind::kShardIndex;
  if (IsWebPage(text)) {
    throw Error("is a web page, not a checkpoint", source,
                "The download probably asks to log in or to accept a license first.");
  }
  if (IsText(start)) {
    const std::string line(text.substr(0, text.find_first_of("\r\n")));
    throw Error(fmt::format("is plain text, beginning '{}'", Printable(line, 40)), source,
                kWhatToGive);
  }
  throw Error("is not a checkpoint: neither safetensors nor PyTorch", source, kWhatToGive);
}

}  // namespace vggt
