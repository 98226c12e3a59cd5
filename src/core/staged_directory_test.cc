// SPDX-License-Identifier: Apache-2.0
#include "core/staged_directory.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <random>
#include <thread>

#include "core/durability.h"
#include "kill_testing.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::ForbidRenameAt2;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SteppedProcess;
using testing::TestDir;
using ::testing::UnorderedElementsAre;

// Stands for an export's list: a folder with a manifest has these files.
std::set<fs::path> OwnFiles(const fs::path& folder) {
  if (!fs::exists(folder / "own_manifest")) throw Error("holds no export", folder.string());
  return {"own_manifest", "own_a", "maps/own_b", "../escaped", "link/own_c"};
}

void WriteExport(const fs::path& folder, const std::string& text) {
  fs::create_directories(folder / "maps");
  for (const char* name : {"own_a", "maps/own_b", "own_manifest"}) {
    WriteFileAtomic(folder / name, text, {.sync = Sync::kLater});
  }
}

// The text that WriteExport wrote, if all files of the folder have it; else "".
std::string TextOf(const fs::path& folder) {
  std::string text;
  for (const char* name : {"own_a", "maps/own_b", "own_manifest"}) {
    if (!fs::exists(folder / name)) return "";
    const std::string one = ReadFile(folder / name);
    if (!text.empty() && one != text) return "";
    text = one;
  }
  return text;
}

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(StagedDirectory, AppearsOnCommitOnly) {
  const TestDir dir;
  StagedDirectory staged(dir / "deep/out");
  WriteFileAtomic(staged.staging() / "a", "1");
  EXPECT_FALSE(fs::exists(dir / "deep/out"));
  EXPECT_THAT(staged.Commit(), IsEmpty());
  EXPECT_EQ(ReadFile(dir / "deep/out/a"), "1");
  EXPECT_THAT(NamesIn(dir / "deep"), ElementsAre("out"));
}

TEST(StagedDirectory, LeavesNothingWithoutCommit) {
  const TestDir dir;
  {
    const StagedDirectory staged(dir / "deep/er/out");
    WriteFileAtomic(staged.staging() / "a", "1");
  }
  EXPECT_TRUE(dir.empty());
}

TEST(StagedDirectory, HasThePermissionsOfTheUmask) {
  const TestDir dir;
  const mode_t before = umask(027);
  StagedDirectory(dir / "out").Commit();
  umask(before);
  EXPECT_EQ(static_cast<int>(fs::status(dir / "out").permissions()), 0750);
}

TEST(StagedDirectory, RefusesWhatExistsUnlessToldTo) {
  const TestDir dir;
  WriteExport(dir / "out", "old");
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out"); }),
              HasSubstr("exists already. Choose another name."));
  { const StagedDirectory abandoned(dir / "out", OwnFiles); }
  EXPECT_EQ(TextOf(dir / "out"), "old");
  StagedDirectory staged((dir / "out").string() + "/", OwnFiles);
  WriteFileAtomic(staged.staging() / "new", "2");
  EXPECT_THAT(staged.Commit(), IsEmpty());
  EXPECT_THAT(NamesIn(dir / "out"), ElementsAre("new"));
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("out"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out", OwnFiles); }),
              HasSubstr("holds no export"));
}

TEST(StagedDirectory, FollowsALinkToTheFolderThatIsReplaced) {
  const TestDir dir;
  WriteExport(dir / "real", "old");
  fs::create_symlink("real", dir / "out");
  StagedDirectory staged(dir / "out", OwnFiles);
  WriteExport(staged.staging(), "new");
  staged.Commit();
  EXPECT_TRUE(fs::is_symlink(dir / "out"));
  EXPECT_EQ(TextOf(dir / "out"), "new");
}

TEST(StagedDirectory, KeepsWhatIsNotItsOwn) {
  for (const bool exchanges : {true, false}) {
    const TestDir dir;
    WriteExport(dir / "out", "old");
    fs::create_directories(dir / "out/maps/mine");
    fs::create_directories(dir / "outside");
    WriteFileAtomic(dir / "out/notes.txt", "precious");
    WriteFileAtomic(dir / "out/maps/mine/thesis.txt", "precious");
    WriteFileAtomic(dir / "out/clash", "precious");
    WriteFileAtomic(dir / "escaped", "precious");
    WriteFileAtomic(dir / "outside/own_c", "precious");
    fs::create_symlink("../outside", dir / "out/link");
    SteppedProcess process([&] {
      if (!exchanges) ForbidRenameAt2();
      StagedDirectory staged(dir / "out", OwnFiles);
      WriteExport(staged.staging(), "new");
      WriteFileAtomic(staged.staging() / "clash", "new");
      std::string kept;
      for (const fs::path& path : staged.Commit()) kept += path.string() + "\n";
      WriteFileAtomic(dir / "kept", kept);
    });
    while (process.Step()) {
    }
    ASSERT_TRUE(process.succeeded());
    EXPECT_EQ(TextOf(dir / "out"), "new");
    EXPECT_EQ(ReadFile(dir / "out/notes.txt"), "precious");
    EXPECT_EQ(ReadFile(dir / "out/maps/mine/thesis.txt"), "precious");
    EXPECT_EQ(ReadFile(dir / "out/clash"), "new");
    EXPECT_EQ(ReadFile(dir / "out/clash-2"), "precious");
    EXPECT_EQ(ReadFile(dir / "escaped"), "precious");
    EXPECT_EQ(ReadFile(dir / "out/link/own_c"), "precious");
    EXPECT_THAT(NamesIn(dir.path()), ElementsAre("escaped", "kept", "out", "outside"));
    for (const char* name : {"notes.txt", "maps/mine", "clash-2", "link"}) {
      EXPECT_THAT(ReadFile(dir / "kept"), HasSubstr(name));
    }
  }
}

TEST(StagedDirectory, SaysWhereFilesAreThatCannotBeMoved) {
  const TestDir dir;
  const std::string longest(255, 'x');  // so that no free name fits beside it
  WriteExport(dir / "out", "old");
  WriteFileAtomic(dir / "out/zotes.txt", "precious");
  fs::create_directories(dir / "out/mine/empty");
  fs::create_directory(dir / "other");
  std::ofstream(dir / ("out/" + longest)) << "precious";
  {
    StagedDirectory staged(dir / "out", OwnFiles);
    WriteExport(staged.staging(), "new");
    std::ofstream(staged.staging() / longest) << "new";
    EXPECT_THAT(ErrorOf([&] { staged.Commit(); }),
                ::testing::AllOf(HasSubstr("out: was replaced, but some of your files"),
                                 HasSubstr("File name too long"), HasSubstr("They are in ")));
  }
  EXPECT_EQ(TextOf(dir / "out"), "new");
  EXPECT_EQ(ReadFile(dir / "out/zotes.txt"), "precious");
  EXPECT_TRUE(fs::exists(dir / "out/mine/empty"));
  // It stays there, however often it is looked for, until it can be moved.
  for (int i = 0; i < 2; ++i) {
    const Recovery recovery = RecoverAbandoned(dir.path());
    ASSERT_EQ(recovery.stranded.size(), 1U);
    EXPECT_THAT(recovery.removed, IsEmpty());
    EXPECT_EQ(ReadFile(recovery.stranded[0].folder / "new" / longest), "precious");
  }
  fs::remove(dir / ("out/" + longest));
  EXPECT_EQ(RecoverAbandoned(dir.path()).removed.size(), 1U);
  EXPECT_EQ(ReadFile(dir / ("out/" + longest)), "precious");
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("other", "out"));
}

TEST(StagedDirectory, KeepsThePermissionsOfWhatItReplaces) {
  const TestDir dir;
  WriteExport(dir / "out", "old");
  fs::permissions(dir / "out", fs::perms(0700));
  StagedDirectory staged(dir / "out", OwnFiles);
  WriteExport(staged.staging(), "new");
  staged.Commit();
  EXPECT_EQ(TextOf(dir / "out"), "new");
  EXPECT_EQ(static_cast<int>(fs::status(dir / "out").permissions()), 0700);
}

TEST(StagedDirectory, ReplacesNothingThatAppearsMeanwhile) {
  const TestDir dir;
  StagedDirectory staged(dir / "out");
  WriteExport(staged.staging(), "new");
  fs::create_directory(dir / "out");
  WriteFileAtomic(dir / "out/precious.txt", "precious");
  EXPECT_THAT(ErrorOf([&] { staged.Commit(); }),
              HasSubstr("out: was created meanwhile. It was not touched. The complete result is "
                        "in " +
                        (dir / "out-2").string()));
  EXPECT_THAT(NamesIn(dir / "out"), ElementsAre("precious.txt"));
  EXPECT_EQ(TextOf(dir / "out-2"), "new");
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("out", "out-2"));
}

TEST(StagedDirectory, ReplacesNoExportThatBecameSomethingElse) {
  const TestDir dir;
  WriteExport(dir / "out", "old");
  StagedDirectory staged(dir / "out", OwnFiles);
  WriteExport(staged.staging(), "new");
  fs::remove(dir / "out/own_manifest");
  EXPECT_THAT(ErrorOf([&] { staged.Commit(); }), HasSubstr("has changed meanwhile and"));
  EXPECT_EQ(ReadFile(dir / "out/own_a"), "old");
  EXPECT_EQ(TextOf(dir / "out-2"), "new");
}

TEST(StagedDirectory, OfSeveralAtOnceOneStandsWhole) {
  for (const bool overwrite : {false, true}) {
    const TestDir dir;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&dir, overwrite, i] {
        try {
          StagedDirectory staged(dir / "out", overwrite ? ListOwnFiles(OwnFiles) : nullptr);
          WriteExport(staged.staging(), "export " + std::to_string(i));
          staged.Commit();
        } catch (const Error&) {
          // Another thread was quicker; this one's folder is kept under another name.
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(TextOf(dir / "out"), HasSubstr("export ")) << overwrite;
    for (const auto& entry : fs::directory_iterator(dir.path())) {
      EXPECT_THAT(TextOf(entry.path()), HasSubstr("export ")) << entry.path();
    }
    if (overwrite) {
      EXPECT_THAT(NamesIn(dir.path()), ElementsAre("out"));
    }
  }
}

TEST(StagedDirectory, ErrorsNameTheFinalPlace) {
  const TestDir dir;
  const StagedDirectory staged(dir / "out");
  const Error error("cannot write", staged.staging() / "maps/a.npz", "Free space.");
  EXPECT_EQ(staged.AtFinalPlace(error).what(), dir / "out/maps/a.npz: cannot write. Free space.");
  const Error other("cannot read", "b.png");
  EXPECT_STREQ(staged.AtFinalPlace(other).what(), "b.png: cannot read");
}

TEST(StagedDirectory, NeverReplacesAFile) {
  const TestDir dir;
  dir.Write("out", "precious");
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out", OwnFiles); }), HasSubstr("is a file"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out/below", OwnFiles); }),
              HasSubstr("cannot create"));
  // The parents that could be made are not left behind.
  const std::string too_long(300, 'a');
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / ("new/deep/" + too_long), OwnFiles); }),
              HasSubstr("File name too long"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / ("new/" + too_long + "/deep"), OwnFiles); }),
              HasSubstr("File name too long"));
  EXPECT_THAT(NamesIn(dir.path()), ElementsAre("out"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory("/", OwnFiles); }), HasSubstr("not a folder"));
}

// Replaces the export "out".
void Replace(const TestDir& dir) {
  StagedDirectory staged(dir / "out", OwnFiles);
  WriteExport(staged.staging(), "new");
  staged.Commit();
}

class Killed : public ::testing::TestWithParam<bool> {
 protected:
  void Begin() {
    fs::remove_all(dir_ / "out");
    WriteExport(dir_ / "out", "old");
    WriteFileAtomic(dir_ / "out/notes.txt", "precious", {.sync = Sync::kLater});
  }

  std::function<void()> Body() {
    return [this] {
      if (!GetParam()) ForbidRenameAt2();
      Replace(dir_);
    };
  }

  // What must hold after a kill at any moment.
  void Check(const std::string& when) {
    // Where names cannot be exchanged, the export may be missing until the next command.
    if (GetParam()) {
      ASSERT_THAT(TextOf(dir_ / "out"), ::testing::AnyOf("old", "new")) << when;
    }
    const Recovery recovery = RecoverAbandoned(dir_.path());
    ASSERT_THAT(TextOf(dir_ / "out"), ::testing::AnyOf("old", "new")) << when;
    ASSERT_THAT(NamesIn(dir_.path()), ElementsAre("out")) << when;
    ASSERT_THAT(NamesIn(dir_ / "out"), ElementsAre("maps", "notes.txt", "own_a", "own_manifest"))
        << when;
    ASSERT_EQ(ReadFile(dir_ / "out/notes.txt"), "precious") << when;
    ASSERT_THAT(recovery.unknown, IsEmpty()) << when;
  }

  TestDir dir_;
};

TEST_P(Killed, AtEverySystemCallOldOrNewIsWhole) {
  std::set<std::string> seen;
  for (int stop = 0;; ++stop) {
    Begin();
    SteppedProcess process(Body());
    for (int i = 0; i <= stop && process.Step(); ++i) {
    }
    process.Kill();
    Check("stop " + std::to_string(stop));
    if (HasFatalFailure()) return;
    seen.insert(TextOf(dir_ / "out"));
    if (process.succeeded()) break;
    ASSERT_LT(stop, 5000);
  }
  EXPECT_THAT(seen, UnorderedElementsAre("old", "new"));
}

// Where names cannot be exchanged, the name is free for a moment. What takes it then keeps it.
TEST_P(Killed, NothingIsLostIfSomebodyTakesTheName) {
  int taken = 0;
  for (int stop = 0;; ++stop) {
    Begin();
    SteppedProcess process(Body());
    for (int i = 0; i <= stop && process.Step(); ++i) {
    }
    process.Kill();
    if (!fs::exists(dir_ / "out")) {
      ++taken;
      fs::create_directory(dir_ / "out");
      WriteFileAtomic(dir_ / "out/hello", "stranger", {.sync = Sync::kLater});
      RecoverAbandoned(dir_.path());
      ASSERT_THAT(NamesIn(dir_.path()), ElementsAre("out", "out-2")) << stop;
      ASSERT_THAT(NamesIn(dir_ / "out"), ElementsAre("hello")) << stop;
      ASSERT_EQ(TextOf(dir_ / "out-2"), "new") << stop;
      ASSERT_EQ(ReadFile(dir_ / "out-2/notes.txt"), "precious") << stop;
      fs::remove_all(dir_ / "out-2");
    }
    RecoverAbandoned(dir_.path());
    if (process.succeeded()) break;
  }
  EXPECT_EQ(taken > 0, !GetParam());
}

TEST_P(Killed, AtRandomOldOrNewIsWhole) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Begin();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Body()();
      _exit(0);
    }
    usleep(random() % 4000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    Check("round " + std::to_string(round));
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(FileSystems, Killed, ::testing::Values(true, false), [](const auto& info) {
  return info.param ? "ThatExchangeNames" : "ThatDoNot";
});

// A power cut loses what was not synced. All data are synced before the name changes, and the
// folder that holds the name after it.
TEST(StagedDirectory, DataAreOnTheDiskBeforeTheirName) {
  const TestDir dir;
  WriteExport(dir / "out", "old");
  SteppedProcess process([&] { Replace(dir); });
  std::set<fs::path> synced;
  bool named = false, parent_synced = false;
  while (process.Step()) {
    __ptrace_syscall_info info = {};
    ASSERT_GT(ptrace(PTRACE_GET_SYSCALL_INFO, process.pid(), sizeof(info), &info), 0);
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    if (info.entry.nr == SYS_fsync || info.entry.nr == SYS_fdatasync) {
      const fs::path link =
          fmt::format("/proc/{}/fd/{}", process.pid(), static_cast<int>(info.entry.args[0]));
      const fs::path path = fs::read_symlink(link);
      synced.insert(path);
      parent_synced = parent_synced || (named && path == fs::canonical(dir.path()));
    } else if (info.entry.nr == SYS_write || info.entry.nr == SYS_pwrite64) {
      EXPECT_FALSE(named) << "written after the name was given";
    } else if (info.entry.nr == SYS_renameat2 && info.entry.args[4] == RENAME_EXCHANGE) {
      named = true;
      int files = 0;
      for (const auto& entry : fs::directory_iterator(dir.path())) {
        const fs::path staging = fs::canonical(entry.path()) / "new";
        if (!fs::exists(staging)) continue;
        EXPECT_TRUE(synced.contains(staging));
        for (const auto& file : fs::recursive_directory_iterator(staging)) {
          EXPECT_TRUE(synced.contains(file.path())) << file.path();
          files += file.is_regular_file() ? 1 : 0;
        }
      }
      EXPECT_EQ(files, 3);
    }
  }
  EXPECT_TRUE(process.succeeded());
  EXPECT_TRUE(named);
  EXPECT_TRUE(parent_synced);
}

TEST(RecoverAbandoned, LeavesRunningAndForeignFoldersAlone) {
  const TestDir dir;
  StagedDirectory running(dir / "out");
  fs::create_directory(dir / ".other.partial-abcdef");  // version 0.1, or another program's
  WriteFileAtomic(dir / ".other.partial-abcdef/a", "1");
  fs::create_directory(dir / ".locked.partial-abcdef");
  WriteFileAtomic(dir / ".locked.partial-abcdef/lock", "mine");
  dir.Write(".file.partial-abcdef", "1");
  fs::create_symlink("/", dir / ".link.partial-abcdef");
  const Recovery recovery = RecoverAbandoned(dir.path());
  EXPECT_THAT(recovery.removed, IsEmpty());
  EXPECT_THAT(recovery.unknown,
              UnorderedElementsAre(dir / ".other.partial-abcdef", dir / ".locked.partial-abcdef"));
  EXPECT_TRUE(fs::exists(dir / ".other.partial-abcdef/a"));
  EXPECT_TRUE(fs::exists(dir / ".locked.partial-abcdef/lock"));
  WriteExport(running.staging(), "new");
  running.Commit();
  EXPECT_EQ(TextOf(dir / "out"), "new");
}

TEST(RecoverAbandoned, RemovesWhatAKilledProcessLeft) {
  const TestDir dir;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    StagedDirectory staged(dir / "out");
    WriteFileAtomic(staged.staging() / "a", std::string(1000, 'x'));
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  fs::create_directory(dir / ".empty.partial-abcdef");  // killed at once
  const Recovery recovery = RecoverAbandoned(dir.path());
  EXPECT_EQ(recovery.removed.size(), 1U);
  EXPECT_GE(recovery.removed_bytes, 1000U);
  EXPECT_TRUE(dir.empty());
  EXPECT_TRUE(RecoverAbandoned(dir.path()).empty());
  EXPECT_TRUE(RecoverAbandoned(dir / "gone").empty());
}

}  // namespace
}  // namespace vggt
