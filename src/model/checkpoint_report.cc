// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "model/families.h"
#include "model/model_choice.h"

namespace vggt {
namespace {

// Problems that one message names.
constexpr size_t kMostNamed = 20;

// Whether a tensor is one that the plan's family has beside what is read.
bool IsNotRead(const ModelPlan& plan, std::string_view name) {
  return std::ranges::any_of(plan.not_read,
                             [&](const std::string& begin) { return name.starts_with(begin); });
}

// Names by what stands before their first dot, with counts: "camera_head (69)".
std::vector<std::string> Groups(const std::vector<std::string>& names) {
  std::map<std::string, size_t> counts;
  for (const std::string& name : names) ++counts[name.substr(0, name.find('.'))];
  std::vector<std::string> groups;
  for (const auto& [group, count] : counts) {
    groups.push_back(fmt::format("{} ({})", Printable(group), count));
  }
  return groups;
}

// What is wrong with a tensor; "" if nothing is.
std::string TensorProblem(const Checkpoint& checkpoint, const std::string& name,
                          const Shape& shape) {
  const TensorView* tensor = checkpoint.Find(name);
  if (tensor == nullptr) return Printable(name) + " is missing";
  if (tensor->shape != shape) {
    return fmt::format("{} has shape {}, expected {}", Printable(name), ShapeText(tensor->shape),
                       ShapeText(shape));
  }
  if (tensor->dtype == DType::kOther || tensor->dtype == DType::kU8) {
    return Printable(name) + " has a number type other than F32, F16, BF16";
  }
  return "";
}

// Adds the names of the head's tensors to `known`.
HeadReport InspectHead(const Checkpoint& checkpoint, const std::string& prefix, const char* name,
                       const std::vector<WantedTensor>& tensors, std::set<std::string>& known) {
  HeadReport report{name, {}, 0, tensors.size()};
  for (const WantedTensor& wanted : tensors) {
    known.insert(prefix + wanted.name);
    std::string problem = TensorProblem(checkpoint, prefix + wanted.name, wanted.shape);
    if (problem.empty()) {
      ++report.found;
    } else {
      report.problems.push_back(std::move(problem));
    }
  }
  return report;
}

std::vector<HeadReport> InspectHeads(const Checkpoint& checkpoint, const HeadsPlan& heads,
                                     std::set<std::string>& known) {
  std::vector<HeadReport> reports;
  const auto add = [&](const char* name, const std::vector<WantedTensor>& tensors) {
    reports.push_back(InspectHead(checkpoint, heads.prefix, name, tensors, known));
  };
  if (heads.camera) add(kCameraHeadName, HeadTensors(*heads.camera));
  if (heads.depth) add(kDepthHeadName, HeadTensors(*heads.depth));
  if (heads.points) add(kPointHeadName, HeadTensors(*heads.points));
  return reports;
}

// Throws one Error about all problems unless there are none. `of`: whose tensors they are.
void Refuse(const std::vector<std::string>& problems, size_t wanted, const std::string& of,
            const Checkpoint& checkpoint) {
  if (problems.empty()) return;
  std::string all =
      fmt::format("{} of {} tensors{} are missing or wrong:", problems.size(), wanted, of);
  const size_t named = std::min(problems.size(), kMostNamed);
  for (size_t i = 0; i < named; ++i) all += "\n  " + problems[i];
  if (problems.size() > named) {
    all +=
        fmt::format("\n  and {} more: 'vggt-attn inspect' names them all", problems.size() - named);
  }
  throw Error(all, checkpoint.name());
}

}  // namespace

CheckpointReport InspectCheckpoint(const Checkpoint& checkpoint, const std::string& key,
                                   const std::string& family) {
  CheckpointReport report;
  const std::string prefix = MeantPrefix(checkpoint, key);
  report.plan = FamilyOf(checkpoint, prefix, family).read(checkpoint, prefix);
  report.families = FamiliesOf(checkpoint, prefix);
  std::set<std::string> known, dtypes;
  for (const WantedTensor& wanted : PlanTensors(report.plan)) {
    const std::string name = prefix + wanted.name;
    known.insert(name);
    if (!wanted.used) continue;
    ++report.wanted;
    const std::string problem = TensorProblem(checkpoint, name, wanted.shape);
    if (problem.empty()) {
      ++report.found;
      dtypes.insert(DTypeName(checkpoint.Find(name)->dtype));
    } else {
      report.problems.push_back(problem);
    }
  }
  if (report.plan.vggt_heads) {
    // The number of attention heads shows in no shape.
    const HeadsPlan heads = ReadHeads(checkpoint, report.plan, {.camera_heads = 1});
    report.heads = InspectHeads(checkpoint, heads, known);
  }
  std::vector<std::string> ignored;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (known.contains(name)) continue;
    const bool inside = !report.plan.not_read.empty() && name.starts_with(prefix);
    if (inside && !IsNotRead(report.plan, std::string_view(name).substr(prefix.size()))) {
      report.problems.push_back(
          fmt::format("{} is no tensor of {}", Printable(name), report.plan.family));
    }
    ignored.push_back(name);
  }
  report.ignored = ignored.size();
  report.ignored_groups = Groups(ignored);
  report.dtypes.assign(dtypes.begin(), dtypes.end());
  return report;
}

ModelPlan ReadModelPlan(const Checkpoint& checkpoint, const std::string& key,
                        const std::string& family) {
  CheckpointReport report = InspectCheckpoint(checkpoint, key, family);
  Refuse(report.problems, report.wanted, "", checkpoint);
  return std::move(report.plan);
}

HeadsPlan ReadHeadsPlan(const Checkpoint& checkpoint, const ModelPlan& model,
                        const WantedHeads& wanted, const HeadsOptions& options) {
  if (!model.vggt_heads) {
    throw Error(fmt::format("the prediction heads of {} are not read", model.family),
                checkpoint.name());
  }
  HeadsPlan heads = ReadHeads(checkpoint, model, options);
  const auto demand = [&](bool is_wanted, bool there, const char* name) {
    if (!is_wanted || there) return;
    throw Error(fmt::format("the checkpoint has no {0}: no tensor is named {1}{0}.…", name,
                            Printable(heads.prefix)),
                checkpoint.name());
  };
  demand(wanted.camera, heads.camera.has_value(), kCameraHeadName);
  demand(wanted.depth, heads.depth.has_value(), kDepthHeadName);
  demand(wanted.points, heads.points.has_value(), kPointHeadName);
  if (!wanted.camera) heads.camera.reset();
  if (!wanted.depth) heads.depth.reset();
  if (!wanted.points) heads.points.reset();
  std::set<std::string> known;
  for (const HeadReport& head : InspectHeads(checkpoint, heads, known)) {
    Refuse(head.problems, head.wanted, " of the " + head.name, checkpoint);
  }
  return heads;
}

}  // namespace vggt
