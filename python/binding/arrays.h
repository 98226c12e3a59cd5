// SPDX-License-Identifier: Apache-2.0
// Arrays of the library as NumPy's, without a copy: what holds the memory lives as long as an array
// needs it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace vggt::python {

struct Float16 {
  uint16_t bits;
};

}  // namespace vggt::python

template <>
struct nanobind::detail::dtype_traits<vggt::python::Float16> {
  static constexpr dlpack::dtype value{static_cast<uint8_t>(dlpack::dtype_code::Float), 16, 1};
  static constexpr auto name = const_name("float16");
};

namespace vggt::python {

// `T` const: the array is read-only.
template <typename T>
using Array = nanobind::ndarray<nanobind::numpy, T>;

// Keeps `owner` as long as Python does.
template <typename Owner>
nanobind::capsule CapsuleOf(Owner owner) {
  auto held = std::make_unique<Owner>(std::move(owner));
  nanobind::capsule capsule(held.get(),
                            [](void* object) noexcept { delete static_cast<Owner*>(object); });
  static_cast<void>(held.release());
  return capsule;
}

// `strides`: in values; empty: row-major without gaps.
template <typename T, typename Owner>
Array<T> ArrayOf(T* data, const Shape& shape, Owner owner, const Shape& strides = {}) {
  const std::vector<size_t> extents(shape.begin(), shape.end());
  return Array<T>(data, extents.size(), extents.data(), CapsuleOf(std::move(owner)),
                  strides.empty() ? nullptr : strides.data());
}

template <typename T>
Array<T> ArrayOf(std::vector<T> values, const Shape& shape) {
  auto owner = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owner->data();
  return ArrayOf(data, shape, std::move(owner));
}

}  // namespace vggt::python
