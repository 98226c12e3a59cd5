// SPDX-License-Identifier: Apache-2.0
// The parameters of an address, "?layers=all&row=3", percent-decoded.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vggt {

using RequestParams = std::vector<std::pair<std::string, std::string>>;

// Throws Refusal (400) if one of the parameters has a name that is none of `known`.
void CheckNames(const RequestParams& params, std::span<const std::string_view> known);

// The value of `name`; nullopt if it is not given. Throws Refusal (400) if it is given twice.
std::optional<std::string> ParamValue(const RequestParams& params, const std::string& name);

}  // namespace vggt
