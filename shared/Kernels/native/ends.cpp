// Both ends of the decoder: embedding; and norm, output head and cross-entropy, whose logits exist for a few hundred
// rows at a time: loss, gradient of the logits and both products with it are done before the next rows.
#include "entry.h"
#include "linear.h"
#include "norm.h"

namespace EK_ISA {
namespace {

void norm_rows(const EkEnds& e) {
  parallel(e.threads, ceil(e.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(e.tokens, (block + 1) * norm_block); t++)
      norm_row(e.stream + t * e.hidden, e.final_norm, e.hidden, e.epsilon, e.normed + t * e.hidden);
  });
}

// Cross-entropy of one row; its gradient in place when scale is not 0.
float cross_entropy(float* z, int64_t n, int64_t target, double scale) {
  V best = splat(-3e38f);
  int64_t i = 0;
  for (; i + W <= n; i += W) best = max(best, load(z + i));
  float top = max(best);
  for (; i < n; i++) top = z[i] > top ? z[i] : top;
  V total{}, shift = splat(top);
  for (i = 0; i + W <= n; i += W) total += exp(load(z + i) - shift);
  float rest = 0;
  for (; i < n; i++) rest += std::exp(z[i] - top);
  float lse = top + std::log(sum(total) + rest), loss = lse - z[target];
  if (scale != 0) {
    V by = splat(lse), factor = splat(static_cast<float>(scale));
    each(n, [&](int64_t at, int64_t count) { put(z + at, exp(take(z + at, count) - by) * factor, count); });
    z[target] -= static_cast<float>(scale);
  }
  return loss;
}

}  // namespace

void embed(const EkEnds& e) {
  for (int64_t t = 0; t < e.tokens; t++) std::memcpy(e.stream + t * e.hidden, e.embedding + e.ids[t] * e.hidden, static_cast<size_t>(e.hidden) * 4);
}

void embed_backward(const EkEnds& e) {
  constexpr int64_t columns = 64;
  parallel(e.threads, ceil(e.hidden, columns), [&](int64_t task) {
    int64_t first = task * columns, width = least(columns, e.hidden - first);
    for (int64_t t = 0; t < e.tokens; t++) {
      float* d = e.d_embedding + e.ids[t] * e.hidden + first;
      const float* from = e.gradient + t * e.hidden + first;
      each(width, [&](int64_t i, int64_t n) { put(d + i, take(d + i, n) + take(from + i, n), n); });
    }
  });
}

void head_forward(const EkEnds& e) {
  norm_rows(e);
  linear(e.threads, {e.normed, e.hidden, nullptr}, e.tokens, e.hidden, e.head, e.vocabulary, e.logits, e.vocabulary, false);
}

void head_losses(const EkEnds& e) {
  norm_rows(e);
  for (int64_t first = 0; first < e.tokens; first += e.rows) {
    int64_t rows = least(e.rows, e.tokens - first);
    Rows x{e.normed + first * e.hidden, e.hidden, nullptr}, d{e.logits, e.vocabulary, nullptr};
    linear(e.threads, x, rows, e.hidden, e.head, e.vocabulary, e.logits, e.vocabulary, false);
    parallel(e.threads, ceil(rows, 16), [&](int64_t block) {
      for (int64_t t = block * 16; t < least(rows, (block + 1) * 16); t++)
        e.losses[first + t] = cross_entropy(e.logits + t * e.vocabulary, e.vocabulary, e.targets[first + t], e.d_head ? e.scale : 0);
    });
    if (!e.d_head) continue;
    linear_weight(e.threads, d, x, rows, e.vocabulary, e.hidden, e.d_head);
    linear_input(e.threads, d, rows, e.vocabulary, e.head, e.hidden, e.d_normed + first * e.hidden, e.hidden, false);
  }
  if (!e.d_head) return;
  int64_t blocks = ceil(e.tokens, norm_block);
  parallel(e.threads, blocks, [&](int64_t block) {
    float* dw = e.partial + block * e.hidden;
    std::memset(dw, 0, static_cast<size_t>(e.hidden) * 4);
    for (int64_t t = block * norm_block; t < least(e.tokens, (block + 1) * norm_block); t++)
      norm_row_backward<false>(e.stream + t * e.hidden, e.final_norm, e.d_normed + t * e.hidden, e.hidden, e.epsilon, e.gradient + t * e.hidden, dw);
  });
  for (int64_t block = 0; block < blocks; block++)
    for (int64_t i = 0; i < e.hidden; i++) e.d_final_norm[i] += e.partial[block * e.hidden + i];
}

}  // namespace EK_ISA
