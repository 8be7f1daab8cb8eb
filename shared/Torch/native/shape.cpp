// Views and rearrangements: nothing here computes a value.
#include "shim.h"

using namespace shim;

#define TO_SIZE(name)                                                       \
  ET_API Handle et_##name(Handle self, const int64_t* size, int64_t rank) { \
    return make([&] { return self->name(sizes(size, rank)); });             \
  }
TO_SIZE(view)
TO_SIZE(reshape)
TO_SIZE(permute)
TO_SIZE(repeat)
TO_SIZE(tile)
TO_SIZE(flip)
TO_SIZE(broadcast_to)

ET_API Handle et_expand(Handle self, const int64_t* size, int64_t rank, bool implicit) {
  return make([&] { return self->expand(sizes(size, rank), implicit); });
}

ET_API Handle et_as_strided(Handle self, const int64_t* size, const int64_t* stride, int64_t rank, int64_t offset) {
  return make([&] { return self->as_strided(sizes(size, rank), sizes(stride, rank), offset); });
}

ET_API Handle et_flatten(Handle self, int64_t start, int64_t end) {
  return make([&] { return self->flatten(start, end); });
}

ET_API Handle et_unflatten(Handle self, int64_t dim, const int64_t* size, int64_t rank) {
  return make([&] {
    auto shape = self->sizes().vec();
    auto at_dim = shape.begin() + c10::maybe_wrap_dim(dim, self->dim());
    shape.insert(shape.erase(at_dim), size, size + rank);
    return self->reshape(shape);
  });
}

ET_API Handle et_t(Handle self) {
  return make([&] { return self->t(); });
}

ET_API Handle et_transpose(Handle self, int64_t dim0, int64_t dim1) {
  return make([&] { return self->transpose(dim0, dim1); });
}

ET_API int et_transpose_(Handle self, int64_t dim0, int64_t dim1) {
  return run([&] { self->transpose_(dim0, dim1); });
}

ET_API Handle et_movedim(Handle self, const int64_t* source, int64_t sources, const int64_t* destination, int64_t destinations) {
  return make([&] { return self->movedim(sizes(source, sources), sizes(destination, destinations)); });
}

ET_API Handle et_squeeze(Handle self, int64_t dim, bool has_dim) {
  return make([&] { return has_dim ? self->squeeze(dim) : self->squeeze(); });
}

ET_API int et_squeeze_(Handle self, int64_t dim, bool has_dim) {
  return run([&] { has_dim ? self->squeeze_(dim) : self->squeeze_(); });
}

ET_API Handle et_unsqueeze(Handle self, int64_t dim) {
  return make([&] { return self->unsqueeze(dim); });
}

ET_API int et_unsqueeze_(Handle self, int64_t dim) {
  return run([&] { self->unsqueeze_(dim); });
}

ET_API Handle et_narrow(Handle self, int64_t dim, int64_t start, int64_t length) {
  return make([&] { return self->narrow(dim, start, length); });
}

ET_API Handle et_select(Handle self, int64_t dim, int64_t index) {
  return make([&] { return self->select(dim, index); });
}

ET_API Handle et_slice(Handle self, int64_t dim, int64_t start, int64_t end, int64_t step) {
  return make([&] { return self->slice(dim, start, end, step); });
}

ET_API Handle et_unfold(Handle self, int64_t dim, int64_t size, int64_t step) {
  return make([&] { return self->unfold(dim, size, step); });
}

ET_API Handle et_roll(Handle self, const int64_t* shifts, int64_t shift_count, const int64_t* dims, int64_t dim_count) {
  return make([&] { return self->roll(sizes(shifts, shift_count), sizes(dims, dim_count)); });
}

ET_API Handle et_rot90(Handle self, int64_t times, int64_t dim0, int64_t dim1) {
  return make([&] { return self->rot90(times, {dim0, dim1}); });
}

ET_API Handle et_repeat_interleave(Handle self, int64_t repeats, int64_t dim, bool has_dim, int64_t length, bool has_length) {
  return make([&] { return self->repeat_interleave(repeats, maybe(dim, has_dim), maybe(length, has_length)); });
}

ET_API Handle et_repeat_interleave_by(Handle self, Handle repeats, int64_t dim, bool has_dim, int64_t length, bool has_length) {
  return make([&] { return self->repeat_interleave(*repeats, maybe(dim, has_dim), maybe(length, has_length)); });
}

ET_API Handle et_diagonal(Handle self, int64_t offset, int64_t dim1, int64_t dim2) {
  return make([&] { return self->diagonal(offset, dim1, dim2); });
}

ET_API Handle et_diag(Handle self, int64_t offset) {
  return make([&] { return self->diag(offset); });
}

ET_API Handle et_diag_embed(Handle self, int64_t offset, int64_t dim1, int64_t dim2) {
  return make([&] { return self->diag_embed(offset, dim1, dim2); });
}

ET_API Handle et_diagflat(Handle self, int64_t offset) {
  return make([&] { return self->diagflat(offset); });
}

#define TRIANGLE(name)                                           \
  ET_API Handle et_##name(Handle self, int64_t diagonal) {       \
    return make([&] { return self->name(diagonal); });           \
  }                                                              \
  ET_API int et_##name##_(Handle self, int64_t diagonal) {       \
    return run([&] { self->name##_(diagonal); });                \
  }
TRIANGLE(tril)
TRIANGLE(triu)

ET_API Handle et_cat(const Handle* list, int64_t count, int64_t dim) {
  return make([&] { return at::cat(tensors(list, count), dim); });
}

ET_API Handle et_stack(const Handle* list, int64_t count, int64_t dim) {
  return make([&] { return at::stack(tensors(list, count), dim); });
}

ET_API Handle et_hstack(const Handle* list, int64_t count) {
  return make([&] { return at::hstack(tensors(list, count)); });
}

ET_API Handle et_vstack(const Handle* list, int64_t count) {
  return make([&] { return at::vstack(tensors(list, count)); });
}

ET_API Handle et_block_diag(const Handle* list, int64_t count) {
  return make([&] { return at::block_diag(tensors(list, count)); });
}

ET_API int et_chunk(Handle self, int64_t chunks, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->chunk(chunks, dim), out); });
}

ET_API int et_split(Handle self, int64_t size, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->split(size, dim), out); });
}

ET_API int et_split_by(Handle self, const int64_t* size, int64_t count, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->split_with_sizes(sizes(size, count), dim), out); });
}

ET_API int et_tensor_split(Handle self, int64_t sections, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->tensor_split(sections, dim), out); });
}

ET_API int et_tensor_split_at(Handle self, const int64_t* index, int64_t count, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->tensor_split(sizes(index, count), dim), out); });
}

ET_API int et_unbind(Handle self, int64_t dim, TensorList* out) {
  return run([&] { give_list(self->unbind(dim), out); });
}

ET_API int et_meshgrid(const Handle* list, int64_t count, const char* indexing, TensorList* out) {
  return run([&] { give_list(at::meshgrid(tensors(list, count), indexing), out); });
}

ET_API int et_broadcast_tensors(const Handle* list, int64_t count, TensorList* out) {
  return run([&] { give_list(at::broadcast_tensors(tensors(list, count)), out); });
}
