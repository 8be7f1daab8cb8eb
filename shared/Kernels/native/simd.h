// Vectors of one instruction set. Every kernel file is compiled once per set (see CMakeLists.txt) in a namespace of the
// set's name, so nothing here may have external linkage that two sets share: no standard containers or algorithms.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#if defined(__AVX512BF16__)
#define EK_ISA avx512bf16
#define EK_WIDTH 16
#elif defined(__AVX512F__)
#define EK_ISA avx512
#define EK_WIDTH 16
#elif defined(__AVX2__) && defined(__FMA__)
#define EK_ISA avx2
#define EK_WIDTH 8
#else
#define EK_ISA portable
#define EK_WIDTH 4
#endif

#define EK_INLINE static inline __attribute__((always_inline))

namespace EK_ISA {

constexpr int W = EK_WIDTH;
typedef float V __attribute__((vector_size(W * 4)));
typedef int32_t VI __attribute__((vector_size(W * 4)));
typedef float Unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

EK_INLINE V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
EK_INLINE void store(float* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
EK_INLINE V splat(float x) { return x - V{}; }

// The first n < W elements; the rest are zero, or left alone.
EK_INLINE V load(const float* p, int64_t n) {
  V v{};
  std::memcpy(&v, p, static_cast<size_t>(n) * 4);
  return v;
}
EK_INLINE void store(float* p, V v, int64_t n) { std::memcpy(p, &v, static_cast<size_t>(n) * 4); }

EK_INLINE float sum(V v) {
  float parts[W], total = 0;
  store(parts, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) parts[i] += parts[i + half];
  total = parts[0];
  return total;
}

EK_INLINE float max(V v) {
  float parts[W];
  store(parts, v);
  float best = parts[0];
  for (int i = 1; i < W; i++) best = parts[i] > best ? parts[i] : best;
  return best;
}

EK_INLINE V max(V a, V b) { return a > b ? a : b; }
EK_INLINE V min(V a, V b) { return a < b ? a : b; }

// e^x to about one unit in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial of degree 6 in r.
EK_INLINE V exp(V x) {
  x = min(max(x, splat(-87.3f)), splat(88.3f));
  const V magic = splat(12582912.f);
  V shifted = x * 1.44269504088896341f + magic;
  V n = shifted - magic;
  V r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  V p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
  VI exponent = (reinterpret_cast<VI>(shifted) - reinterpret_cast<VI>(magic) + 127) << 23;
  return p * reinterpret_cast<V>(exponent);
}

EK_INLINE V sigmoid(V x) { return 1.f / (1.f + exp(-x)); }

// Runs body(offset, count) over n elements in whole vectors (count == W) and one remainder.
template <class Body>
EK_INLINE void each(int64_t n, Body body) {
  int64_t i = 0;
  for (; i + W <= n; i += W) body(i, W);
  if (i < n) body(i, n - i);
}

EK_INLINE V take(const float* p, int64_t count) { return count == W ? load(p) : load(p, count); }
EK_INLINE void put(float* p, V v, int64_t count) {
  if (count == W)
    store(p, v);
  else
    store(p, v, count);
}

}  // namespace EK_ISA
