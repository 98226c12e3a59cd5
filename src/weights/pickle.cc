// SPDX-License-Identifier: Apache-2.0
// A pickle is a program for a machine with a stack, marks on it, and a memo of numbered values.
// PickleMachine runs it, but its opcodes only build values:
//   - None, booleans, numbers, texts, bytes, tuples, lists and dictionaries become such values.
//   - GLOBAL and STACK_GLOBAL, by which Python imports a class or function, become its name.
//   - REDUCE, NEWOBJ and NEWOBJ_EX, by which Python calls it, become a kCall of the name and the
//     arguments. torch_archive.cc recognises those that rebuild tensors. Only for OrderedDict an
//     empty dictionary is made, which later opcodes fill.
//   - BUILD, by which Python sets attributes, drops them.
//   - BINPERSID, by which torch.save refers to a storage in the archive, becomes a kStored.
//   - The memo lets a value occur in several places, also inside itself.
// Every other opcode is refused: the text forms of protocol 0, INST and OBJ, extension codes, and
// all of protocol 5.
//
// Opcodes, values and bytes of text are counted against limits, so that a small file cannot take
// much time or memory. Values are owned by one deque and refer to each other by pointers; reading
// and deleting them needs no recursion, however deeply they are nested.
#include "weights/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <utility>

#include "core/error.h"

namespace vggt {
namespace {

constexpr size_t kLongestText = 1'000'000;
constexpr size_t kMostTextBytes = 100'000'000;  // of all texts together
constexpr size_t kMostValues = 2'000'000;
constexpr size_t kMostSteps = 10'000'000;

using Kind = PickleValue::Kind;

enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8A,
  // protocol 3
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  // protocol 4
  kShortBinUnicode = 0x8C,
  kBinUnicode8 = 0x8D,
  kBinBytes8 = 0x8E,
  kEmptySet = 0x8F,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
};

}  // namespace

// The machine described above.
class PickleMachine {
 public:
  PickleMachine(Bytes bytes, const std::string& source, Pickle& pickle)
      : cursor_(bytes, source), pickle_(pickle) {}

  void Run() {
    if (cursor_.left() < 2 || cursor_.Read<uint8_t>("the protocol") != kProto) {
      cursor_.Fail("is not a pickle of protocol 2 or later");
    }
    const int protocol = cursor_.Read<uint8_t>("the protocol");
    if (protocol < 2 || protocol > 4) {
      cursor_.Fail(fmt::format("pickle protocol {}, expected 2 to 4", protocol),
                   "Save the file again with torch.save's defaults.");
    }
    for (size_t step = 0; step < kMostSteps; ++step) {
      opcode_ = cursor_.Read<uint8_t>("the next opcode");
      if (opcode_ == kStop) {
        pickle_.root_ = Pop();
        return;
      }
      if (!RunLiteral(opcode_) && !RunContainer(opcode_) && !RunMemo(opcode_)) {
        Fail("is not one that tensors need", "Save a plain state_dict.");
      }
    }
    cursor_.Fail(fmt::format("the pickle takes more than {} steps", kMostSteps));
  }

 private:
  using Values = std::vector<PickleValue*>;

  [[noreturn]] void Fail(const std::string& problem, const std::string& hint = "") const {
    cursor_.Fail(fmt::format("pickle opcode 0x{:02X} {}", opcode_, problem), hint);
  }

  // Each of the next three functions runs `opcode` if it is of its kind, and returns whether it is.

  // --- values without parts ---
  bool RunLiteral(uint8_t opcode) {
    switch (opcode) {
      case kNone:
        New(Kind::kNone);
        return true;
      case kNewTrue:
      case kNewFalse:
        New(Kind::kBool)->integer = opcode == kNewTrue ? 1 : 0;
        return true;
      case kBinInt:
        New(Kind::kInt)->integer = cursor_.Read<int32_t>("an integer");
        return true;
      case kBinInt1:
        New(Kind::kInt)->integer = cursor_.Read<uint8_t>("an integer");
        return true;
      case kBinInt2:
        New(Kind::kInt)->integer = cursor_.Read<uint16_t>("an integer");
        return true;
      case kLong1:
        Long(cursor_.Read<uint8_t>("an integer's size"));
        return true;
      case kBinFloat:
        New(Kind::kFloat)->real =
            std::bit_cast<double>(__builtin_bswap64(cursor_.Read<uint64_t>("a number")));
        return true;
      case kShortBinString:
      case kShortBinBytes:
      case kShortBinUnicode:
        Text(cursor_.Read<uint8_t>("a text's size"));
        return true;
      case kBinString:
      case kBinBytes:
      case kBinUnicode:
        Text(cursor_.Read<uint32_t>("a text's size"));
        return true;
      case kBinUnicode8:
      case kBinBytes8:
        Text(cursor_.Read<uint64_t>("a text's size"));
        return true;
      case kGlobal:
        Global();
        return true;
      default:
        return false;
    }
  }

  // --- values made from those on the stack ---
  bool RunContainer(uint8_t opcode) {
    switch (opcode) {
      case kMark:
        marks_.push_back(stack_.size());
        return true;
      case kPop:
        Pop();
        return true;
      case kPopMark:
        PopToMark();
        return true;
      case kEmptyDict:
        New(Kind::kDict);
        return true;
      case kEmptyList:
        New(Kind::kList);
        return true;
      case kEmptySet:
        New(Kind::kOpaque);
        return true;
      case kFrozenSet:
        PopToMark();
        New(Kind::kOpaque);
        return true;
      case kEmptyTuple:
        New(Kind::kTuple);
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        Tuple(PopMany(opcode - kTuple1 + 1));
        return true;
      case kTuple:
        Tuple(PopToMark());
        return true;
      case kAppend:
        Extend(PopMany(1));
        return true;
      case kSetItem:
        SetItems(PopMany(2));
        return true;
      case kAppends:
      case kAddItems:
        Extend(PopToMark());
        return true;
      case kSetItems:
        SetItems(PopToMark());
        return true;
      case kReduce:
      case kNewObj:
        Call(PopMany(2));
        return true;
      case kNewObjEx:
        Pop();  // arguments by name: calls that make tensors have none
        Call(PopMany(2));
        return true;
      case kBuild:
        Pop();  // attributes, such as a state_dict's _metadata
        Top();
        return true;
      case kBinPersId:
        Stored(Pop());
        return true;
      case kStackGlobal:
        StackGlobal(PopMany(2));
        return true;
      default:
        return false;
    }
  }

  bool RunMemo(uint8_t opcode) {
    switch (opcode) {
      case kBinPut:
        Put(cursor_.Read<uint8_t>("a memo's index"));
        return true;
      case kLongBinPut:
        Put(cursor_.Read<uint32_t>("a memo's index"));
        return true;
      case kMemoize:
        Put(static_cast<uint32_t>(memo_.size()));
        return true;
      case kBinGet:
        Get(cursor_.Read<uint8_t>("a memo's index"));
        return true;
      case kLongBinGet:
        Get(cursor_.Read<uint32_t>("a memo's index"));
        return true;
      case kFrame:
        cursor_.Take(8, "a frame's size");
        return true;
      default:
        return false;
    }
  }

  PickleValue* New(Kind kind) {
    if (pickle_.values_.size() == kMostValues) {
      Fail(fmt::format("makes more than {} values", kMostValues));
    }
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return &value;
  }

  // How many values may be popped: those above the last mark.
  size_t Reachable() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  PickleValue* Top() {
    if (Reachable() == 0) Fail("needs a value, but there is none");
    return stack_.back();
  }

  PickleValue* Pop() {
    PickleValue* value = Top();
    stack_.pop_back();
    return value;
  }

  Values PopMany(size_t count) {
    if (Reachable() < count) Fail("needs more values than there are");
    Values values(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return values;
  }

  Values PopToMark() {
    if (marks_.empty()) Fail("needs a mark, but there is none");
    Values values = PopMany(stack_.size() - marks_.back());
    marks_.pop_back();
    return values;
  }

  void Long(size_t size) {
    const Bytes digits = cursor_.Take(size, "an integer");
    if (size > sizeof(int64_t)) {
      New(Kind::kOpaque);
      return;
    }
    const bool negative = size > 0 && (digits[size - 1] & 0x80) != 0;
    uint64_t bits = negative ? ~uint64_t{0} : 0;
    for (size_t i = size; i-- > 0;) bits = bits << 8 | digits[i];
    New(Kind::kInt)->integer = static_cast<int64_t>(bits);
  }

  void Text(uint64_t size) {
    if (size > kLongestText) Fail(fmt::format("announces a text of {} bytes", size));
    const Bytes text = cursor_.Take(size, "a text");
    SetText(New(Kind::kText), {text.begin(), text.end()});
  }

  void SetText(PickleValue* value, std::string text) {
    text_bytes_ += text.size();
    if (text_bytes_ > kMostTextBytes) Fail("makes the texts longer than allowed");
    value->text = std::move(text);
  }

  std::string Line() {
    std::string line;
    while (line.size() <= kLongestText) {
      const char c = cursor_.Read<char>("a name");
      if (c == '\n') return line;
      line += c;
    }
    Fail("begins a name that does not end");
  }

  void Global() {
    const std::string module = Line();
    SetText(New(Kind::kGlobal), module + ' ' + Line());
  }

  void StackGlobal(const Values& names) {
    if (names[0]->kind != Kind::kText || names[1]->kind != Kind::kText) {
      Fail("names a global by values that are not texts");
    }
    SetText(New(Kind::kGlobal), names[0]->text + ' ' + names[1]->text);
  }

  void Tuple(const Values& items) { New(Kind::kTuple)->items.assign(items.begin(), items.end()); }

  void Stored(const PickleValue* id) { New(Kind::kStored)->items = {id}; }

  // parts: what is called, and its arguments. An OrderedDict is made empty and filled later.
  void Call(const Values& parts) {
    const PickleValue* callee = parts[0];
    if (parts[1]->kind != Kind::kTuple) Fail("makes a call whose arguments are not a tuple");
    if (callee->kind == Kind::kGlobal && callee->text == "collections OrderedDict") {
      New(Kind::kDict);
      return;
    }
    PickleValue* call = New(Kind::kCall);
    call->callee = callee;
    call->items = {parts[1]};
  }

  // Items that are added to calls or opaque values are dropped.
  void Extend(const Values& items) {
    PickleValue* list = Top();
    if (list->kind == Kind::kList) {
      list->items.insert(list->items.end(), items.begin(), items.end());
    } else if (list->kind != Kind::kCall && list->kind != Kind::kOpaque) {
      Fail("appends to a value that is not a list");
    }
  }

  void SetItems(const Values& items) {
    PickleValue* dict = Top();
    if (items.size() % 2 != 0) Fail("sets a key without a value");
    if (dict->kind == Kind::kDict) {
      dict->items.insert(dict->items.end(), items.begin(), items.end());
    } else if (dict->kind != Kind::kCall && dict->kind != Kind::kOpaque) {
      Fail("sets a key in a value that is not a dictionary");
    }
  }

  void Put(uint32_t index) {
    if (memo_.size() == kMostValues) Fail("fills the memo beyond its limit");
    memo_[index] = Top();
  }

  void Get(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) Fail(fmt::format("reads memo {}, which was never written", index));
    stack_.push_back(found->second);
  }

  Cursor cursor_;
  uint8_t opcode_ = kProto;
  size_t text_bytes_ = 0;
  Pickle& pickle_;
  Values stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleValue*> memo_;
};

Pickle::Pickle(Bytes bytes, const std::string& source) {
  PickleMachine(bytes, source, *this).Run();
}

}  // namespace vggt
