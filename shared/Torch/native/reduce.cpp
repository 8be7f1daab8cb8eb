// Reductions, sorting, counting and searching.
#include "shim.h"

using namespace shim;

ET_API Handle et_sum(Handle self, int type) {
  return make([&] { return self->sum(maybe_type(type)); });
}

ET_API Handle et_sum_dims(Handle self, const int64_t* dims, int64_t count, bool keepdim, int type) {
  return make([&] { return self->sum(sizes(dims, count), keepdim, maybe_type(type)); });
}

ET_API Handle et_mean(Handle self) {
  return make([&] { return self->mean(); });
}

ET_API Handle et_mean_dims(Handle self, const int64_t* dims, int64_t count, bool keepdim, int type) {
  return make([&] { return self->mean(sizes(dims, count), keepdim, maybe_type(type)); });
}

ET_API Handle et_nansum(Handle self) {
  return make([&] { return self->nansum(); });
}

ET_API Handle et_nanmean(Handle self, int64_t dim, bool has_dim, bool keepdim, int type) {
  return make([&] {
    if (!has_dim) return self->nanmean(at::IntArrayRef(), keepdim, maybe_type(type));
    return self->nanmean(at::IntArrayRef(dim), keepdim, maybe_type(type));
  });
}

ET_API Handle et_prod(Handle self, int type) {
  return make([&] { return self->prod(maybe_type(type)); });
}

ET_API Handle et_prod_dim(Handle self, int64_t dim, bool keepdim, int type) {
  return make([&] { return self->prod(dim, keepdim, maybe_type(type)); });
}

#define SPREAD(name)                                                                                         \
  ET_API Handle et_##name(Handle self, bool unbiased) {                                                      \
    return make([&] { return self->name(unbiased); });                                                       \
  }                                                                                                          \
  ET_API Handle et_##name##_dims(Handle self, const int64_t* dims, int64_t count, bool unbiased, bool keepdim) { \
    return make([&] { return self->name(sizes(dims, count), unbiased, keepdim); });                          \
  }                                                                                                          \
  ET_API int et_##name##_mean(Handle self, bool unbiased, Handle* first, Handle* second) {                   \
    return run([&] { give_pair(at::name##_mean(*self, unbiased), first, second); });                         \
  }                                                                                                          \
  ET_API int et_##name##_mean_dims(Handle self, const int64_t* dims, int64_t count, bool unbiased, bool keepdim, Handle* first, Handle* second) { \
    return run([&] { give_pair(at::name##_mean(*self, sizes(dims, count), unbiased, keepdim), first, second); }); \
  }
SPREAD(std)
SPREAD(var)

#define EXTREME(name)                                                                              \
  ET_API Handle et_##name(Handle self) {                                                           \
    return make([&] { return self->name(); });                                                     \
  }                                                                                                \
  ET_API int et_##name##_dim(Handle self, int64_t dim, bool keepdim, Handle* values, Handle* indices) { \
    return run([&] { give_pair(self->name(dim, keepdim), values, indices); });                     \
  }                                                                                                \
  ET_API Handle et_a##name(Handle self, const int64_t* dims, int64_t count, bool keepdim) {        \
    return make([&] { return self->a##name(sizes(dims, count), keepdim); });                       \
  }                                                                                                \
  ET_API Handle et_arg##name(Handle self, int64_t dim, bool has_dim, bool keepdim) {               \
    return make([&] { return self->arg##name(maybe(dim, has_dim), keepdim); });                    \
  }
EXTREME(max)
EXTREME(min)

ET_API int et_aminmax(Handle self, int64_t dim, bool has_dim, bool keepdim, Handle* min, Handle* max) {
  return run([&] { give_pair(self->aminmax(maybe(dim, has_dim), keepdim), min, max); });
}

#define LOGICAL(name)                                                 \
  ET_API Handle et_##name(Handle self) {                              \
    return make([&] { return self->name(); });                        \
  }                                                                   \
  ET_API Handle et_##name##_dim(Handle self, int64_t dim, bool keepdim) { \
    return make([&] { return self->name(dim, keepdim); });            \
  }
LOGICAL(all)
LOGICAL(any)

ET_API Handle et_norm(Handle self, double p) {
  return make([&] { return self->norm(p); });
}

ET_API Handle et_norm_dim(Handle self, int64_t dim, bool keepdim, double p) {
  return make([&] { return self->norm(p, {dim}, keepdim); });
}

ET_API Handle et_dist(Handle self, Handle other, double p) {
  return make([&] { return self->dist(*other, p); });
}

ET_API Handle et_renorm(Handle self, double p, int64_t dim, double maxnorm) {
  return make([&] { return self->renorm(p, dim, maxnorm); });
}

ET_API Handle et_logsumexp(Handle self, int64_t dim, bool keepdim) {
  return make([&] { return self->logsumexp(at::IntArrayRef(dim), keepdim); });
}

#define CUMULATIVE(name)                                        \
  ET_API Handle et_##name(Handle self, int64_t dim, int type) { \
    return make([&] { return self->name(dim, maybe_type(type)); }); \
  }
CUMULATIVE(cumsum)
CUMULATIVE(cumprod)

ET_API Handle et_logcumsumexp(Handle self, int64_t dim) {
  return make([&] { return self->logcumsumexp(dim); });
}

ET_API int et_cummax(Handle self, int64_t dim, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->cummax(dim), values, indices); });
}

ET_API int et_cummin(Handle self, int64_t dim, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->cummin(dim), values, indices); });
}

ET_API Handle et_diff(Handle self, int64_t n, int64_t dim, Handle prepend, Handle append) {
  return make([&] { return self->diff(n, dim, maybe(prepend), maybe(append)); });
}

ET_API Handle et_median(Handle self) {
  return make([&] { return self->median(); });
}

ET_API Handle et_nanmedian(Handle self) {
  return make([&] { return self->nanmedian(); });
}

ET_API int et_mode(Handle self, int64_t dim, bool keepdim, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->mode(dim, keepdim), values, indices); });
}

ET_API Handle et_quantile(Handle self, Handle q, int64_t dim, bool keepdim) {
  return make([&] { return self->quantile(*q, dim, keepdim); });
}

ET_API Handle et_nanquantile(Handle self, Handle q, int64_t dim, bool keepdim) {
  return make([&] { return self->nanquantile(*q, dim, keepdim); });
}

ET_API Handle et_count_nonzero(Handle self, const int64_t* dims, int64_t count) {
  return make([&] { return count ? self->count_nonzero(sizes(dims, count)) : self->count_nonzero(); });
}

ET_API int et_kthvalue(Handle self, int64_t k, int64_t dim, bool keepdim, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->kthvalue(k, dim, keepdim), values, indices); });
}

ET_API int et_topk(Handle self, int64_t k, int64_t dim, bool largest, bool sorted, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->topk(k, dim, largest, sorted), values, indices); });
}

ET_API int et_sort(Handle self, int64_t dim, bool descending, bool stable, Handle* values, Handle* indices) {
  return run([&] { give_pair(self->sort(optional<bool>(stable), dim, descending), values, indices); });
}

ET_API Handle et_msort(Handle self) {
  return make([&] { return self->msort(); });
}

ET_API Handle et_argsort(Handle self, int64_t dim, bool descending) {
  return make([&] { return self->argsort(dim, descending); });
}

ET_API int et_unique(Handle self, bool sorted, bool inverse, bool counts, Handle* values, Handle* inverse_out, Handle* counts_out) {
  return run([&] { give_triple(at::_unique2(*self, sorted, inverse, counts), values, inverse_out, counts_out); });
}

ET_API int et_unique_dim(Handle self, int64_t dim, bool sorted, bool inverse, bool counts, Handle* values, Handle* inverse_out, Handle* counts_out) {
  return run([&] { give_triple(at::unique_dim(*self, dim, sorted, inverse, counts), values, inverse_out, counts_out); });
}

ET_API int et_unique_consecutive(Handle self, bool inverse, bool counts, int64_t dim, bool has_dim, Handle* values, Handle* inverse_out, Handle* counts_out) {
  return run([&] { give_triple(at::unique_consecutive(*self, inverse, counts, maybe(dim, has_dim)), values, inverse_out, counts_out); });
}

ET_API Handle et_searchsorted(Handle sequence, Handle values, bool int32, bool right, Handle sorter) {
  return make([&] { return at::searchsorted(*sequence, *values, int32, right, nullopt, maybe(sorter)); });
}

ET_API Handle et_bucketize(Handle self, Handle boundaries, bool int32, bool right) {
  return make([&] { return at::bucketize(*self, *boundaries, int32, right); });
}

ET_API Handle et_bincount(Handle self, Handle weights, int64_t minlength) {
  return make([&] { return self->bincount(maybe(weights), minlength); });
}

ET_API Handle et_histc(Handle self, int64_t bins, double min, double max) {
  return make([&] { return self->histc(bins, min, max); });
}
