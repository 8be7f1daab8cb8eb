// Reading and writing selected elements.
#include "shim.h"
#include <ATen/TensorIndexing.h>

using namespace shim;
using at::indexing::TensorIndex;

// One index of an expression such as t[1, 2:5, mask]. kind: 0 integer (start), 1 slice, 2 tensor,
// 3 ellipsis, 4 new axis, 5 boolean (start). INT64_MIN marks a slice bound that was left out.
struct Index {
  int64_t kind;
  int64_t start;
  int64_t stop;
  int64_t step;
  Handle tensor;
};

namespace {

#if ET_TORCH_MAJOR >= 2
using Bound = optional<c10::SymInt>;
#else
using Bound = optional<int64_t>;
#endif

TensorIndex slice(const Index& index) {
  auto bound = [](int64_t value) { return value == INT64_MIN ? Bound() : Bound(value); };
  return at::indexing::Slice(bound(index.start), bound(index.stop), bound(index.step));
}

std::vector<TensorIndex> decode(const Index* indices, int64_t count) {
  std::vector<TensorIndex> result;
  result.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; i++) {
    const Index& index = indices[i];
    switch (index.kind) {
      case 0: result.emplace_back(index.start); break;
      case 1: result.push_back(slice(index)); break;
      case 2: result.emplace_back(*index.tensor); break;
      case 3: result.emplace_back(at::indexing::Ellipsis); break;
      case 4: result.emplace_back(at::indexing::None); break;
      case 5: result.emplace_back(index.start != 0); break;
      default: TORCH_CHECK(false, "unknown kind of index: ", index.kind);
    }
  }
  return result;
}

// at::index_put_ accepts tensors only, so every other index is first turned into a view.
void accumulate(at::Tensor self, const Index* indices, int64_t count, const at::Tensor& value) {
  c10::List<optional<at::Tensor>> list;
  for (int64_t i = 0; i < count; i++) {
    TORCH_CHECK(indices[i].kind == 2 || (indices[i].kind == 1 && indices[i].start == INT64_MIN && indices[i].stop == INT64_MIN),
                "index_put_ with accumulate takes tensors and full slices only");
    list.push_back(indices[i].kind == 2 ? optional<at::Tensor>(*indices[i].tensor) : nullopt);
  }
  self.index_put_(list, value, true);
}

}  // namespace

ET_API Handle et_index(Handle self, const Index* indices, int64_t count) {
  return make([&] { return self->index(decode(indices, count)); });
}

ET_API int et_index_put_(Handle self, const Index* indices, int64_t count, Handle value, bool accumulate_values) {
  return run([&] {
    if (accumulate_values) accumulate(*self, indices, count, *value);
    else self->index_put_(decode(indices, count), *value);
  });
}

ET_API int et_index_put_number_(Handle self, const Index* indices, int64_t count, Number value) {
  return run([&] { self->index_put_(decode(indices, count), scalar(value)); });
}

ET_API Handle et_index_select(Handle self, int64_t dim, Handle index) {
  return make([&] { return self->index_select(dim, *index); });
}

ET_API Handle et_index_add(Handle self, int64_t dim, Handle index, Handle source, Number alpha) {
  return make([&] { return self->index_add(dim, *index, *source, scalar(alpha)); });
}

ET_API int et_index_add_(Handle self, int64_t dim, Handle index, Handle source, Number alpha) {
  return run([&] { self->index_add_(dim, *index, *source, scalar(alpha)); });
}

ET_API Handle et_index_copy(Handle self, int64_t dim, Handle index, Handle source) {
  return make([&] { return self->index_copy(dim, *index, *source); });
}

ET_API int et_index_copy_(Handle self, int64_t dim, Handle index, Handle source) {
  return run([&] { self->index_copy_(dim, *index, *source); });
}

ET_API Handle et_index_fill(Handle self, int64_t dim, Handle index, Number value) {
  return make([&] { return self->index_fill(dim, *index, scalar(value)); });
}

ET_API int et_index_fill_(Handle self, int64_t dim, Handle index, Number value) {
  return run([&] { self->index_fill_(dim, *index, scalar(value)); });
}

ET_API Handle et_gather(Handle self, int64_t dim, Handle index) {
  return make([&] { return self->gather(dim, *index); });
}

#define SCATTER(name)                                                              \
  ET_API Handle et_##name(Handle self, int64_t dim, Handle index, Handle source) { \
    return make([&] { return self->name(dim, *index, *source); });                 \
  }                                                                                \
  ET_API int et_##name##_(Handle self, int64_t dim, Handle index, Handle source) { \
    return run([&] { self->name##_(dim, *index, *source); });                      \
  }
SCATTER(scatter)
SCATTER(scatter_add)

ET_API Handle et_select_scatter(Handle self, Handle source, int64_t dim, int64_t index) {
  return make([&] { return at::select_scatter(*self, *source, dim, index); });
}

ET_API Handle et_diagonal_scatter(Handle self, Handle source, int64_t offset, int64_t dim1, int64_t dim2) {
  return make([&] { return at::diagonal_scatter(*self, *source, offset, dim1, dim2); });
}

ET_API Handle et_masked_fill(Handle self, Handle mask, Number value) {
  return make([&] { return self->masked_fill(*mask, scalar(value)); });
}

ET_API int et_masked_fill_(Handle self, Handle mask, Number value) {
  return run([&] { self->masked_fill_(*mask, scalar(value)); });
}

ET_API Handle et_masked_scatter(Handle self, Handle mask, Handle source) {
  return make([&] { return self->masked_scatter(*mask, *source); });
}

ET_API int et_masked_scatter_(Handle self, Handle mask, Handle source) {
  return run([&] { self->masked_scatter_(*mask, *source); });
}

ET_API Handle et_masked_select(Handle self, Handle mask) {
  return make([&] { return self->masked_select(*mask); });
}

ET_API Handle et_take(Handle self, Handle index) {
  return make([&] { return self->take(*index); });
}

ET_API Handle et_take_along_dim(Handle self, Handle index, int64_t dim, bool has_dim) {
  return make([&] { return self->take_along_dim(*index, maybe(dim, has_dim)); });
}

ET_API Handle et_where(Handle condition, Handle yes, Handle no) {
  return make([&] { return at::where(*condition, *yes, *no); });
}

ET_API int et_where_indices(Handle condition, TensorList* out) {
  return run([&] { give_list(at::where(*condition), out); });
}

ET_API Handle et_nonzero(Handle self) {
  return make([&] { return self->nonzero(); });
}

ET_API Handle et_argwhere(Handle self) {
  return make([&] { return self->argwhere(); });
}
