// SPDX-License-Identifier: Apache-2.0
// The front door: a table of commands, and the one place where errors are caught.
#include "cli/command_line.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "backend/cpu/precision_choice.h"
#include "capture/capture_job.h"
#include "cli/command.h"
#include "cli/flag_names.h"
#include "cli/interrupt.h"
#include "core/error.h"
#include "image/capabilities.h"

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
    {"view", "show an export in the browser: click a patch, see where it looks", DeclareView},
    {"query", "compute exact attention of any token, for scripts and figures", DeclareQuery},
    {"figure", "draw a figure, or write its numbers, from a recipe", DeclareFigure},
    {"report", "write a report on a whole model: figures, tables, a page", DeclareReport},
    {"geometry", "give an export cameras and depth of its pictures", DeclareGeometry},
    {"inspect", "say what a checkpoint or an export holds", DeclareInspect},
    {"preprocess", "write pictures as the model will see them", DeclarePreprocess},
    {"synth-weights", "write synthetic weights, for tests and benchmarks", DeclareSynthWeights},
};

// "--num_images N   how many … [5]"; CLI11's own would list types, ranges and defaults in the name.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(28);
    label("OPTIONS", "FLAGS");
    label("SUBCOMMAND", "COMMAND");
    label("Positionals", "Arguments");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_positional()) return option->get_expected_max() > 1 ? " ..." : "";
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (option->get_required()) text += " (required)";
    if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
    return text;
  }
};

// Flags may be written with hyphens or underscores: "--num-images=3" becomes "--num_images=3".
std::string Normalize(std::string argument) {
  if (!argument.starts_with("--")) return argument;
  const size_t end = std::min(argument.find('='), argument.size());
  std::replace(argument.begin() + 2, argument.begin() + static_cast<std::ptrdiff_t>(end), '-', '_');
  return argument;
}

std::vector<std::string> CommandNames() {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  return names;
}

// The flags that `app` knows, as they are typed.
std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string UnknownArgument(const std::string& typed, const CLI::App& app, bool is_command) {
  const std::string word = typed.substr(0, typed.find('='));
  const bool is_flag = word.starts_with("-");
  std::string near;
  if (is_flag) near = Nearest(Normalize(word), FlagsOf(app));
  if (is_command) near = Nearest(word, CommandNames());
  return fmt::format("unknown {} '{}'{}",
                     is_flag      ? "flag"
                     : is_command ? "command"
                                  : "argument",
                     Printable(word), near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

// CLI11's error in one sentence of ours. `arguments` are as typed.
std::string UsageProblem(const CLI::ParseError& error, const CLI::App& app, const CLI::App& command,
                         const std::vector<std::string>& arguments) {
  const std::vector<std::string> unknown =
      command.remaining().empty() ? app.remaining() : command.remaining();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !unknown.empty()) {
    const auto typed = std::find_if(arguments.begin(), arguments.end(), [&](const auto& argument) {
      return Normalize(argument) == unknown.front();
    });
    const std::string& word = typed == arguments.end() ? unknown.front() : *typed;
    return UnknownArgument(word, command, &command == &app && !word.starts_with("-"));
  }
  const std::string text = error.what();
  const std::string flag = text.substr(0, text.find_first_of(": "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return text.ends_with("missing") ? flag + " needs a value" : "--" + flag + " takes no value";
  }
  return text;
}

// As with fmt::print, but without an exception if nobody can read it.
int Fail(const std::string& text, ExitStatus status = kFailed) {
  std::fputs(fmt::format("vggt-attn: {}\n", text).c_str(), stderr);
  return status;
}

int Main(const std::vector<std::string>& arguments) {
  CLI::App app("See what a multi-view transformer looks at.", "vggt-attn");
  app.formatter(std::make_shared<HelpFormatter>());
  app.option_defaults()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->disable_flag_override()
      ->group("Flags");
  app.set_version_flag(
      "--version",
      [] { return "vggt-attn " VGGT_VERSION "\n" + CapabilitiesText() + "\n" + PrecisionText(); },
      "print the version, what this build reads and what it computes in");
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(0, 1);
  app.footer(
      "Example:\n  vggt-attn export --image_set_name demo --num_images 6 --save_per_head\n\n"
      "'vggt-attn COMMAND --help' tells more about a command. Flags may be written with hyphens\n"
      "instead of underscores.");
  std::vector<std::function<int()>> runs;
  std::vector<CLI::App*> subs;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.about)->group("Commands");
    sub->set_help_flag("-h,--help", "print this help");
    subs.push_back(sub);
    runs.push_back(command.declare(*sub));
  }

  std::vector<std::string> last_first;  // as CLI11 takes them
  for (auto argument = arguments.rbegin(); argument != arguments.rend(); ++argument) {
    std::string normal = Normalize(*argument);
    // CLI11 would take the argument after "--layers=" for the value.
    if (normal.starts_with("--") && normal.find('=') == normal.size() - 1) {
      normal.pop_back();
      last_first.emplace_back();
    }
    last_first.push_back(std::move(normal));
  }
  const auto command = [&]() -> const CLI::App& {
    return app.get_subcommands().empty() ? app : *app.get_subcommands().front();
  };
  try {
    app.parse(last_first);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    const std::string problem = UsageProblem(error, app, command(), arguments);
    return Fail(fmt::format("{}{} See '{} --help'.", problem, problem.ends_with('?') ? "" : ".",
                            &command() == &app ? "vggt-attn" : "vggt-attn " + command().get_name()),
                kWrongUsage);
  }
  for (size_t i = 0; i < subs.size(); ++i) {
    if (subs[i]->parsed()) return runs[i]();
  }
  return Fail(fmt::format("no command: give one of {}. See 'vggt-attn --help'.",
                          fmt::join(CommandNames(), ", ")),
              kWrongUsage);
}

// A closed standard stream would make its number that of the next file opened, which messages would
// then be written into.
void OccupyStandardStreams() {
  int opened = 0;
  do {
    opened = open("/dev/null", O_RDONLY);
  } while (opened >= 0 && opened <= STDERR_FILENO);
  if (opened >= 0) close(opened);
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments) {
  OccupyStandardStreams();
  const SignalsAsBefore signals;
  // A reader that goes away ("| head") and a limit on the size of files are errors of one write,
  // not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int status = Main(arguments);
    // What did not fit into the stream's buffer was written, or was not, before.
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (written || status != kDone) return status;
    return Fail(fmt::format("cannot write to the standard output: {}", std::strerror(errno)));
  } catch (const Interrupted&) {
    return Fail("interrupted; nothing was written", kInterrupted);
  } catch (const WrongUsage& error) {
    return Fail(WithFlagNames(error.what()), kWrongUsage);
  } catch (const std::bad_alloc&) {
    return Fail(WithFlagNames(fmt::format("not enough memory. {}", kTakeLessMemory)));
  } catch (const std::exception& error) {
    return Fail(WithFlagNames(error.what()));
  }
}

}  // namespace vggt
