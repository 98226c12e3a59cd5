// SPDX-License-Identifier: Apache-2.0
#include "weights/pickle.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using namespace std::string_literals;
using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using Kind = PickleValue::Kind;

// A pickle of protocol 2 with these opcodes. It takes an array, so that literals keep zero bytes.
template <size_t kSize>
std::string Of(const char (&opcodes)[kSize]) {
  return "\x80\x02" + std::string(opcodes, kSize - 1);
}

Pickle Parse(const std::string& bytes) { return Pickle(AsBytes(bytes), "p.pkl"); }

std::string PickleErrorFor(const std::string& bytes) {
  return ErrorOf([&] { Parse(bytes); });
}

TEST(Pickle, Literals) {
  EXPECT_EQ(Parse(Of("N.")).root().kind, Kind::kNone);
  EXPECT_EQ(Parse(Of("\x88.")).root().integer, 1);
  EXPECT_EQ(Parse(Of("\x89.")).root().kind, Kind::kBool);
  EXPECT_EQ(Parse(Of("K\xFF.")).root().integer, 255);
  EXPECT_EQ(Parse(Of("M\x01\x80.")).root().integer, 0x8001);
  EXPECT_EQ(Parse(Of("J\xFE\xFF\xFF\xFF.")).root().integer, -2);
  EXPECT_EQ(Parse(Of("\x8A\x00.")).root().integer, 0);
  EXPECT_EQ(Parse(Of("\x8A\x01\xFF.")).root().integer, -1);
  EXPECT_EQ(Parse(Of("\x8A\x05\x00\x00\x00\x00\x01.")).root().integer, int64_t{1} << 32);
  EXPECT_EQ(Parse(Of("\x8A\x08\x00\x00\x00\x00\x00\x00\x00\x80.")).root().integer, INT64_MIN);
  EXPECT_EQ(Parse(Of("\x8A\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00.")).root().kind, Kind::kOpaque);
  EXPECT_EQ(Parse(Of("G\xBF\xF8\x00\x00\x00\x00\x00\x00.")).root().real, -1.5);
  EXPECT_EQ(Parse(Of("X\x02\x00\x00\x00hi.")).root().text, "hi");
  EXPECT_EQ(Parse(Of("U\x02hi.")).root().text, "hi");
  EXPECT_EQ(Parse(Of("cmod\nname\n.")).root().text, "mod name");
}

TEST(Pickle, LaterProtocols) {
  const std::string protocol4 =
      "\x80\x04\x95\x0B\x00\x00\x00\x00\x00\x00\x00\x8C\x01m\x94\x8C\x01n\x93."s;
  EXPECT_EQ(Parse(protocol4).root().text, "m n");
  const std::string protocol3(
      "\x80\x03"
      "C\x01x.");
  EXPECT_EQ(Parse(protocol3).root().text, "x");
  EXPECT_EQ(Parse(Of("\x8D\x01\x00\x00\x00\x00\x00\x00\x00x.")).root().text, "x");
  EXPECT_EQ(Parse(Of("\x8F(K\x01\x90.")).root().kind, Kind::kOpaque);
  EXPECT_EQ(Parse(Of("(K\x01\x91.")).root().kind, Kind::kOpaque);
  EXPECT_EQ(Parse(Of("cm\nn\n)}\x92.")).root().kind, Kind::kCall);
  EXPECT_THAT(PickleErrorFor("\x80\x05N."), HasSubstr("protocol 5, expected 2 to 4"));
  EXPECT_THAT(PickleErrorFor("(lp0\n."), HasSubstr("not a pickle of protocol 2 or later"));
  EXPECT_THAT(PickleErrorFor(""), HasSubstr("not a pickle"));
}

TEST(Pickle, Containers) {
  const Pickle tuples = Parse(Of("K\x01\x85K\x02K\x03\x86(K\x04K\x05K\x06K\x07t\x87."));
  const PickleValue& outer = tuples.root();
  ASSERT_EQ(outer.items.size(), 3U);
  EXPECT_EQ(outer.items[0]->items[0]->integer, 1);
  EXPECT_EQ(outer.items[1]->items[1]->integer, 3);
  EXPECT_EQ(outer.items[2]->items[3]->integer, 7);

  const Pickle lists =
      Parse(Of("]K\x01"
               "a(K\x02K\x03"
               "e."));
  EXPECT_EQ(lists.root().kind, Kind::kList);
  ASSERT_EQ(lists.root().items.size(), 3U);
  EXPECT_EQ(lists.root().items[2]->integer, 3);

  const Pickle dicts = Parse(Of("}K\x01K\x02s(K\x03K\x04K\x05K\x06u."));
  EXPECT_EQ(dicts.root().kind, Kind::kDict);
  ASSERT_EQ(dicts.root().items.size(), 6U);
  EXPECT_EQ(dicts.root().items[5]->integer, 6);
}

TEST(Pickle, CallsAreRecordedAndNeverMade) {
  const Pickle pickle = Parse(Of("cos\nsystem\nU\x02ls\x85R."));
  const PickleValue& call = pickle.root();
  EXPECT_EQ(call.kind, Kind::kCall);
  EXPECT_EQ(call.callee->text, "os system");
  ASSERT_EQ(call.items.size(), 1U);
  EXPECT_EQ(call.items[0]->items[0]->text, "ls");
  // Attributes, entries and items of objects are dropped.
  EXPECT_EQ(Parse(Of("cm\nn\n)\x81}bK\x01K\x02sK\x03"
                     "a."))
                .root()
                .kind,
            Kind::kCall);
}

TEST(Pickle, OrderedDictsAreDictionaries) {
  const Pickle pickle = Parse(Of("ccollections\nOrderedDict\n)RK\x01K\x02s}K\x09K\x09sb."));
  EXPECT_EQ(pickle.root().kind, Kind::kDict);
  ASSERT_EQ(pickle.root().items.size(), 2U);
  EXPECT_EQ(pickle.root().items[1]->integer, 2);
}

TEST(Pickle, PersistentIds) {
  const Pickle pickle = Parse(Of("K\x05Q."));
  EXPECT_EQ(pickle.root().kind, Kind::kStored);
  EXPECT_EQ(pickle.root().items[0]->integer, 5);
}

TEST(Pickle, MemoSharesValues) {
  const Pickle pickle =
      Parse(Of("}q\x01r\x00\x00\x01\x00\x30]h\x01"
               "aj\x00\x00\x01\x00"
               "a."));
  ASSERT_EQ(pickle.root().items.size(), 2U);
  EXPECT_EQ(pickle.root().items[0], pickle.root().items[1]);
  const Pickle itself =
      Parse(Of("]q\x00h\x00"
               "a."));
  EXPECT_EQ(itself.root().items[0], &itself.root());
  EXPECT_THAT(PickleErrorFor(Of("h\x07.")),
              HasSubstr("opcode 0x68 reads memo 7, which was never written"));
}

TEST(Pickle, DeepNestingNeedsNoStack) {
  std::string bytes = Of("N");
  for (int i = 0; i < 1'000'000; ++i) bytes += '\x85';
  const Pickle pickle = Parse(bytes + ".");
  EXPECT_EQ(pickle.root().items.size(), 1U);
}

TEST(Pickle, ErrorsNameOpcodeAndByte) {
  EXPECT_EQ(PickleErrorFor(Of("Ncm\nn\nV.")),
            "p.pkl, byte 9: pickle opcode 0x56 is not one that tensors need. Save a plain "
            "state_dict.");
}

TEST(Pickle, MalformedProgramsAreRefused) {
  const std::string malformed[] = {
      Of("."),             // nothing to return
      Of("(."),            // a mark alone
      Of("t."),            // no mark
      Of("\x85."),         // nothing to wrap
      Of("N(\x85t."),      // reaches below the mark
      Of("N(0."),          //
      Of("N(R."),          //
      Of("1."),            // no mark
      Of("K\x01K\x01R."),  // arguments that are no tuple
      Of("K\x01K\x02K\x03s."),
      Of("K\x01K\x02"
         "a."),
      Of("}(K\x01u."),  // a key without value
      Of("N(u."),       // in None
      Of("N}b0."),      // nothing left
      Of("}b."),        // attributes of nothing
      Of("Q."),
      Of("K\x01K\x01\x93."),  // names that are no texts
      Of("q\x01."),           // nothing to remember
      Of("\x94."),
      Of("X\xFF\xFF\xFF\x7Fx."),
      Of("X\x02\x00\x00\x00x."),
      Of("\x8D\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx."),
      Of("B\xFF\xFF\xFF\xFFx."),
      Of("cno end"),
  };
  for (const std::string& bytes : malformed) {
    EXPECT_THAT(PickleErrorFor(bytes), HasSubstr("p.pkl, byte")) << Printable(bytes);
  }
}

TEST(Pickle, LimitsHold) {
  EXPECT_THAT(PickleErrorFor(Of("") + std::string(2'000'001, 'N') + "."),
              HasSubstr("more than 2000000 values"));
  std::string steps = Of("Nq\x01");
  for (int i = 0; i < 5'000'001; ++i)
    steps +=
        "h\x01"
        "0";
  EXPECT_THAT(PickleErrorFor(steps + "."), HasSubstr("more than 10000000 steps"));
  EXPECT_THAT(PickleErrorFor(Of("N") + std::string(2'000'001, '\x94') + "."),
              HasSubstr("fills the memo beyond its limit"));
  EXPECT_THAT(PickleErrorFor(Of("X\x41\x42\x0F\x00") + std::string(2'000'000, 'x')),
              HasSubstr("a text of 1000001 bytes"));
  EXPECT_THAT(PickleErrorFor(Of("c") + std::string(2'000'000, 'x')), HasSubstr("does not end"));
  // Long names are joined many times.
  std::string names = Of("X\x40\x42\x0F\x00") + std::string(1'000'000, 'x') + "q\x01";
  for (int i = 0; i < 100; ++i) names += "h\x01h\x01\x93";
  EXPECT_THAT(PickleErrorFor(names + "."), HasSubstr("makes the texts longer than allowed"));
}

TEST(Pickle, TruncatedAnywhereIsRefused) {
  const std::string whole =
      Of("}(X\x01\x00\x00\x00"
         "a\x8A\x02\x01\x02K\x01\x86U\x01"
         "bcm\nn\n)Ru.");
  EXPECT_EQ(Parse(whole).root().items.size(), 4U);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(PickleErrorFor(whole.substr(0, size)), HasSubstr("p.pkl, byte")) << size;
  }
}

}  // namespace
}  // namespace vggt
