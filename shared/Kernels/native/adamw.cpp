// AdamW (arXiv 1711.05101) over flat arrays, one pass: w -= lr d w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
// w -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps); g is scaled on the way in and cleared on the way out.
#include "entry.h"
#include "parallel.h"
#include "simd.h"

namespace EK_ISA {
namespace {

constexpr int64_t block = 1 << 14;

EK_INLINE V root(V x) {
#if EK_WIDTH == 16
  return reinterpret_cast<V>(_mm512_sqrt_ps(reinterpret_cast<__m512>(x)));
#elif EK_WIDTH == 8
  return reinterpret_cast<V>(_mm256_sqrt_ps(reinterpret_cast<__m256>(x)));
#else
  for (int i = 0; i < W; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

}  // namespace

double sum_of_squares(int64_t threads, const float* x, int64_t count) {
  int64_t blocks = (count + block - 1) / block;
  if (blocks == 0) return 0;
  double* sums = reinterpret_cast<double*>(ek_scratch(slot_rows, 2 * blocks));
  parallel(threads, blocks, [&](int64_t i) {
    const float* from = x + i * block;
    int64_t n = count - i * block < block ? count - i * block : block;
    V a{}, b{};
    int64_t at = 0;
    for (; at + 2 * W <= n; at += 2 * W) {
      V first = load(from + at), second = load(from + at + W);
      a += first * first;
      b += second * second;
    }
    each(n - at, [&](int64_t j, int64_t length) {
      V rest = take(from + at + j, length);
      a += rest * rest;
    });
    sums[i] = sum(a + b);
  });
  double total = 0;
  for (int64_t i = 0; i < blocks; i++) total += sums[i];
  return total;
}

void adamw(const EkAdamW& o) {
  const float beta1 = static_cast<float>(o.beta1), beta2 = static_cast<float>(o.beta2);
  const float rest1 = static_cast<float>(1 - o.beta1), rest2 = static_cast<float>(1 - o.beta2);
  const float epsilon = static_cast<float>(o.epsilon), step = static_cast<float>(o.step_size), keep = static_cast<float>(1 - o.decay);
  const float inverse_root = static_cast<float>(1 / o.root_correction), scale = static_cast<float>(o.gradient_scale);
  parallel(o.threads, (o.count + block - 1) / block, [&](int64_t task) {
    int64_t first = task * block, n = o.count - first < block ? o.count - first : block, decayed = o.decayed - first;
    float *w = o.weights + first, *g = o.gradients + first, *m = o.first + first, *v = o.second + first;
    each(n, [&](int64_t i, int64_t length) {
      V gi = take(g + i, length) * scale, wi = take(w + i, length);
      V mi = take(m + i, length) * beta1 + gi * rest1;
      V vi = take(v + i, length) * beta2 + gi * gi * rest2;
      if (i + length <= decayed)
        wi = wi * keep;
      else
        for (int64_t j = 0; j < length && i + j < decayed; j++) wi[j] *= keep;
      wi = wi - step * mi / (root(vi) * inverse_root + epsilon);
      put(w + i, wi, length);
      put(m + i, mi, length);
      put(v + i, vi, length);
      put(g + i, V{}, length);
    });
  });
}


}  // namespace EK_ISA
