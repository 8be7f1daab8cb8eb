// The SwiGLU MLP that every token uses: a shared expert, whose output is added to that of the experts, or the whole of a
// layer without experts. [g, u] = x [Wg, Wu]; a = silu(g) u; y = a Wd, times sigmoid(x . s) when there is such a gate.
// The gate multiplies a instead of y. Backward keeps g and u; with p = dy Wd^T, the gate's gradient is p . a.
#include "entry.h"
#include "linear.h"
#include "norm.h"

namespace EK_ISA {
namespace {

int64_t stride(const EkLayer& l) { return 2 * l.mlp_inner + 16; }  // see halves_stride in experts.cpp

float opening(const EkLayer& l, int64_t t) {
  return l.mlp_scale ? 1.f / (1.f + std::exp(-dot(l.normed + t * l.hidden, l.mlp_scale, l.hidden))) : 1.f;
}

template <class Row>
void tokens(const EkLayer& l, Row row) {
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) row(t);
  });
}

}  // namespace

// Adds to l.result; l.normed holds norm(l.middle). Without experts it begins with both.
void mlp_forward(const EkLayer& l) {
  int64_t inner = l.mlp_inner;
  if (!l.experts) {
    norm_tokens(l, l.middle, l.post_norm);
    tokens(l, [&](int64_t t) {
      if (l.adds_residual)
        std::memcpy(l.result + t * l.hidden, l.middle + t * l.hidden, static_cast<size_t>(l.hidden) * 4);
      else
        std::memset(l.result + t * l.hidden, 0, static_cast<size_t>(l.hidden) * 4);
    });
  }
  Rows x{l.normed, l.hidden, nullptr};
  linear(l.threads, x, l.tokens, l.hidden, l.mlp_gate, inner, l.mlp_halves, stride(l), false);
  linear(l.threads, x, l.tokens, l.hidden, l.mlp_up, inner, l.mlp_halves + inner, stride(l), false);
  tokens(l, [&](int64_t t) {
    const float *g = l.mlp_halves + t * stride(l), *u = g + inner;
    float* a = l.mlp_product + t * inner;
    V open = splat(opening(l, t));
    each(inner, [&](int64_t j, int64_t n) {
      V x = take(g + j, n);
      put(a + j, x * sigmoid(x) * take(u + j, n) * open, n);
    });
  });
  linear(l.threads, {l.mlp_product, inner, nullptr}, l.tokens, inner, l.mlp_down, l.hidden, l.result, l.hidden, true);
}

// From l.gradient to l.d_normed, added to or not; l.normed holds norm(l.middle).
void mlp_gradients(const EkLayer& l, bool add) {
  int64_t inner = l.mlp_inner, blocks = ceil(l.tokens, norm_block);
  Rows d{l.gradient, l.hidden, nullptr}, x{l.normed, l.hidden, nullptr};
  linear_input(l.threads, d, l.tokens, l.hidden, l.mlp_down, inner, l.d_mlp_product, inner, false);
  tokens(l, [&](int64_t t) {
    float *g = l.mlp_halves + t * stride(l), *u = g + inner, *a = l.mlp_product + t * inner;
    const float* p = l.d_mlp_product + t * inner;
    float share = opening(l, t);
    V open = splat(share), total{};
    each(inner, [&](int64_t j, int64_t n) {
      V x = take(g + j, n), up = take(u + j, n), by = take(p + j, n);
      V half = sigmoid(x), silu = x * half, product = silu * up, scaled = by * open;
      total += by * product;
      put(a + j, product * open, n);
      put(u + j, scaled * silu, n);
      put(g + j, scaled * up * (half + silu * (1.f - half)), n);
    });
    if (l.mlp_scale) l.d_mlp_scores[t] = sum(total) * share * (1 - share);
  });
  Rows dg{l.mlp_halves, stride(l), nullptr}, du{l.mlp_halves + inner, stride(l), nullptr};
  linear_weight(l.threads, d, {l.mlp_product, inner, nullptr}, l.tokens, l.hidden, inner, l.d_mlp_down);
  linear_weight(l.threads, dg, x, l.tokens, inner, l.hidden, l.d_mlp_gate);
  linear_weight(l.threads, du, x, l.tokens, inner, l.hidden, l.d_mlp_up);
  linear_input(l.threads, dg, l.tokens, inner, l.mlp_gate, l.hidden, l.d_normed, l.hidden, add);
  linear_input(l.threads, du, l.tokens, inner, l.mlp_up, l.hidden, l.d_normed, l.hidden, true);
  if (!l.mlp_scale) return;
  parallel(l.threads, blocks, [&](int64_t block) {
    float* dw = l.partial + block * l.hidden;
    std::memset(dw, 0, static_cast<size_t>(l.hidden) * 4);
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      V score = splat(l.d_mlp_scores[t]);
      const float* row = l.normed + t * l.hidden;
      float* dx = l.d_normed + t * l.hidden;
      each(l.hidden, [&](int64_t i, int64_t n) {
        put(dw + i, take(dw + i, n) + score * take(row + i, n), n);
        put(dx + i, take(dx + i, n) + score * take(l.mlp_scale + i, n), n);
      });
    }
  });
  for (int64_t block = 0; block < blocks; block++)
    for (int64_t i = 0; i < l.hidden; i++) l.d_mlp_scale[i] += l.partial[block * l.hidden + i];
}

// A layer without experts, from l.gradient to that of l.middle.
void mlp_backward(const EkLayer& l) {
  norm_tokens(l, l.middle, l.post_norm);
  mlp_gradients(l, false);
  norm_tokens_backward(l, l.middle, l.post_norm, l.d_post_norm);
}

}  // namespace EK_ISA
