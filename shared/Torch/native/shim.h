// What every file of the shim shares: the types that cross the boundary and the two guards
// that turn a C++ exception into a null handle or a non-zero status plus a message.
#pragma once
#include <ATen/ATen.h>
#include <atomic>
#include <utility>
#include <vector>

#if ET_TORCH_MAJOR > 2 || (ET_TORCH_MAJOR == 2 && ET_TORCH_MINOR >= 4)
#include <optional>
#else
#include <c10/util/Optional.h>
#endif

#define ET_API extern "C" __attribute__((visibility("default")))

using Handle = at::Tensor*;

// A number of any element type; kind is the c10 scalar type that the caller meant.
struct Number {
  int64_t bits;
  int32_t kind;
};

// A list of tensors owned by the caller, who frees items with et_free_list.
struct TensorList {
  Handle* items;
  int64_t count;
};

namespace shim {

// LibTorch had an optional of its own before it could count on C++17.
#if ET_TORCH_MAJOR > 2 || (ET_TORCH_MAJOR == 2 && ET_TORCH_MINOR >= 4)
using std::nullopt;
using std::optional;
#else
using c10::nullopt;
using c10::optional;
#endif

extern std::atomic<int64_t> live;  // handles given out and not yet freed

void remember_exception() noexcept;

inline Handle give(at::Tensor tensor) {
  auto handle = new at::Tensor(std::move(tensor));
  live.fetch_add(1, std::memory_order_relaxed);
  return handle;
}

// Runs a function that makes one tensor.
template <class Function>
Handle make(Function&& function) noexcept {
  try {
    return give(function());
  } catch (...) {
    remember_exception();
    return nullptr;
  }
}

// Runs a function that makes nothing, or puts its results behind pointers.
template <class Function>
int run(Function&& function) noexcept {
  try {
    function();
    return 0;
  } catch (...) {
    remember_exception();
    return 1;
  }
}

at::Scalar scalar(Number number);
optional<at::Scalar> maybe(Number number);

inline optional<at::Tensor> maybe(Handle handle) {
  return handle ? optional<at::Tensor>(*handle) : nullopt;
}

inline optional<at::ScalarType> maybe_type(int type) {
  return type < 0 ? nullopt : optional<at::ScalarType>(static_cast<at::ScalarType>(type));
}

inline optional<int64_t> maybe(int64_t value, bool present) {
  return present ? optional<int64_t>(value) : nullopt;
}

inline at::TensorOptions options(int type, int device, int index) {
  at::TensorOptions result;
  if (type >= 0) result = result.dtype(static_cast<at::ScalarType>(type));
  if (device >= 0) result = result.device(at::Device(static_cast<at::DeviceType>(device), static_cast<at::DeviceIndex>(index)));
  return result;
}

inline at::IntArrayRef sizes(const int64_t* values, int64_t count) {
  return at::IntArrayRef(values, static_cast<size_t>(count));
}

inline std::vector<at::Tensor> tensors(const Handle* handles, int64_t count) {
  std::vector<at::Tensor> result;
  result.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; i++) result.push_back(handles[i] ? *handles[i] : at::Tensor());
  return result;
}

void give_list(const std::vector<at::Tensor>& tensors, TensorList* list);

template <class Tuple>
void give_pair(Tuple&& pair, Handle* first, Handle* second) {
  *first = give(std::get<0>(pair));
  *second = give(std::get<1>(pair));
}

template <class Tuple>
void give_triple(Tuple&& triple, Handle* first, Handle* second, Handle* third) {
  give_pair(triple, first, second);
  *third = give(std::get<2>(triple));
}

}  // namespace shim
