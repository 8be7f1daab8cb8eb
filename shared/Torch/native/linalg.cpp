// Products and factorisations of matrices.
#include "shim.h"
#include <string>

using namespace shim;

#define PRODUCT(name)                                    \
  ET_API Handle et_##name(Handle self, Handle other) {   \
    return make([&] { return self->name(*other); });     \
  }
PRODUCT(matmul)
PRODUCT(mm)
PRODUCT(mv)
PRODUCT(bmm)
PRODUCT(dot)
PRODUCT(vdot)
PRODUCT(inner)
PRODUCT(outer)
PRODUCT(kron)

// beta * self + alpha * (a x b)
#define ADD_PRODUCT(name)                                                         \
  ET_API Handle et_##name(Handle self, Handle a, Handle b, double beta, double alpha) { \
    return make([&] { return self->name(*a, *b, beta, alpha); });                 \
  }                                                                               \
  ET_API int et_##name##_(Handle self, Handle a, Handle b, double beta, double alpha) { \
    return run([&] { self->name##_(*a, *b, beta, alpha); });                      \
  }
ADD_PRODUCT(addmm)
ADD_PRODUCT(addmv)
ADD_PRODUCT(addr)
ADD_PRODUCT(addbmm)

ET_API Handle et_baddbmm(Handle self, Handle a, Handle b, double beta, double alpha) {
  return make([&] { return self->baddbmm(*a, *b, beta, alpha); });
}

ET_API Handle et_einsum(const char* equation, const Handle* list, int64_t count) {
  return make([&] { return at::einsum(equation, tensors(list, count)); });
}

ET_API Handle et_tensordot(Handle self, Handle other, const int64_t* dims1, const int64_t* dims2, int64_t count) {
  return make([&] { return at::tensordot(*self, *other, sizes(dims1, count), sizes(dims2, count)); });
}

ET_API Handle et_multi_dot(const Handle* list, int64_t count) {
  return make([&] { return at::linalg_multi_dot(tensors(list, count)); });
}

ET_API Handle et_cdist(Handle a, Handle b, double p, int64_t mode, bool has_mode) {
  return make([&] { return at::cdist(*a, *b, p, maybe(mode, has_mode)); });
}

ET_API Handle et_trace(Handle self) {
  return make([&] { return self->trace(); });
}

ET_API Handle et_cholesky_inverse(Handle self, bool upper) {
  return make([&] { return self->cholesky_inverse(upper); });
}

ET_API Handle et_cholesky_solve(Handle self, Handle factor, bool upper) {
  return make([&] { return self->cholesky_solve(*factor, upper); });
}

ET_API Handle et_linalg_cholesky(Handle self) {
  return make([&] { return at::linalg_cholesky(*self); });
}

ET_API int et_linalg_cholesky_ex(Handle self, bool check, Handle* factor, Handle* info) {
  return run([&] { give_pair(at::linalg_cholesky_ex(*self, false, check), factor, info); });
}

#define OF_MATRIX(name)                                  \
  ET_API Handle et_linalg_##name(Handle self) {          \
    return make([&] { return at::linalg_##name(*self); }); \
  }
OF_MATRIX(inv)
OF_MATRIX(det)
OF_MATRIX(matrix_exp)

ET_API int et_linalg_inv_ex(Handle self, bool check, Handle* inverse, Handle* info) {
  return run([&] { give_pair(at::linalg_inv_ex(*self, check), inverse, info); });
}

ET_API int et_linalg_slogdet(Handle self, Handle* sign, Handle* log) {
  return run([&] { give_pair(at::linalg_slogdet(*self), sign, log); });
}

ET_API int et_linalg_qr(Handle self, int mode, Handle* q, Handle* r) {
  return run([&] { give_pair(at::linalg_qr(*self, mode == 0 ? "reduced" : mode == 1 ? "complete" : "r"), q, r); });
}

ET_API int et_linalg_svd(Handle self, bool full, Handle* u, Handle* s, Handle* v) {
  return run([&] { give_triple(at::linalg_svd(*self, full), u, s, v); });
}

ET_API Handle et_linalg_svdvals(Handle self) {
  return make([&] { return at::linalg_svdvals(*self); });
}

ET_API int et_linalg_eigh(Handle self, char triangle, Handle* values, Handle* vectors) {
  return run([&] { give_pair(at::linalg_eigh(*self, std::string(1, triangle)), values, vectors); });
}

ET_API Handle et_linalg_eigvalsh(Handle self, char triangle) {
  return make([&] { return at::linalg_eigvalsh(*self, std::string(1, triangle)); });
}

ET_API Handle et_linalg_solve(Handle a, Handle b, bool left) {
  return make([&] { return at::linalg_solve(*a, *b, left); });
}

ET_API Handle et_linalg_solve_triangular(Handle a, Handle b, bool upper, bool left, bool unit) {
  return make([&] { return at::linalg_solve_triangular(*a, *b, upper, left, unit); });
}

ET_API int et_linalg_lstsq(Handle a, Handle b, Handle* solution, Handle* residuals, Handle* rank, Handle* singular) {
  return run([&] {
    auto result = at::linalg_lstsq(*a, *b);
    give_triple(result, solution, residuals, rank);
    *singular = give(std::get<3>(result));
  });
}

ET_API Handle et_linalg_pinv(Handle self, double atol, bool has_atol, double rtol, bool has_rtol, bool hermitian) {
  return make([&] {
    return at::linalg_pinv(*self, has_atol ? optional<double>(atol) : nullopt, has_rtol ? optional<double>(rtol) : nullopt, hermitian);
  });
}

ET_API Handle et_linalg_matrix_rank(Handle self, double atol, bool has_atol, double rtol, bool has_rtol, bool hermitian) {
  return make([&] {
    return at::linalg_matrix_rank(*self, has_atol ? optional<double>(atol) : nullopt, has_rtol ? optional<double>(rtol) : nullopt, hermitian);
  });
}

ET_API Handle et_matrix_power(Handle self, int64_t n) {
  return make([&] { return self->matrix_power(n); });
}

ET_API Handle et_linalg_vector_norm(Handle self, double order, const int64_t* dims, int64_t count, bool keepdim) {
  return make([&] { return at::linalg_vector_norm(*self, order, count ? at::OptionalIntArrayRef(sizes(dims, count)) : at::OptionalIntArrayRef(), keepdim); });
}

ET_API Handle et_linalg_norm(Handle self, double order, bool has_order, const int64_t* dims, int64_t count, bool keepdim) {
  return make([&] {
    return at::linalg_norm(*self, has_order ? optional<at::Scalar>(order) : nullopt, count ? at::OptionalIntArrayRef(sizes(dims, count)) : at::OptionalIntArrayRef(), keepdim);
  });
}

ET_API Handle et_linalg_norm_named(Handle self, const char* order, const int64_t* dims, int64_t count, bool keepdim) {
  return make([&] { return at::linalg_norm(*self, std::string(order), count ? at::OptionalIntArrayRef(sizes(dims, count)) : at::OptionalIntArrayRef(), keepdim); });
}
