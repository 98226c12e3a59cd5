// SPDX-License-Identifier: Apache-2.0
#include "weights/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "weights/pickle.h"

namespace vggt {
namespace {

constexpr uint64_t kMostPickleBytes = 64'000'000;
constexpr int kDeepest = 32;
constexpr size_t kMostNameBytes = 32'000'000;  // of all names together
constexpr size_t kBytesBesidesName = 64;       // each name counts so many bytes more
constexpr int kMostWrappers = 8;
constexpr size_t kMostDimensions = 64;
constexpr int64_t kMostRepeatedValues = int64_t{1} << 26;  // of a tensor that repeats values

using Kind = PickleValue::Kind;
using Values = std::vector<const PickleValue*>;

struct TorchType {
  std::string_view storage, name;  // "torch FloatStorage", "torch float32"
  DType dtype;
  int64_t size;
};

constexpr TorchType kTypes[] = {
    {"torch FloatStorage", "torch float32", DType::kF32, 4},
    {"torch HalfStorage", "torch float16", DType::kF16, 2},
    {"torch BFloat16Storage", "torch bfloat16", DType::kBF16, 2},
    {"torch DoubleStorage", "torch float64", DType::kF64, 8},
    {"torch ByteStorage", "torch uint8", DType::kU8, 1},
    {"torch LongStorage", "torch int64", DType::kOther, 8},
    {"torch IntStorage", "torch int32", DType::kOther, 4},
    {"torch ShortStorage", "torch int16", DType::kOther, 2},
    {"torch CharStorage", "torch int8", DType::kOther, 1},
    {"torch BoolStorage", "torch bool", DType::kOther, 1},
    {"torch ComplexFloatStorage", "torch complex64", DType::kOther, 8},
    {"torch ComplexDoubleStorage", "torch complex128", DType::kOther, 16},
};

const TorchType* FindType(const PickleValue& global) {
  if (global.kind != Kind::kGlobal) return nullptr;
  for (const TorchType& type : kTypes) {
    if (global.text == type.storage || global.text == type.name) return &type;
  }
  return nullptr;
}

// A call of a global by its name, as torch.save writes it. The name is empty if a value is no such
// call.
struct Call {
  std::string_view name;
  const Values* arguments = nullptr;
};

Call AsCall(const PickleValue& value) {
  if (value.kind != Kind::kCall || value.callee->kind != Kind::kGlobal) return {};
  return {value.callee->text, &value.items[0]->items};
}

// The call that makes a tensor, inside the calls that wrap it: nn.Parameter, tensors with
// attributes.
Call Unwrap(const PickleValue& value) {
  Call call = AsCall(value);
  for (int i = 0; i < kMostWrappers; ++i) {
    if (call.name.starts_with("torch._utils _rebuild_parameter") && !call.arguments->empty()) {
      call = AsCall(*(*call.arguments)[0]);
    } else if (call.name == "torch._tensor _rebuild_from_type_v2" && call.arguments->size() > 2) {
      const PickleValue &function = *(*call.arguments)[0], &arguments = *(*call.arguments)[2];
      if (function.kind != Kind::kGlobal || arguments.kind != Kind::kTuple) return {};
      call = {function.text, &arguments.items};
    } else {
      return call;
    }
  }
  return {};
}

// Whether the view is row-major without gaps. Strides of dimensions of extent 1 do not matter.
bool IsContiguous(const TensorView& view) {
  int64_t expected = 1;
  for (size_t d = view.shape.size(); d-- > 0;) {
    if (view.shape[d] != 1 && view.strides[d] != expected) return false;
    expected *= view.shape[d];
  }
  return true;
}

class TorchArchive {
 public:
  explicit TorchArchive(const ZipReader& zip) : zip_(zip), source_(zip.file().path().string()) {
    for (const ZipEntry& entry : zip.entries()) records_[entry.name] = &entry;
    if (!zip.entries().empty()) {
      const std::string& first = zip.entries()[0].name;
      folder_ = first.substr(0, first.find('/') + 1);
    }
  }

  std::map<std::string, TensorView> Read() {
    CheckKind();
    const Bytes bytes = Record("data.pkl");
    if (bytes.size() > kMostPickleBytes) {
      throw Error(
          fmt::format("its data.pkl takes {}", HumanBytes(static_cast<double>(bytes.size()))),
          source_, "Save a plain state_dict.");
    }
    const Pickle pickle(bytes, source_ + ", data.pkl");
    CheckRoot(pickle.root());
    Walk(pickle.root(), "", 0);
    if (tensors_.empty())
      throw Error("holds no tensors", source_, "Save the model's state_dict().");
    return std::move(tensors_);
  }

 private:
  bool Has(const std::string& name) const { return records_.contains(folder_ + name); }

  bool HasEntry(const auto& matches) const {
    return std::any_of(zip_.entries().begin(), zip_.entries().end(), [&](const ZipEntry& entry) {
      return matches(std::string_view(entry.name));
    });
  }

  void CheckKind() const {
    if (Has("constants.pkl") ||
        HasEntry([&](std::string_view name) { return name.starts_with(folder_ + "code/"); })) {
      throw Error("is a TorchScript program, not a checkpoint", source_,
                  "Load it with torch.jit.load and save its state_dict() with torch.save.");
    }
    if (!Has("data.pkl")) {
      if (HasEntry([](std::string_view name) { return name.ends_with(".npy"); })) {
        throw Error("is a NumPy .npz archive, not a checkpoint", source_,
                    "Give a .safetensors or PyTorch .pt file.");
      }
      throw Error("is a zip archive without data.pkl, not a PyTorch checkpoint", source_,
                  "If the checkpoint lies inside, unpack it first.");
    }
    if (Has("byteorder")) {
      const Bytes order = Record("byteorder");
      if (std::string_view(reinterpret_cast<const char*>(order.data()), order.size()) != "little") {
        throw Error("was written on a big-endian machine", source_, "Save it again on another.");
      }
    }
  }

  void CheckRoot(const PickleValue& root) const {
    if (root.kind == Kind::kDict) return;
    std::string what = "something other than a dictionary";
    if (root.kind == Kind::kCall && root.callee->kind == Kind::kGlobal) {
      std::string name = root.callee->text;
      std::replace(name.begin(), name.end(), ' ', '.');
      what = "a whole object of class " + Printable(name);
    }
    throw Error("holds " + what + ", expected a state_dict", source_,
                "Save model.state_dict() instead of the model.");
  }

  Bytes Record(const std::string& name) const {
    const auto found = records_.find(folder_ + name);
    if (found == records_.end()) {
      throw Error(fmt::format("record '{}' is missing", Printable(name)), source_,
                  "The file is damaged.");
    }
    if (!found->second->stored) {
      throw Error(fmt::format("record '{}' is compressed", Printable(name)), source_,
                  "PyTorch stores its records as they are: was the file zipped again? "
                  "Load it with torch.load and save it with torch.save.");
    }
    return zip_.Stored(*found->second);
  }

  // Adds the tensors in `dict` and in the dictionaries inside it. Dictionaries may be shared, so
  // that far more names than values are possible; the total length of the names limits the walk.
  void Walk(const PickleValue& dict, const std::string& prefix, int depth) {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue &key = *dict.items[i], &value = *dict.items[i + 1];
      name_bytes_ += prefix.size() + key.text.size() + kBytesBesidesName;
      if (name_bytes_ > kMostNameBytes) throw Error("holds too many names", source_);
      if (key.kind != Kind::kText && key.kind != Kind::kInt) continue;
      const std::string name =
          prefix + (key.kind == Kind::kText ? key.text : std::to_string(key.integer));
      if (value.kind == Kind::kDict && depth < kDeepest) Walk(value, name + '.', depth + 1);
      if (value.kind == Kind::kCall) AddTensor(name, value);
    }
  }

  void AddTensor(const std::string& name, const PickleValue& value) {
    const Call call = Unwrap(value);
    if (!call.name.starts_with("torch._utils _rebuild_tensor")) return;
    where_ = fmt::format("{}, tensor '{}'", source_, Printable(name));
    if (!tensors_.emplace(name, ReadTensor(*call.arguments)).second) {
      throw Error("occurs twice", where_, "The file is damaged.");
    }
  }

  [[noreturn]] void Malformed(const char* what) const {
    throw Error(fmt::format("its {} is malformed", what), where_, "The file is damaged.");
  }

  int64_t Extent(const PickleValue& value, const char* what) const {
    if (value.kind != Kind::kInt || value.integer < 0) Malformed(what);
    return value.integer;
  }

  std::vector<int64_t> Extents(const PickleValue& value, const char* what) const {
    // Old files have a call of torch.Size with a tuple, newer ones the tuple itself.
    const PickleValue* tuple = &value;
    if (const Call call = AsCall(value); call.name == "torch Size" && !call.arguments->empty()) {
      tuple = (*call.arguments)[0];
    }
    if (tuple->kind != Kind::kTuple || tuple->items.size() > kMostDimensions) Malformed(what);
    std::vector<int64_t> extents;
    for (const PickleValue* item : tuple->items) extents.push_back(Extent(*item, what));
    return extents;
  }

  // Reads the arguments of torch._utils._rebuild_tensor and its successors: storage, offset, shape,
  // strides, requires_grad, hooks, and from _v3 on the type.
  TensorView ReadTensor(const Values& arguments) const {
    if (arguments.size() < 4 || arguments[0]->kind != Kind::kStored) Malformed("description");
    const PickleValue& id = *arguments[0]->items[0];
    if (id.kind != Kind::kTuple || id.items.size() < 5 || id.items[2]->kind != Kind::kText) {
      Malformed("storage");
    }
    TensorView view;
    view.shape = Extents(*arguments[2], "shape");
    view.strides = Extents(*arguments[3], "strides");
    if (view.strides.size() != view.shape.size()) Malformed("strides");
    const TorchType* type = FindType(*id.items[1]);
    const bool untyped = type == nullptr && arguments.size() > 6;
    if (untyped) type = FindType(*arguments[6]);
    const Bytes record = Record("data/" + id.items[2]->text);
    if (type == nullptr) return {DType::kOther, view.shape, {}, {}};  // quantised, 8 bits, …
    view.dtype = type->dtype;
    const int64_t stored = Extent(*id.items[4], "storage") / (untyped ? type->size : 1);
    if (static_cast<uint64_t>(stored) > record.size() / type->size) {
      throw Error(fmt::format("its storage of {} values is cut to {} bytes", stored, record.size()),
                  where_, "The file is truncated or damaged.");
    }
    Place(view, Extent(*arguments[1], "offset"), stored, record, type->size);
    return view;
  }

  // Cuts the view's bytes out of `record`, which holds `stored` values of `size` bytes.
  void Place(TensorView& view, int64_t offset, int64_t stored, Bytes record, int64_t size) const {
    int64_t count = 1, reach = 1;
    bool fits = offset <= stored;
    for (const int64_t extent : view.shape) {
      fits = fits && !__builtin_mul_overflow(count, extent, &count);
    }
    for (size_t d = 0; fits && count > 0 && d < view.shape.size(); ++d) {
      int64_t step = 0;
      fits = !__builtin_mul_overflow(view.shape[d] - 1, view.strides[d], &step) &&
             !__builtin_add_overflow(reach, step, &reach);
    }
    if (count == 0) reach = 0;
    if (!fits || reach > stored - offset) {
      throw Error(
          fmt::format("shape {} with strides {} from value {} on reaches past its {} values",
                      ShapeText(view.shape), ShapeText(view.strides), offset, stored),
          where_, "The file is damaged.");
    }
    if (count > reach && count > kMostRepeatedValues) {
      throw Error(fmt::format("shape {} repeats {} values", ShapeText(view.shape), reach), where_,
                  "The file is damaged.");
    }
    view.bytes = record.subspan(offset * size, reach * size);
    if (count == 0 || IsContiguous(view)) view.strides.clear();
  }

  const ZipReader& zip_;
  std::string source_, where_, folder_;
  std::unordered_map<std::string_view, const ZipEntry*> records_;
  std::map<std::string, TensorView> tensors_;
  size_t name_bytes_ = 0;
};

}  // namespace

std::map<std::string, TensorView> ReadTorchArchive(const ZipReader& zip) {
  return TorchArchive(zip).Read();
}

}  // namespace vggt
