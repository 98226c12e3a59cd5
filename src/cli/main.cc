// SPDX-License-Identifier: Apache-2.0
// The front door: a table of commands, and the one place where errors are caught.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <new>

#include "cli/command.h"
#include "cli/suggest.h"
#include "core/error.h"

namespace vggt {
namespace {

enum ExitStatus { kDone = 0, kFailed = 1, kWrongUsage = 2, kInterrupted = 130 };

struct Command {
  const char* name;
  const char* about;
  DeclareCommand declare;
};

constexpr Command kCommands[] = {
    {"export", "pictures and a checkpoint in, attention maps out", DeclareExport},
    {"inspect", "say what a checkpoint or an export holds", DeclareInspect},
    {"preprocess", "write pictures as the model will see them", DeclarePreprocess},
    {"synth-weights", "write synthetic weights, for tests and benchmarks", DeclareSynthWeights},
};

// Flags may be written with hyphens or underscores: "--num-images=3" becomes "--num_images=3".
std::string Normalize(std::string argument) {
  if (!argument.starts_with("--")) return argument;
  const size_t end = std::min(argument.find('='), argument.size());
  std::replace(argument.begin() + 2, argument.begin() + static_cast<std::ptrdiff_t>(end), '-', '_');
  return argument;
}

// The flags that `app` knows, as they are typed.
std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string UsageProblem(const CLI::ParseError& error, const CLI::App& app) {
  const CLI::App& command = app.get_subcommands().empty() ? app : *app.get_subcommands().front();
  std::vector<std::string> unknown = command.remaining();
  if (unknown.empty()) unknown = app.remaining();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr || unknown.empty()) {
    return error.what();
  }
  const std::string& word = unknown.front();
  if (!word.starts_with("-") && &command == &app) {
    std::vector<std::string> names;
    for (const Command& c : kCommands) names.emplace_back(c.name);
    const std::string near = Nearest(word, names);
    return fmt::format("unknown command '{}'{}", Printable(word),
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  const std::string flag = word.substr(0, word.find('='));
  const std::string near = flag.starts_with("-") ? Nearest(flag, FlagsOf(command)) : "";
  return fmt::format("unknown {} '{}'{}", flag.starts_with("-") ? "flag" : "argument",
                     Printable(flag), near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

int Fail(const std::string& text) {
  fmt::print(stderr, "vggt-attn: {}\n", text);
  return kFailed;
}

int Main(int argc, char** argv) {
  CLI::App app("See what a multi-view transformer looks at.", "vggt-attn");
  app.set_version_flag("--version", "vggt-attn " VGGT_VERSION);
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(0, 1);
  app.footer(
      "Example:\n  vggt-attn export --image_set_name demo --num_images 6 --save_per_head\n\n"
      "'vggt-attn COMMAND --help' tells more about a command.");
  std::vector<std::function<int()>> runs;
  std::vector<CLI::App*> subs;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.about);
    sub->set_help_flag("-h,--help", "print this help");
    subs.push_back(sub);
    runs.push_back(command.declare(*sub));
  }

  std::vector<std::string> arguments;  // CLI11 takes them last first
  for (int i = argc - 1; i > 0; --i) arguments.push_back(Normalize(argv[i]));
  try {
    app.parse(arguments);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "vggt-attn: {}\nSee 'vggt-attn --help'.\n", UsageProblem(error, app));
    return kWrongUsage;
  }
  for (size_t i = 0; i < subs.size(); ++i) {
    if (subs[i]->parsed()) return runs[i]();
  }
  fmt::print("{}", app.help());
  return argc > 1 ? kWrongUsage : kDone;
}

}  // namespace
}  // namespace vggt

int main(int argc, char** argv) {
  // A reader that goes away ("| head") is an error of one write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return vggt::Main(argc, argv);
  } catch (const vggt::Interrupted&) {
    vggt::Fail("interrupted; nothing was written");
    return vggt::kInterrupted;
  } catch (const std::bad_alloc&) {
    return vggt::Fail(
        "not enough memory. Take fewer pictures (--num_images), fewer rows of the maps "
        "(--stride_h, "
        "--stride_w), or average the heads.");
  } catch (const std::exception& error) {
    return vggt::Fail(error.what());
  }
}
