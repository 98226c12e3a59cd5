// SPDX-License-Identifier: Apache-2.0
// The page's questions, answered in this process, as `vggt-attn view` answers them.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <memory>
#include <tuple>
#include <utility>

#include "binding/binding.h"
#include "core/parallel.h"
#include "server/export_catalog.h"
#include "server/routes.h"

namespace nb = nanobind;
namespace fs = std::filesystem;
using namespace nb::literals;  // NOLINT(google-build-using-namespace)

namespace vggt::python {
namespace {

// A question that may be given up before it is answered.
class Question {
 public:
  Question(std::string method, std::string path, RequestParams params, std::string content_type,
           std::string body) {
    request_.method = std::move(method);
    request_.path = std::move(path);
    request_.params = std::move(params);
    request_.host = "localhost";  // whoever has the channel may ask
    request_.content_type = std::move(content_type);
    request_.body = std::move(body);
    request_.abandoned = abandoned_;
  }

  const Request& request() const { return request_; }
  void Abandon() { *abandoned_ = true; }

 private:
  const std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
  Request request_;
};

using Answer = std::tuple<int, std::vector<std::pair<std::string, std::string>>, nb::bytes>;

class Viewer {
 public:
  Viewer(const fs::path& root, const fs::path& path)
      : catalog_(root), first_(catalog_.Open(fs::absolute(path).string())) {}

  const std::string& path() const { return first_->path; }
  const fs::path& root() const { return catalog_.root(); }

  Answer Ask(const Question& question) const {
    Response response;
    {
      const nb::gil_scoped_release released;
      // Python's threads are many; what needs all processors is computed in the lanes of Routes.
      const OneThreadHere alone;
      response = routes_.Handle(question.request());
    }
    if (!response.content_type.empty()) {
      response.headers.emplace_back("Content-Type", response.content_type);
    }
    return {response.status, std::move(response.headers),
            nb::bytes(response.body.data(), response.body.size())};
  }

 private:
  ExportCatalog catalog_;
  std::shared_ptr<const OpenedExport> first_;
  const Routes routes_{catalog_, AccessRule{.server_name = "localhost", .machine_name = ""}};
};

}  // namespace

void BindViewer(nb::module_& module) {
  nb::class_<Question>(module, "Question")
      .def(nb::init<std::string, std::string, RequestParams, std::string, std::string>(),
           "method"_a, "path"_a, "params"_a, "content_type"_a, "body"_a)
      .def("abandon", &Question::Abandon, "Nobody waits for the answer any more.");
  nb::class_<Viewer>(module, "Viewer")
      .def(nb::init<const fs::path&, const fs::path&>(), "root"_a, "path"_a)
      .def_prop_ro("path", &Viewer::path, "The export, as links name it.")
      .def_prop_ro("root", &Viewer::root, "Nothing outside is opened.")
      .def("ask", &Viewer::Ask, "question"_a,
           "Status, headers and body. From any number of threads, which it does not hold up.");
}

}  // namespace vggt::python
