// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "server/export_catalog.h"
#include "server/http.h"
#include "server/preparer.h"
#include "server/routes.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

struct ViewFlags {
  std::string path;  // "": the current folder
  std::string server_name = "127.0.0.1";
  int server_port = 7860;
  std::string root, base_url;
  std::vector<std::string> allow_host;
  bool open = false;
  uint64_t cache_gb = 8;
};

// The folder that holds the export at `path`, pictures and all.
fs::path DefaultRoot(const fs::path& path) {
  std::error_code failed;
  const fs::path whole = fs::canonical(path, failed);
  if (failed) throw Error("no such file or folder", path.string());
  const fs::path folder = fs::is_directory(whole) ? whole : whole.parent_path();
  const bool part = folder.filename() == kMapsFolderName || folder.filename() == kQkFolderName;
  const bool inside = part && LooksLikeExport(folder);
  return inside ? folder.parent_path() : folder;
}

// The id of the export below the root that was written last; "" if there is none.
std::string NewestExport(const ExportCatalog& catalog) {
  std::string newest;
  fs::file_time_type newest_time = fs::file_time_type::min();
  for (const ListedExport& listed : catalog.List().exports) {
    std::error_code failed;
    const auto time = fs::last_write_time(catalog.root() / listed.path, failed);
    if (!failed && listed.error.empty() && (newest.empty() || time > newest_time)) {
      newest = listed.id;
      newest_time = time;
    }
  }
  return newest;
}

// Opens what the page shows at first; nullptr if there is nothing to show yet.
std::shared_ptr<const OpenedExport> OpenFirst(ExportCatalog& catalog, const std::string& path) {
  const std::string given = path.empty() ? "." : path;
  if (LooksLikeExport(given)) return catalog.Open(fs::absolute(given).string());
  std::error_code ignored;
  if (!fs::is_directory(given, ignored)) {
    throw Error("is no export", given,
                "Give an export's folder, its attn_maps/, a manifest or one layer's metadata.");
  }
  const std::string newest = NewestExport(catalog);
  if (!newest.empty()) return catalog.Open(newest);
  if (!path.empty()) {
    throw Error("holds no export", path, "'vggt-attn export' writes one.");
  }
  return nullptr;
}

std::string MachineName() {
  std::array<char, 256> name = {};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string Address(const std::string& name, int port) {
  const bool bare_v6 = name.find(':') != std::string::npos && name.front() != '[';
  return fmt::format("http://{}:{}/", bare_v6 ? "[" + name + "]" : name, port);
}

void Announce(const OpenedExport* opened, const ExportCatalog& catalog, const AccessRule& access,
              const std::string& address, int port) {
  if (opened == nullptr) {
    fmt::print("No export yet in {}; what is written there can be opened on the page.\n",
               PrintableText(catalog.root().string()));
  } else {
    const Export& e = opened->described;
    const int64_t num_heads = e.maps.empty() ? 0 : e.maps.back().metadata.num_heads;
    const std::string heads =
        num_heads > 0 ? fmt::format("{} heads", num_heads) : "mean of the heads";
    fmt::print("Showing {}: {} layers, {}, {} frames\n",
               PrintableText((catalog.root() / opened->path).lexically_normal().string()),
               e.layer_count(), opened->rows == nullptr ? heads : "exact attention",
               e.frames.frames);
  }
  fmt::print("\n  {}\n\n", address);
  if (!IsLoopback(access.server_name)) {
    fmt::print(
        "There is no password: whoever reaches this machine over the network can see the exports "
        "in\n{}",
        PrintableText(catalog.root().string()));
    if (IsAnyAddress(access.server_name) && !access.machine_name.empty()) {
      fmt::print(", at {}", Address(Printable(access.machine_name), port));
    }
    fmt::print("\n");
  }
  fmt::print("Ctrl-C ends it.\n");
  std::fflush(stdout);
}

// In the desktop's browser; says so if that fails.
void OpenBrowser(const std::string& address) {
  // The child takes signals as usual, which this program does not.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, ignored_here;
  sigemptyset(&none);
  sigemptyset(&ignored_here);
  sigaddset(&ignored_here, SIGPIPE);
  sigaddset(&ignored_here, SIGXFSZ);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &ignored_here);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_WRONLY, 0);
  }
  std::string program = "xdg-open", argument = address;
  std::array<char*, 3> arguments = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const bool started =
      posix_spawnp(&child, program.c_str(), &files, &attributes, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  // On some desktops it stays until the browser is closed.
  std::thread([started, child] {
    int status = 0;
    if (!started || (waitpid(child, &status, 0) == child && status != 0)) {
      std::fputs("vggt-attn: no browser could be opened (xdg-open); open the address yourself\n",
                 stderr);
    }
  }).detach();
}

CLI::Validator BaseUrl() {
  return {[](std::string& path) {
            while (path.size() > 1 && path.back() == '/') path.pop_back();
            const bool fine = path.size() > 1 && path.front() == '/' &&
                              path.find_first_of("?#% \t\r\n\\") == std::string::npos;
            return fine ? "" : "'" + path + "' is no path such as /proxy/7860";
          },
          "PATH"};
}

CLI::Validator HostOfProxy() {
  return {[](std::string& host) {
            return IsHostName(host) ? "" : "'" + host + "' is no name of a host, without port";
          },
          "HOST"};
}

int RunView(const ViewFlags& options) {
  const std::string path = options.path.empty() ? "." : options.path;
  NoteRecovery(path);
  const fs::path root = options.root.empty() ? DefaultRoot(path) : fs::path(options.root);
  const uint64_t cache_bytes = options.cache_gb << 30;
  ExportCatalog catalog(root, std::make_shared<InflatedCache>(DefaultCacheFolder(), cache_bytes,
                                                              "Allow it more: --cache_gb."));
  const auto opened = OpenFirst(catalog, options.path);

  HoldInterrupts();
  const AccessRule access{options.server_name, MachineName(), options.allow_host};
  const Routes routes(catalog, access, kAnswerTime, options.base_url);
  HttpServer server(options.server_name, options.server_port,
                    [&](const Request& request) { return routes.Handle(request); });
  const std::string address =
      Address(IsAnyAddress(options.server_name) ? "127.0.0.1" : options.server_name, server.port());
  // Nothing is left to be tidied up, and a layer being inflated would take its time.
  std::thread([] {
    AwaitInterrupt();
    std::_Exit(0);
  }).detach();
  Announce(opened.get(), catalog, access, address, server.port());
  if (options.open) OpenBrowser(address);
  const Preparer preparer(catalog);
  server.Serve();
  return 0;
}

}  // namespace

std::function<int()> DeclareView(CLI::App& app) {
  auto options = std::make_shared<ViewFlags>();
  app.add_option("path", options->path, "an export, or a folder of exports: shows the newest [.]")
      ->check(SomeText());
  app.add_option("--server_port", options->server_port, "port to listen on; 0 takes any free one")
      ->check(WholeNumber(0, 65535))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--server_name", options->server_name,
                 "address to listen on; 0.0.0.0: the network, too")
      ->check(SomeText())
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--root", options->root, "nothing outside is opened [the folder shown]")
      ->check(SomeText())
      ->type_name("DIR");
  app.add_option("--base_url", options->base_url, "where a proxy puts the page: /proxy/7860")
      ->transform(BaseUrl())
      ->type_name("PATH");
  app.add_option("--allow_host", options->allow_host, "name by which a proxy is asked; repeatable")
      ->check(HostOfProxy())
      ->type_name("HOST");
  app.add_flag("--open", options->open, "open the page in the desktop's browser");
  app.add_option("--cache_gb", options->cache_gb,
                 "disk space to unpack layers in, in $TMPDIR or /var/tmp")
      ->check(WholeNumber(1, 100'000))
      ->type_name("N")
      ->capture_default_str();
  app.footer(
      "Example:\n"
      "  vggt-attn view attn_first2all_demo\n"
      "serves a page: click a patch, see where it looks. The path may also be an attn_maps/ "
      "folder,\n"
      "a manifest or one layer's metadata. Scripts can ask the same server: docs/http-api.md.");
  return [options] { return RunView(*options); };
}

}  // namespace vggt
