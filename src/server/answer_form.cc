// SPDX-License-Identifier: Apache-2.0
#include "server/answer_form.h"

#include "formats/npy.h"

namespace vggt {

Response JsonResponse(const OrderedJson& json, int status) {
  return {status,
          "application/json",
          json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n",
          {{"Cache-Control", "no-store"}}};
}

Response NpyResponse(std::string body) {
  return {200, "application/octet-stream", std::move(body), {{"Cache-Control", "no-store"}}};
}

OrderedJson PerHeadJson(const std::vector<double>& numbers, size_t layers) {
  OrderedJson json = OrderedJson::array();
  const auto heads = static_cast<int64_t>(numbers.size() / layers);
  for (auto of_layer = numbers.begin(); of_layer != numbers.end(); of_layer += heads) {
    json.push_back(std::vector<double>(of_layer, of_layer + heads));
  }
  return json;
}

void AppendNpy(const std::vector<double>& numbers, const Shape& shape, std::string& body) {
  body += NpyHeader("<f8", shape);
  body.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(double));
}

}  // namespace vggt
