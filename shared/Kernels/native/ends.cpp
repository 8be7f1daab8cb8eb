// Both ends of the decoder: embedding; and norm, output head and cross-entropy, whose logits exist for a few hundred
// rows at a time: loss, gradient of the logits and both products with it are done before the next rows.
#include "entry.h"
#include "linear.h"
#include "norm.h"

namespace EK_ISA {
namespace {

void norm_rows(const EkEnds& e, const float* stream, const float* weight, int64_t hidden, double epsilon, float* normed) {
  parallel(e.threads, ceil(e.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(e.tokens, (block + 1) * norm_block); t++)
      norm_row(stream + t * hidden, weight, hidden, epsilon, normed + t * hidden);
  });
}

// log sum exp(by z).
float log_sum_exp(const float* z, int64_t n, float by = 1) {
  V best = splat(-3e38f), factor = splat(by);
  int64_t i = 0;
  for (; i + W <= n; i += W) best = max(best, load(z + i));
  float top = max(best);
  for (; i < n; i++) top = z[i] > top ? z[i] : top;
  top *= by;
  V total{}, shift = splat(top);
  for (i = 0; i + W <= n; i += W) total += exp(load(z + i) * factor - shift);
  float rest = 0;
  for (; i < n; i++) rest += std::exp(z[i] * by - top);
  return top + std::log(sum(total) + rest);
}

// Cross-entropy of one row; its gradient in place when scale is not 0.
float cross_entropy(float* z, int64_t n, int64_t target, double scale) {
  float lse = log_sum_exp(z, n), loss = lse - z[target];
  if (scale != 0) {
    V by = splat(lse), factor = splat(static_cast<float>(scale));
    each(n, [&](int64_t at, int64_t count) { put(z + at, exp(take(z + at, count) - by) * factor, count); });
    z[target] -= static_cast<float>(scale);
  }
  return loss;
}

// Distillation (arXiv 1503.02531): (1 - w) cross-entropy + w T^2 KL(softmax(t / T) || softmax(z / T)), t the teacher's logits. The
// gradient, (1 - w) (softmax(z) - target) + w T (softmax(z / T) - softmax(t / T)), in place of z; the divergence beside it; returns
// the cross-entropy. A teacher with the same logits gives a divergence of exactly 0.
float distil(const EkEnds& e, float* z, const float* t, int64_t target, float* divergence) {
  const int64_t n = e.vocabulary;
  const float by = static_cast<float>(1 / e.temperature);
  const float lse = log_sum_exp(z, n), warm = log_sum_exp(z, n, by), taught = log_sum_exp(t, n, by), loss = lse - z[target];
  const float hard = static_cast<float>(e.scale * (1 - e.weight)), soft = static_cast<float>(e.scale * e.weight * e.temperature);
  V apart{};
  each(n, [&](int64_t i, int64_t count) {
    V zi = take(z + i, count), ti = take(t + i, count);
    V q = exp(ti * by - taught), p = exp(zi * by - warm);
    apart += q * (ti - zi);
    put(z + i, exp(zi - lse) * hard + (p - q) * soft, count);
  });
  z[target] -= hard;
  *divergence = sum(apart) * by + (warm - taught);
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
  norm_rows(e, e.stream, e.final_norm, e.hidden, e.epsilon, e.normed);
  linear(e.threads, {e.normed, e.hidden, nullptr}, e.tokens, e.hidden, e.head, e.vocabulary, e.logits, e.vocabulary, false);
}

void head_losses(const EkEnds& e) {
  norm_rows(e, e.stream, e.final_norm, e.hidden, e.epsilon, e.normed);
  if (e.teacher_head) norm_rows(e, e.teacher_stream, e.teacher_norm, e.teacher_hidden, e.teacher_epsilon, e.teacher_normed);
  for (int64_t first = 0; first < e.tokens; first += e.rows) {
    int64_t rows = least(e.rows, e.tokens - first);
    Rows x{e.normed + first * e.hidden, e.hidden, nullptr}, d{e.logits, e.vocabulary, nullptr};
    linear(e.threads, x, rows, e.hidden, e.head, e.vocabulary, e.logits, e.vocabulary, false);
    if (e.teacher_head) {
      Rows taught{e.teacher_normed + first * e.teacher_hidden, e.teacher_hidden, nullptr};
      linear(e.threads, taught, rows, e.teacher_hidden, e.teacher_head, e.vocabulary, e.teacher_logits, e.vocabulary, false);
    }
    parallel(e.threads, ceil(rows, 16), [&](int64_t block) {
      for (int64_t t = block * 16; t < least(rows, (block + 1) * 16); t++) {
        float* z = e.logits + t * e.vocabulary;
        e.losses[first + t] = e.teacher_head
            ? distil(e, z, e.teacher_logits + t * e.vocabulary, e.targets[first + t], e.divergences + first + t)
            : cross_entropy(z, e.vocabulary, e.targets[first + t], e.d_head ? e.scale : 0);
      }
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
