// Facts about a tensor, its memory, conversions between element types and devices.
#include "shim.h"

using namespace shim;

ET_API int64_t et_dim(Handle self) { return self->dim(); }
ET_API int64_t et_numel(Handle self) { return self->numel(); }
ET_API int64_t et_element_size(Handle self) { return static_cast<int64_t>(self->element_size()); }
ET_API int et_dtype(Handle self) { return static_cast<int>(self->scalar_type()); }
ET_API int et_device_type(Handle self) { return static_cast<int>(self->device().type()); }
ET_API int et_device_index(Handle self) { return self->device().index(); }
ET_API int64_t et_storage_offset(Handle self) { return self->storage_offset(); }
ET_API bool et_is_contiguous(Handle self) { return self->is_contiguous(); }
ET_API bool et_is_leaf(Handle self) { return self->is_leaf(); }
ET_API bool et_requires_grad(Handle self) { return self->requires_grad(); }
ET_API bool et_is_sparse(Handle self) { return self->is_sparse(); }
ET_API bool et_is_pinned(Handle self) { return self->is_pinned(); }

ET_API void et_sizes(Handle self, int64_t* out) {
  for (auto size : self->sizes()) *out++ = size;
}

ET_API void et_strides(Handle self, int64_t* out) {
  for (auto stride : self->strides()) *out++ = stride;
}

ET_API int et_size(Handle self, int64_t dim, int64_t* out) {
  return run([&] { *out = self->size(dim); });
}

ET_API void* et_data(Handle self) {
  try {
    return self->data_ptr();
  } catch (...) {
    remember_exception();
    return nullptr;
  }
}

// Reads one element of any type; integers come back as bits, floating-point numbers as a double's bits.
ET_API int et_item(Handle self, Number* out) {
  return run([&] {
    auto value = self->item();
    out->kind = static_cast<int32_t>(self->scalar_type());
    if (value.isFloatingPoint()) {
      double number = value.toDouble();
      memcpy(&out->bits, &number, sizeof number);
    } else {
      out->bits = value.isBoolean() ? value.toBool() : value.toLong();
    }
  });
}

ET_API Handle et_alias(Handle self) {
  return make([&] { return at::alias(*self); });
}

ET_API Handle et_handle_of_same(Handle self) {
  return make([&] { return *self; });
}

ET_API Handle et_clone(Handle self) {
  return make([&] { return self->clone(); });
}

ET_API Handle et_contiguous(Handle self) {
  return make([&] { return self->contiguous(); });
}

ET_API Handle et_pin_memory(Handle self) {
  return make([&] { return self->pin_memory(); });
}

ET_API Handle et_detach(Handle self) {
  return make([&] { return self->detach(); });
}

ET_API int et_detach_(Handle self) {
  return run([&] { self->detach_(); });
}

ET_API int et_set_requires_grad(Handle self, bool value) {
  return run([&] { self->set_requires_grad(value); });
}

ET_API int et_retain_grad(Handle self) {
  return run([&] { self->retain_grad(); });
}

// A null handle without an error means that there is no gradient yet.
ET_API int et_grad(Handle self, Handle* out) {
  return run([&] {
    const at::Tensor& gradient = self->grad();
    *out = gradient.defined() ? give(gradient) : nullptr;
  });
}

ET_API int et_set_grad(Handle self, Handle gradient) {
  return run([&] { self->mutable_grad() = gradient ? *gradient : at::Tensor(); });
}

ET_API Handle et_to_type(Handle self, int type, bool copy, bool non_blocking) {
  return make([&] { return self->to(static_cast<at::ScalarType>(type), non_blocking, copy); });
}

ET_API Handle et_to_device(Handle self, int device, int index, bool copy, bool non_blocking) {
  return make([&] { return self->to(options(static_cast<int>(self->scalar_type()), device, index), non_blocking, copy); });
}

ET_API Handle et_to_type_and_device(Handle self, int type, int device, int index, bool copy, bool non_blocking) {
  return make([&] { return self->to(options(type, device, index), non_blocking, copy); });
}

ET_API int et_copy_(Handle self, Handle source, bool non_blocking) {
  return run([&] { self->copy_(*source, non_blocking); });
}

ET_API int et_set_(Handle self, Handle source) {
  return run([&] { self->set_(*source); });
}

ET_API int et_fill_(Handle self, Number value) {
  return run([&] { self->fill_(scalar(value)); });
}

ET_API int et_zero_(Handle self) {
  return run([&] { self->zero_(); });
}
