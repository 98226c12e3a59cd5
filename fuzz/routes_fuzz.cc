// SPDX-License-Identifier: Apache-2.0
// Whatever is asked of the API: an answer of a known kind. The first line is the address with its
// parameters, as a browser writes them; then headers, a line each; the rest is the body.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/file.h"
#include "formats/json.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "image/png_codec.h"
#include "server/routes.h"

namespace {

namespace fs = std::filesystem;

// An export of two pictures of 2×3 patches with maps of two heads, and a store beside them.
struct Example {
  Example() {
    std::string name = "/dev/shm/vggt-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root = name;
    fs::create_directories(root / "a/attn_maps");
    fs::create_directories(root / "a/images");
    const std::vector<uint8_t> levels(6 * 2 * 2 * 6, 7);
    vggt::WriteNpz(root / "a/attn_maps/maps.npz", "heatmaps", "|u1", {6, 2, 2, 2, 3}, levels, true);
    for (const char* layer : {"1", "2"}) {
      vggt::WriteFileAtomic(
          root / "a/attn_maps" / (std::string("layer_0") + layer + "_metadata.json"),
          std::string(R"({"H_ds": 2, "W_ds": 3, "num_heads": 2, "per_head_vmax99": [0.5, 1],
                          "image_paths": ["../images/0.png", "../images/1.png"],
                          "npz_path": "maps.npz"})"));
    }
    for (const char* picture : {"0.png", "1.png"}) {
      vggt::WritePng(root / "a/images" / picture, 6, 4, std::vector<uint8_t>(72, 90));
    }
    WriteStore();
    catalog = std::make_unique<vggt::ExportCatalog>(root);
    catalog->Open("a");
    routes = std::make_unique<vggt::Routes>(*catalog, vggt::AccessRule{"127.0.0.1", ""});
  }
  ~Example() { fs::remove_all(root); }

  void WriteStore() const {
    vggt::QkDescription d;
    d.frames = 2;
    d.H_p = 2;
    d.W_p = 3;
    d.image_paths = {"../images/0.png", "../images/1.png"};
    d.blocks = {{vggt::BlockKind::kGlobal,
                 2,
                 4,
                 0.5,
                 {"camera"},
                 vggt::Attends::kAll,
                 {vggt::RopeType::k2d, 100, 1},
                 {{0, "layer_01", "global_01.safetensors"}, {2, "layer_03", "gone.safetensors"}}}};
    fs::create_directories(root / "a/qk");
    const vggt::Shape shape = d.shape(d.blocks[0]);
    std::vector<uint8_t> halves(static_cast<size_t>(2 * vggt::NumElements(shape)), 0x3A);
    vggt::SafetensorsWriter writer(
        root / "a/qk/global_01.safetensors",
        {{"q", vggt::DType::kF16, shape}, {"k", vggt::DType::kF16, shape}}, {});
    writer.Append(halves);
    writer.Append(halves);
    writer.Commit();
    vggt::WriteFileAtomic(root / "a/qk/attention.json", vggt::QkDescriptionText(d));
  }

  fs::path root;
  std::unique_ptr<vggt::ExportCatalog> catalog;
  std::unique_ptr<vggt::Routes> routes;
};

std::string NextLine(std::string& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string line = text.substr(0, end);
  text.erase(0, end + 1);
  return line;
}

vggt::Request RequestOf(std::string text) {
  vggt::Request request;
  std::string address = NextLine(text);
  request.method = address.starts_with("POST ") ? "POST" : "GET";
  if (request.method == "POST") address.erase(0, 5);
  const size_t question = std::min(address.find('?'), address.size());
  request.path = address.substr(0, question);
  std::string pairs = address.substr(std::min(question + 1, address.size()));
  while (!pairs.empty()) {
    const size_t end = std::min(pairs.find('&'), pairs.size());
    const std::string pair = pairs.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    request.params.emplace_back(pair.substr(0, equals),
                                pair.substr(std::min(equals + 1, pair.size())));
    pairs.erase(0, end + 1);
  }
  request.host = NextLine(text);
  if (request.host.empty()) request.host = "localhost";
  request.content_type = NextLine(text);
  if (request.content_type.empty()) request.content_type = "application/json";
  for (std::string* header : {&request.origin, &request.fetch_site, &request.if_none_match}) {
    *header = NextLine(text);
  }
  request.body = text;
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Example example;
  const vggt::Response response =
      example.routes->Handle(RequestOf({reinterpret_cast<const char*>(data), size}));
  constexpr std::array kStatus = {200, 304, 400, 403, 404, 405, 415, 422};
  if (std::find(kStatus.begin(), kStatus.end(), response.status) == kStatus.end()) std::abort();
  for (const auto& [name, value] : response.headers) {
    if (value.size() > 1000 || value.find_first_of("\r\n") != std::string::npos) std::abort();
  }
  if (response.content_type == "application/json") {
    const vggt::Json json = vggt::ParseJson(response.body, "answer");
    if (response.status >= 400 && !json["error"]["what"].is_string()) std::abort();
  } else if (response.status >= 400) {
    std::abort();
  }
  return 0;
}
