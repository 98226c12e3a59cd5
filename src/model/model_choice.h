// SPDX-License-Identifier: Apache-2.0
// Which model is meant of a checkpoint that holds several, such as a training state's "model" and
// "ema". A model is known by its prefix: what stands before every name of its tensors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "weights/checkpoint.h"

namespace vggt {

// Prefixes of all models whose family is known (model/families.h), in the order of names:
// "ema.module.aggregator.", "model.aggregator.". Empty if there are none. Throws Error if there are
// more than a thousand.
std::vector<std::string> ModelPrefixes(const Checkpoint& checkpoint);

// The prefix of the model that is meant by `key` (ChoosePrefix). Without a key it is the only model
// that looks at several pictures at a time, or the only one. Throws like ModelPrefixes, like
// ChoosePrefix, and Error if there is no model at all.
std::string MeantPrefix(const Checkpoint& checkpoint, const std::string& key);

// What each is called: the prefix without its last dot, and without ".aggregator" where it stays
// unmistakable: "ema.module", "model". "." is the one whose names have no prefix.
std::vector<std::string> ModelKeys(const std::vector<std::string>& prefixes);

// The choice is not clear: no key where there are several models, or a key that none or several
// have.
class ModelChoiceError : public Error {
 public:
  ModelChoiceError(const std::string& what, const std::string& where,
                   std::vector<std::string> keys);
  // Of all that there are to choose from.
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  std::vector<std::string> keys_;
};

// The prefix of the model that `key` means: one of ModelKeys(), or any name of a dictionary that
// holds one model alone; "" means the only one. Throws ModelChoiceError about the file `where`.
std::string ChoosePrefix(const std::vector<std::string>& prefixes, const std::string& key,
                         const std::string& where);

// "ema.module, model": the first twenty, then how many more.
std::string ListKeys(const std::vector<std::string>& keys);

}  // namespace vggt
