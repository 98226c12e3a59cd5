// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/flag_values.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "core/error.h"
#include "model/synthetic.h"

namespace vggt {
namespace {

struct SynthFlags {
  std::string preset = "vggt-1b", dtype = "F32", output;
  uint64_t seed = 0;
  bool heads = false, overwrite = false;
};

std::string UpperCase(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

int RunSynth(const SynthFlags& options) {
  std::error_code ignored;
  if (!options.overwrite && std::filesystem::exists(options.output, ignored)) {
    throw Error("exists already", options.output, "Use --overwrite to replace it.");
  }
  const std::map<std::string, DType> dtypes = {
      {"F32", DType::kF32}, {"F16", DType::kF16}, {"BF16", DType::kBF16}};
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    if (options.preset != preset.name) continue;
    CatchInterrupts();
    ProgressDisplay display(false);
    display.Begin("writing");
    const Existing existing = options.overwrite ? Existing::kReplace : Existing::kRefuse;
    WriteSyntheticCheckpoint(
        options.output, preset.plan, dtypes.at(options.dtype), options.seed,
        [&](double share) {
          ThrowIfInterrupted();
          display.Update(share, "");
        },
        {.existing = existing}, options.heads ? SyntheticHeads(preset.plan) : HeadsPlan());
    display.End();
    fmt::print("wrote {}: {}, {}, seed {}, {}\n", Printable(options.output, 1000), preset.about,
               options.dtype, options.seed,
               HumanBytes(static_cast<double>(std::filesystem::file_size(options.output))));
  }
  return 0;
}

}  // namespace

std::function<int()> DeclareSynthWeights(CLI::App& app) {
  auto options = std::make_shared<SynthFlags>();
  std::vector<std::string> presets;
  std::string about;
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    presets.emplace_back(preset.name);
    about += fmt::format("\n  {:<10} {}", preset.name, preset.about);
  }
  app.add_option("--preset", options->preset, "extents of the model: see below")
      ->check(OneOf(presets))
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--seed", options->seed, "other seeds give other weights")
      ->check(WholeNumber(0, UINT64_MAX))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--dtype", options->dtype, "number type: F32, F16 or BF16")
      ->check(OneOf({"F32", "F16", "BF16"}))
      ->transform(UpperCase)
      ->type_name("TYPE")
      ->capture_default_str();
  app.add_option("-o,--output", options->output, "safetensors file to write")
      ->check(SomeText())
      ->type_name("FILE")
      ->required();
  app.add_flag("--heads", options->heads, "also the heads that predict cameras, depth and points");
  app.add_flag("--overwrite", options->overwrite, "replace an existing file");
  app.footer(
      "Presets:" + about +
      "\n\nExample:\n"
      "  vggt-attn synth-weights --preset vggt-1b --seed 1 -o vggt-1b.synthetic.safetensors\n"
      "writes meaningless weights of the real size (3.6 GB), for tests and benchmarks.");
  return [options] { return RunSynth(*options); };
}

}  // namespace vggt
