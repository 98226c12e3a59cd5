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

ModelPlan AnnouncedPlan(const Checkpoint& checkpoint, const std::string& key) {
  const std::vector<std::string> prefixes = ModelPrefixes(checkpoint);
  if (prefixes.empty()) throw UnknownModel(checkpoint);
  const std::string prefix = ChoosePrefix(prefixes, key, checkpoint.name());
  const auto families = ModelFamilies();
  const auto family = std::find_if(families.begin(), families.end(), [&](const ModelFamily& f) {
    return checkpoint.Find(prefix + std::string(f.anchor)) != nullptr;
  });
  return family->read(checkpoint, prefix);
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

}  // namespace

CheckpointReport InspectCheckpoint(const Checkpoint& checkpoint, const std::string& key) {
  CheckpointReport report;
  report.plan = AnnouncedPlan(checkpoint, key);
  const std::string& prefix = report.plan.prefix;
  std::set<std::string> known, dtypes;
  for (const WantedTensor& wanted : PlanTensors(report.plan)) {
    const std::string name = prefix + wanted.name;
    known.insert(name);
    if (!wanted.used) continue;
    ++report.wanted;
    const TensorView* tensor = checkpoint.Find(name);
    if (tensor == nullptr) {
      report.problems.push_back(Printable(name) + " is missing");
    } else if (tensor->shape != wanted.shape) {
      report.problems.push_back(fmt::format("{} has shape {}, expected {}", Printable(name),
                                            ShapeText(tensor->shape), ShapeText(wanted.shape)));
    } else if (tensor->dtype == DType::kOther || tensor->dtype == DType::kU8) {
      report.problems.push_back(Printable(name) + " has a number type other than F32, F16, BF16");
    } else {
      ++report.found;
      dtypes.insert(DTypeName(tensor->dtype));
    }
  }
  std::vector<std::string> ignored;
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    if (!known.contains(name)) ignored.push_back(name);
  }
  report.ignored = ignored.size();
  report.ignored_groups = Groups(ignored);
  report.dtypes.assign(dtypes.begin(), dtypes.end());
  return report;
}

ModelPlan ReadModelPlan(const Checkpoint& checkpoint, const std::string& key) {
  CheckpointReport report = InspectCheckpoint(checkpoint, key);
  if (!report.problems.empty()) {
    std::string all = fmt::format("{} of {} tensors are missing or wrong:", report.problems.size(),
                                  report.wanted);
    const size_t named = std::min(report.problems.size(), kMostNamed);
    for (size_t i = 0; i < named; ++i) all += "\n  " + report.problems[i];
    if (report.problems.size() > named) {
      all += fmt::format("\n  and {} more: 'vggt-attn inspect' names them all",
                         report.problems.size() - named);
    }
    throw Error(all, checkpoint.name());
  }
  return std::move(report.plan);
}

}  // namespace vggt
