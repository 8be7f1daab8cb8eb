// Tensors made from sizes, numbers and memory.
#include "shim.h"

using namespace shim;

namespace {

at::Tensor with_grad(at::Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.set_requires_grad(true);
  return tensor;
}

}  // namespace

#define BY_SIZE(name)                                                                                              \
  ET_API Handle et_##name(const int64_t* size, int64_t rank, int type, int device, int index, bool requires_grad) { \
    return make([&] { return with_grad(at::name(sizes(size, rank), options(type, device, index)), requires_grad); }); \
  }
BY_SIZE(empty)
BY_SIZE(zeros)
BY_SIZE(ones)

#define LIKE(name)                                                                                     \
  ET_API Handle et_##name(Handle self, int type, int device, int index, bool requires_grad) {          \
    return make([&] { return with_grad(at::name(*self, options(type, device, index)), requires_grad); }); \
  }
LIKE(empty_like)
LIKE(zeros_like)
LIKE(ones_like)
LIKE(rand_like)
LIKE(randn_like)

ET_API Handle et_full(const int64_t* size, int64_t rank, Number value, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::full(sizes(size, rank), scalar(value), options(type, device, index)), requires_grad); });
}

ET_API Handle et_full_like(Handle self, Number value, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::full_like(*self, scalar(value), options(type, device, index)), requires_grad); });
}

ET_API Handle et_scalar_tensor(Number value, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::scalar_tensor(scalar(value), options(type, device, index)), requires_grad); });
}

ET_API Handle et_arange(Number start, Number stop, Number step, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::arange(scalar(start), scalar(stop), scalar(step), options(type, device, index)), requires_grad); });
}

ET_API Handle et_linspace(double start, double stop, int64_t steps, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::linspace(start, stop, steps, options(type, device, index)), requires_grad); });
}

ET_API Handle et_logspace(double start, double stop, int64_t steps, double base, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::logspace(start, stop, steps, base, options(type, device, index)), requires_grad); });
}

ET_API Handle et_eye(int64_t rows, int64_t columns, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::eye(rows, columns, options(type, device, index)), requires_grad); });
}

ET_API Handle et_tril_indices(int64_t rows, int64_t columns, int64_t offset, int type, int device, int index) {
  return make([&] { return at::tril_indices(rows, columns, offset, options(type, device, index)); });
}

ET_API Handle et_triu_indices(int64_t rows, int64_t columns, int64_t offset, int type, int device, int index) {
  return make([&] { return at::triu_indices(rows, columns, offset, options(type, device, index)); });
}

// Copies size elements from memory; the copy has the element type of the memory.
ET_API Handle et_from_memory(const void* data, const int64_t* size, int64_t rank, int type) {
  return make([&] {
    auto tensor = at::empty(sizes(size, rank), options(type, -1, -1));
    if (tensor.numel() > 0) memcpy(tensor.data_ptr(), data, tensor.nbytes());
    return tensor;
  });
}

// Wraps memory without copying; release(context) is called when the last tensor that uses it is gone.
ET_API Handle et_wrap_memory(void* data, const int64_t* size, int64_t rank, int type, void (*release)(void*), void* context) {
  return make([&] {
    return at::from_blob(data, sizes(size, rank), [release, context](void*) { release(context); }, options(type, -1, -1));
  });
}
