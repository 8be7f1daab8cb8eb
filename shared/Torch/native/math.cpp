// Element-wise arithmetic.
#include "shim.h"

using namespace shim;

#define UNARY(name)                                   \
  ET_API Handle et_##name(Handle self) {              \
    return make([&] { return at::name(*self); });     \
  }
#define UNARY_BOTH(name)                              \
  UNARY(name)                                         \
  ET_API int et_##name##_(Handle self) {              \
    return run([&] { at::name##_(*self); });          \
  }
UNARY_BOTH(abs)
UNARY_BOTH(acos)
UNARY_BOTH(acosh)
UNARY_BOTH(asin)
UNARY_BOTH(asinh)
UNARY_BOTH(atan)
UNARY_BOTH(atanh)
UNARY_BOTH(ceil)
UNARY_BOTH(cos)
UNARY_BOTH(cosh)
UNARY_BOTH(erf)
UNARY_BOTH(erfc)
UNARY_BOTH(exp)
UNARY_BOTH(exp2)
UNARY_BOTH(expm1)
UNARY_BOTH(floor)
UNARY_BOTH(frac)
UNARY_BOTH(log)
UNARY_BOTH(log10)
UNARY_BOTH(log1p)
UNARY_BOTH(log2)
UNARY_BOTH(neg)
UNARY_BOTH(reciprocal)
UNARY_BOTH(relu)
UNARY_BOTH(rsqrt)
UNARY_BOTH(sigmoid)
UNARY_BOTH(silu)
UNARY_BOTH(sin)
UNARY_BOTH(sinh)
UNARY_BOTH(sqrt)
UNARY_BOTH(tan)
UNARY_BOTH(tanh)
UNARY_BOTH(trunc)
UNARY_BOTH(deg2rad)
UNARY_BOTH(rad2deg)
UNARY(isnan)
UNARY(isinf)
UNARY(isfinite)
UNARY(isposinf)
UNARY(isneginf)
UNARY(signbit)

// at:: has no in-place function of these names; the members exist for all of them.
#define UNARY_MEMBER(name)                            \
  ET_API Handle et_##name(Handle self) {              \
    return make([&] { return self->name(); });        \
  }                                                   \
  ET_API int et_##name##_(Handle self) {              \
    return run([&] { self->name##_(); });             \
  }
UNARY_MEMBER(bitwise_not)
UNARY_MEMBER(digamma)
UNARY_MEMBER(erfinv)
UNARY_MEMBER(lgamma)
UNARY_MEMBER(logical_not)
UNARY_MEMBER(sgn)
UNARY_MEMBER(sign)

ET_API Handle et_round(Handle self, int64_t decimals) {
  return make([&] { return self->round(decimals); });
}

ET_API int et_round_(Handle self, int64_t decimals) {
  return run([&] { self->round_(decimals); });
}

ET_API Handle et_gelu(Handle self, const char* approximate) {
  return make([&] { return at::gelu(*self, approximate); });
}

ET_API int et_gelu_(Handle self, const char* approximate) {
  return run([&] { at::gelu_(*self, approximate); });
}

ET_API Handle et_softplus(Handle self, double beta, double threshold) {
  return make([&] { return at::softplus(*self, beta, threshold); });
}

ET_API Handle et_leaky_relu(Handle self, Number slope) {
  return make([&] { return at::leaky_relu(*self, scalar(slope)); });
}

ET_API int et_leaky_relu_(Handle self, Number slope) {
  return run([&] { at::leaky_relu_(*self, scalar(slope)); });
}

ET_API Handle et_log_sigmoid(Handle self) {
  return make([&] { return at::log_sigmoid(*self); });
}

ET_API Handle et_nan_to_num(Handle self, double nan, double posinf, bool has_posinf, double neginf, bool has_neginf) {
  return make([&] {
    return self->nan_to_num(nan, has_posinf ? optional<double>(posinf) : nullopt, has_neginf ? optional<double>(neginf) : nullopt);
  });
}

// result = self + alpha * other, and the like.
#define SUM(name)                                                           \
  ET_API Handle et_##name(Handle self, Handle other, Number alpha) {        \
    return make([&] { return self->name(*other, scalar(alpha)); });         \
  }                                                                         \
  ET_API Handle et_##name##_number(Handle self, Number other, Number alpha) { \
    return make([&] { return self->name(scalar(other), scalar(alpha)); });  \
  }                                                                         \
  ET_API int et_##name##_(Handle self, Handle other, Number alpha) {        \
    return run([&] { self->name##_(*other, scalar(alpha)); });              \
  }                                                                         \
  ET_API int et_##name##_number_(Handle self, Number other, Number alpha) { \
    return run([&] { self->name##_(scalar(other), scalar(alpha)); });       \
  }
SUM(add)
SUM(sub)

ET_API Handle et_rsub_number(Handle self, Number other) {
  return make([&] { return at::rsub(*self, scalar(other)); });
}

#define BINARY(name)                                            \
  ET_API Handle et_##name(Handle self, Handle other) {          \
    return make([&] { return self->name(*other); });            \
  }
#define BINARY_BOTH(name)                                       \
  BINARY(name)                                                  \
  ET_API int et_##name##_(Handle self, Handle other) {          \
    return run([&] { self->name##_(*other); });                 \
  }
#define BINARY_NUMBER(name)                                     \
  BINARY_BOTH(name)                                             \
  ET_API Handle et_##name##_number(Handle self, Number other) { \
    return make([&] { return self->name(scalar(other)); });     \
  }                                                             \
  ET_API int et_##name##_number_(Handle self, Number other) {   \
    return run([&] { self->name##_(scalar(other)); });          \
  }
BINARY_NUMBER(mul)
BINARY_NUMBER(remainder)
BINARY_NUMBER(fmod)
BINARY_NUMBER(pow)
BINARY_NUMBER(floor_divide)
BINARY_NUMBER(eq)
BINARY_NUMBER(ne)
BINARY_NUMBER(lt)
BINARY_NUMBER(le)
BINARY_NUMBER(gt)
BINARY_NUMBER(ge)
BINARY_BOTH(atan2)
BINARY_BOTH(copysign)
BINARY_BOTH(float_power)
BINARY_BOTH(hypot)
BINARY_BOTH(bitwise_and)
BINARY_BOTH(bitwise_or)
BINARY_BOTH(bitwise_xor)
BINARY_BOTH(bitwise_left_shift)
BINARY_BOTH(bitwise_right_shift)
BINARY_BOTH(logical_and)
BINARY_BOTH(logical_or)
BINARY_BOTH(logical_xor)
BINARY_BOTH(xlogy)
BINARY(maximum)
BINARY(minimum)
BINARY(fmax)
BINARY(fmin)
BINARY(logaddexp)
BINARY(logaddexp2)

// mode: 0 true division, 1 towards zero, 2 towards minus infinity.
#define DIVIDE(function, divisor) (mode == 0 ? self->function(divisor) : self->function(divisor, mode == 1 ? "trunc" : "floor"))

ET_API Handle et_div(Handle self, Handle other, int mode) {
  return make([&] { return DIVIDE(div, *other); });
}

ET_API Handle et_div_number(Handle self, Number other, int mode) {
  return make([&] { return DIVIDE(div, scalar(other)); });
}

ET_API int et_div_(Handle self, Handle other, int mode) {
  return run([&] { DIVIDE(div_, *other); });
}

ET_API int et_div_number_(Handle self, Number other, int mode) {
  return run([&] { DIVIDE(div_, scalar(other)); });
}

// self + value * (tensor1 op tensor2)
#define FUSED(name)                                                                     \
  ET_API Handle et_##name(Handle self, Handle tensor1, Handle tensor2, Number value) {  \
    return make([&] { return self->name(*tensor1, *tensor2, scalar(value)); });         \
  }                                                                                     \
  ET_API int et_##name##_(Handle self, Handle tensor1, Handle tensor2, Number value) {  \
    return run([&] { self->name##_(*tensor1, *tensor2, scalar(value)); });              \
  }
FUSED(addcmul)
FUSED(addcdiv)

ET_API Handle et_lerp(Handle self, Handle end, Handle weight) {
  return make([&] { return self->lerp(*end, *weight); });
}

ET_API int et_lerp_(Handle self, Handle end, Handle weight) {
  return run([&] { self->lerp_(*end, *weight); });
}

ET_API Handle et_clamp(Handle self, Number low, Number high) {
  return make([&] { return self->clamp(maybe(low), maybe(high)); });
}

ET_API int et_clamp_(Handle self, Number low, Number high) {
  return run([&] { self->clamp_(maybe(low), maybe(high)); });
}

ET_API Handle et_clamp_by(Handle self, Handle low, Handle high) {
  return make([&] { return self->clamp(maybe(low), maybe(high)); });
}

ET_API int et_clamp_by_(Handle self, Handle low, Handle high) {
  return run([&] { self->clamp_(maybe(low), maybe(high)); });
}

ET_API Handle et_isclose(Handle self, Handle other, double rtol, double atol, bool equal_nan) {
  return make([&] { return self->isclose(*other, rtol, atol, equal_nan); });
}

ET_API int et_allclose(Handle self, Handle other, double rtol, double atol, bool equal_nan, bool* out) {
  return run([&] { *out = self->allclose(*other, rtol, atol, equal_nan); });
}

ET_API int et_same_values(Handle self, Handle other, bool* out) {
  return run([&] { *out = self->equal(*other); });
}

ET_API Handle et_isin(Handle self, Handle test, bool assume_unique, bool invert) {
  return make([&] { return at::isin(*self, *test, assume_unique, invert); });
}

ET_API int et_promote_types(int first, int second) {
  return static_cast<int>(c10::promoteTypes(static_cast<at::ScalarType>(first), static_cast<at::ScalarType>(second)));
}

ET_API int et_result_type(Handle first, Handle second) { return static_cast<int>(at::result_type(*first, *second)); }
