// SPDX-License-Identifier: Apache-2.0
// The words of the flag that chooses among a checkpoint's models.
#pragma once

#include "model/model_choice.h"

namespace vggt {

// Calls `body`; where it finds the choice unclear, the error names --weights_key.
template <typename Body>
auto WithWeightsKeyHint(const Body& body) {
  try {
    return body();
  } catch (const ModelChoiceError& error) {
    const bool several = error.keys().size() > 1;
    throw Error(
        error.problem(), error.where(),
        several ? "Choose one with --weights_key: " + ListKeys(error.keys())
                : "It holds one model: leave --weights_key out, or give " + ListKeys(error.keys()));
  }
}

}  // namespace vggt
