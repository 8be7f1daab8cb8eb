// RMSNorm rows: y = x r w, r = 1 / sqrt(mean(x^2) + eps). Backward: with g = dy w, dx = r (g - x r^2 mean(g x)),
// dw = sum over rows of dy x r.
#pragma once
#include <cmath>
#include "simd.h"

namespace EK_ISA {

EK_INLINE float dot(const float* a, const float* b, int64_t n) {
  V s0{}, s1{};
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + W) * load(b + i + W);
  }
  each(n - i, [&](int64_t at, int64_t count) { s0 += take(a + i + at, count) * take(b + i + at, count); });
  return sum(s0 + s1);
}

EK_INLINE float inverse_rms(const float* x, int64_t n, double epsilon) {
  return 1.f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + static_cast<float>(epsilon));
}

EK_INLINE void norm_row(const float* x, const float* w, int64_t n, double epsilon, float* y) {
  V r = splat(inverse_rms(x, n, epsilon));
  each(n, [&](int64_t i, int64_t count) { put(y + i, take(x + i, count) * r * take(w + i, count), count); });
}

// dx (+)=; dw is added to. dy may be dx.
template <bool Add>
EK_INLINE void norm_row_backward(const float* x, const float* w, const float* dy, int64_t n, double epsilon, float* dx, float* dw) {
  float r = inverse_rms(x, n, epsilon);
  V s{};
  each(n, [&](int64_t i, int64_t count) { s += take(dy + i, count) * take(w + i, count) * take(x + i, count); });
  V scale = splat(r), pull = splat(sum(s) * r * r / static_cast<float>(n));
  each(n, [&](int64_t i, int64_t count) {
    V xi = take(x + i, count), g = take(dy + i, count);
    V d = scale * (g * take(w + i, count) - xi * pull);
    put(dw + i, take(dw + i, count) + g * xi * scale, count);
    put(dx + i, Add ? take(dx + i, count) + d : d, count);
  });
}

// Rows of a norm in blocks whose weight gradients are added up in order.
constexpr int64_t norm_block = 128;

}  // namespace EK_ISA
