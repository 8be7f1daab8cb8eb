// x1 = norm(h); q, k, v = x1 W; q and k normed (over all heads, head by head, or not at all) and rotated; causal softmax attention; h' = h + context Wo.
// Scores exist for one block of queries of one head at a time; the backward pass computes them again from the kept
// log-sum-exp (Dao et al., arXiv 2205.14135, without the online softmax: a block sees all its keys).
#include "entry.h"
#include "linear.h"
#include "layer.h"
#include "norm.h"

namespace EK_ISA {
namespace {

constexpr int64_t query_block = 48;
constexpr int64_t norm_all = 0, norm_each = 1;

struct Widths {
  int64_t query, key, all, rotated;
  explicit Widths(const EkLayer& l) : query(l.heads * l.head_size), key(l.kv_heads * l.head_size), all(query + 2 * key), rotated(query + key) {}
};

// Whether the three projections lie one after the other, as one matrix.
bool is_stacked(const EkLayer& l, const float* query, const float* key, const float* value) {
  Widths w(l);
  return key == query + w.query * l.hidden && value == key + w.key * l.hidden;
}

void rotate(const float* x, const float* cosine, const float* sine, int64_t size, float* y) {
  int64_t half = size / 2;
  each(half, [&](int64_t i, int64_t n) {
    V a = take(x + i, n), b = take(x + half + i, n);
    put(y + i, a * take(cosine + i, n) + b * take(sine + i, n), n);
    put(y + half + i, b * take(cosine + half + i, n) + a * take(sine + half + i, n), n);
  });
}

// The transpose of rotate, in place.
void rotate_back(float* d, const float* cosine, const float* sine, int64_t size) {
  int64_t half = size / 2;
  each(half, [&](int64_t i, int64_t n) {
    V a = take(d + i, n), b = take(d + half + i, n);
    put(d + i, a * take(cosine + i, n) + b * take(sine + half + i, n), n);
    put(d + half + i, b * take(cosine + half + i, n) + a * take(sine + i, n), n);
  });
}

// Tokens that attend to each other only: a document, or a whole sequence.
struct Span {
  int64_t first, length;
  Span(const EkLayer& l, int64_t number)
      : first(l.documents ? l.document_starts[number] : number * l.length), length(l.documents ? l.document_starts[number + 1] - first : l.length) {}
  static int64_t count(const EkLayer& l) { return l.documents ? l.documents : l.tokens / l.length; }
};

// Head h of a token's queries and keys, and the norm weight that it has when heads are normed one by one.
const float* head_weight(const EkLayer& l, int64_t h) { return h < l.heads ? l.query_norm : l.key_norm; }

void norm_and_rotate(const EkLayer& l) {
  Widths w(l);
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    float* line = ek_scratch(slot_rows, w.rotated);
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      const float* from = l.projected + t * w.all;
      if (l.head_norm == norm_all) {
        norm_row(from, l.query_norm, w.query, l.epsilon, line);
        norm_row(from + w.query, l.key_norm, w.key, l.epsilon, line + w.query);
      } else if (l.head_norm == norm_each) {
        for (int64_t h = 0; h < l.heads + l.kv_heads; h++)
          norm_row(from + h * l.head_size, head_weight(l, h), l.head_size, l.epsilon, line + h * l.head_size);
      }
      const float* heads = l.head_norm == norm_all || l.head_norm == norm_each ? line : from;
      int64_t position = t % l.length * l.head_size;
      for (int64_t h = 0; h < l.heads + l.kv_heads; h++)
        rotate(heads + h * l.head_size, l.cosine + position, l.sine + position, l.head_size, l.rotated + t * w.rotated + h * l.head_size);
    }
  });
}

// exp(scale s - max) row by row, zero above the diagonal; keeps the logarithm of the sum and divides by it.
void softmax_rows(float* s, int64_t stride, int64_t q0, int64_t rows, int64_t columns, float scale, float* lse) {
  for (int64_t i = 0; i < rows; i++, s += stride) {
    int64_t visible = q0 + i + 1;
    V best = splat(-3e38f);
    int64_t j = 0;
    for (; j + W <= visible; j += W) best = max(best, load(s + j));
    float top = max(best);
    for (; j < visible; j++) top = s[j] > top ? s[j] : top;
    V total{}, shift = splat(top * scale);
    each(visible, [&](int64_t at, int64_t n) {
      V e = exp(take(s + at, n) * scale - shift);
      if (n < W) {
        float part[W] = {};
        store(part, e, n);
        e = load(part);
      }
      total += e;
      put(s + at, e, n);
    });
    float denominator = sum(total);
    lse[i] = top * scale + std::log(denominator);
    V inverse = splat(1.f / denominator);
    each(visible, [&](int64_t at, int64_t n) { put(s + at, take(s + at, n) * inverse, n); });
    for (int64_t rest = visible; rest < columns; rest++) s[rest] = 0;
  }
}

void attend(const EkLayer& l) {
  Widths w(l);
  int64_t size = l.head_size, repeats = l.heads / l.kv_heads;
  float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  parallel(l.threads, Span::count(l) * l.heads, [&](int64_t task) {
    Span span(l, task / l.heads);
    int64_t head = task % l.heads, kv = head / repeats, first = span.first, length = span.length;
    const float* q = l.rotated + first * w.rotated + head * size;
    const float* k = l.rotated + first * w.rotated + w.query + kv * size;
    const float* v = l.projected + first * w.all + w.query + w.key + kv * size;
    float* keys = ek_scratch(slot_packed_b, Fp32::packed_size(size, length) + Fp32::packed_size(length, size));
    float* values = keys + Fp32::packed_size(size, length);
    Fp32::pack_transposed({k, w.rotated, nullptr}, size, length, keys);
    Fp32::pack_plain({v, w.all, nullptr}, length, size, values);
    int64_t stride = ceil(length, NR) * NR;
    float* scores = ek_scratch(slot_tile, query_block * stride);
    for (int64_t q0 = 0; q0 < length; q0 += query_block) {
      int64_t rows = least(query_block, length - q0), seen = q0 + rows;
      // panels of keys lie one after the other, so a block of queries uses the first ones only (head size <= Fp32::KC)
      Fp32::multiply({q + q0 * w.rotated, w.rotated, nullptr}, rows, size, keys, seen, scores, stride, false);
      softmax_rows(scores, stride, q0, rows, seen, scale, l.lse + head * l.tokens + first + q0);
      float* out = l.context + (first + q0) * w.query + head * size;
      for (int64_t k0 = 0; k0 < seen; k0 += Fp32::KC) {
        int64_t kc = least(Fp32::KC, length - k0), depth = least(kc, seen - k0);
        // one block of depth at a time: a panel is kc deep, of which the first rows are used
        for (int64_t j = 0; j < size; j += NR) {
          const float* panel = values + Fp32::packed_size(k0, size) + j / NR * kc * NR;
          Fp32::multiply({scores + k0, stride, nullptr}, rows, depth, panel, least(NR, size - j), out + j, w.query, k0 > 0);
        }
      }
    }
  });
}

void attend_backward(const EkLayer& l) {
  Widths w(l);
  int64_t size = l.head_size, repeats = l.heads / l.kv_heads;
  float scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  parallel(l.threads, Span::count(l) * l.kv_heads, [&](int64_t task) {
    Span span(l, task / l.kv_heads);
    int64_t kv = task % l.kv_heads, first = span.first, length = span.length;
    const float* k = l.rotated + first * w.rotated + w.query + kv * size;
    const float* v = l.projected + first * w.all + w.query + w.key + kv * size;
    float* dk = l.d_projected + first * w.all + w.query + kv * size;
    float* dv = dk + w.key;
    int64_t by_column = Fp32::packed_size(size, length), by_row = Fp32::packed_size(length, size), stride = ceil(length, NR) * NR;
    float* keys = ek_scratch(slot_more, 2 * by_column + by_row);
    float *values = keys + by_column, *plain_keys = values + by_column;
    Fp32::pack_transposed({k, w.rotated, nullptr}, size, length, keys);
    Fp32::pack_transposed({v, w.all, nullptr}, size, length, values);
    Fp32::pack_plain({k, w.rotated, nullptr}, length, size, plain_keys);
    float* p = ek_scratch(slot_tile, 2 * query_block * stride);
    float* dp = p + query_block * stride;
    for (int64_t t = 0; t < length; t++) {
      std::memset(dk + t * w.all, 0, static_cast<size_t>(size) * 4);
      std::memset(dv + t * w.all, 0, static_cast<size_t>(size) * 4);
    }
    for (int64_t head = kv * repeats; head < (kv + 1) * repeats; head++)
      for (int64_t q0 = 0; q0 < length; q0 += query_block) {
        int64_t rows = least(query_block, length - q0), seen = q0 + rows, start = first + q0;
        Rows q{l.rotated + start * w.rotated + head * size, w.rotated, nullptr};
        Rows d_out{l.d_context + start * w.query + head * size, w.query, nullptr};
        Fp32::multiply(q, rows, size, keys, seen, p, stride, false);
        Fp32::multiply(d_out, rows, size, values, seen, dp, stride, false);
        for (int64_t i = 0; i < rows; i++) {
          float *pi = p + i * stride, *di = dp + i * stride;
          int64_t visible = q0 + i + 1;
          V shift = splat(l.lse[head * l.tokens + start + i]);
          V delta = splat(dot(d_out.at(i), l.context + (start + i) * w.query + head * size, size));
          each(visible, [&](int64_t at, int64_t n) {
            V e = exp(take(pi + at, n) * scale - shift);
            put(pi + at, e, n);
            put(di + at, e * (take(di + at, n) - delta) * scale, n);
          });
          for (int64_t rest = visible; rest < seen; rest++) pi[rest] = di[rest] = 0;
        }
        float* dq = l.d_projected + start * w.all + head * size;
        for (int64_t k0 = 0; k0 < seen; k0 += Fp32::KC) {
          int64_t kc = least(Fp32::KC, length - k0), depth = least(kc, seen - k0);
          for (int64_t j = 0; j < size; j += NR) {
            const float* panel = plain_keys + Fp32::packed_size(k0, size) + j / NR * kc * NR;
            Fp32::multiply({dp + k0, stride, nullptr}, rows, depth, panel, least(NR, size - j), dq + j, w.all, k0 > 0);
          }
        }
        multiply_columns<Fp32>({dp, stride, nullptr}, q, rows, seen, size, dk, w.all, true);
        multiply_columns<Fp32>({p, stride, nullptr}, d_out, rows, seen, size, dv, w.all, true);
      }
  });
}

// Gradient of q and k before norm and rotation, in place; weight gradients by blocks, added up in order.
void norm_and_rotate_backward(const EkLayer& l) {
  Widths w(l);
  int64_t blocks = ceil(l.tokens, norm_block);
  int64_t query = l.head_norm == norm_all ? w.query : l.head_norm == norm_each ? l.head_size : 0; // norm weights of the queries
  int64_t key = l.head_norm == norm_all ? w.key : query;
  float* partial = l.partial; // (blocks, query + key)
  parallel(l.threads, blocks, [&](int64_t block) {
    float* dw = partial + block * (query + key);
    std::memset(dw, 0, static_cast<size_t>(query + key) * 4);
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      const float* x = l.projected + t * w.all;
      float* d = l.d_projected + t * w.all;
      int64_t position = t % l.length * l.head_size;
      for (int64_t h = 0; h < l.heads + l.kv_heads; h++)
        rotate_back(d + h * l.head_size, l.cosine + position, l.sine + position, l.head_size);
      if (l.head_norm == norm_all) {
        norm_row_backward<false>(x, l.query_norm, d, w.query, l.epsilon, d, dw);
        norm_row_backward<false>(x + w.query, l.key_norm, d + w.query, w.key, l.epsilon, d + w.query, dw + w.query);
      } else if (l.head_norm == norm_each) {
        for (int64_t h = 0; h < l.heads + l.kv_heads; h++) {
          float* own = d + h * l.head_size;
          norm_row_backward<false>(x + h * l.head_size, head_weight(l, h), own, l.head_size, l.epsilon, own, h < l.heads ? dw : dw + query);
        }
      }
    }
  });
  for (int64_t block = 0; block < blocks; block++) {
    const float* dw = partial + block * (query + key);
    for (int64_t i = 0; i < query; i++) l.d_query_norm[i] += dw[i];
    for (int64_t i = 0; i < key; i++) l.d_key_norm[i] += dw[query + i];
  }
}

void start_with_biases(const EkLayer& l) {
  Widths w(l);
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      float* row = l.projected + t * w.all;
      std::memcpy(row, l.query_bias, static_cast<size_t>(w.query) * 4);
      std::memcpy(row + w.query, l.key_bias, static_cast<size_t>(w.key) * 4);
      std::memcpy(row + w.query + w.key, l.value_bias, static_cast<size_t>(w.key) * 4);
    }
  });
}

// Sums of l.d_projected over the tokens, by blocks, added up in order.
void biases_backward(const EkLayer& l) {
  Widths w(l);
  int64_t blocks = ceil(l.tokens, norm_block);
  parallel(l.threads, blocks, [&](int64_t block) {
    float* sums = l.partial + block * w.all;
    std::memset(sums, 0, static_cast<size_t>(w.all) * 4);
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++)
      each(w.all, [&](int64_t i, int64_t n) { put(sums + i, take(sums + i, n) + take(l.d_projected + t * w.all + i, n), n); });
  });
  for (int64_t block = 0; block < blocks; block++) {
    const float* sums = l.partial + block * w.all;
    for (int64_t i = 0; i < w.query; i++) l.d_query_bias[i] += sums[i];
    for (int64_t i = 0; i < w.key; i++) l.d_key_bias[i] += sums[w.query + i];
    for (int64_t i = 0; i < w.key; i++) l.d_value_bias[i] += sums[w.query + w.key + i];
  }
}

}  // namespace

void norm_tokens(const EkLayer& l, const float* x, const float* weight) {
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++)
      norm_row(x + t * l.hidden, weight, l.hidden, l.epsilon, l.normed + t * l.hidden);
  });
}

// Adds the gradient through y = norm(x) to l.gradient, from l.d_normed.
void norm_tokens_backward(const EkLayer& l, const float* x, const float* weight, float* d_weight) {
  int64_t blocks = ceil(l.tokens, norm_block);
  parallel(l.threads, blocks, [&](int64_t block) {
    float* dw = l.partial + block * l.hidden;
    std::memset(dw, 0, static_cast<size_t>(l.hidden) * 4);
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++)
      norm_row_backward<true>(x + t * l.hidden, weight, l.d_normed + t * l.hidden, l.hidden, l.epsilon, l.gradient + t * l.hidden, dw);
  });
  for (int64_t block = 0; block < blocks; block++)
    for (int64_t i = 0; i < l.hidden; i++) d_weight[i] += l.partial[block * l.hidden + i];
}

void attention_forward(const EkLayer& l) {
  Widths w(l);
  Rows x{l.normed, l.hidden, nullptr}, context{l.context, w.query, nullptr};
  norm_tokens(l, l.input, l.input_norm);
  bool add = l.query_bias;
  if (add) start_with_biases(l);
  if (is_stacked(l, l.query, l.key, l.value)) {
    linear(l.threads, x, l.tokens, l.hidden, l.query, w.all, l.projected, w.all, add);
  } else {
    linear(l.threads, x, l.tokens, l.hidden, l.query, w.query, l.projected, w.all, add);
    linear(l.threads, x, l.tokens, l.hidden, l.key, w.key, l.projected + w.query, w.all, add);
    linear(l.threads, x, l.tokens, l.hidden, l.value, w.key, l.projected + w.query + w.key, w.all, add);
  }
  norm_and_rotate(l);
  attend(l);
  if (!l.middle) return;
  std::memcpy(l.middle, l.input, static_cast<size_t>(l.tokens * l.hidden) * 4);
  linear(l.threads, context, l.tokens, w.query, l.output, l.hidden, l.middle, l.hidden, true);
}

void attention_backward(const EkLayer& l) {
  Widths w(l);
  Rows d{l.gradient, l.hidden, nullptr}, context{l.context, w.query, nullptr}, x{l.normed, l.hidden, nullptr};
  linear_input(l.threads, d, l.tokens, l.hidden, l.output, w.query, l.d_context, w.query, false);
  linear_weight(l.threads, d, context, l.tokens, l.hidden, w.query, l.d_output);
  norm_and_rotate(l);
  attend_backward(l);
  norm_and_rotate_backward(l);
  if (l.query_bias) biases_backward(l);
  norm_tokens(l, l.input, l.input_norm);
  Rows dq{l.d_projected, w.all, nullptr}, dk{l.d_projected + w.query, w.all, nullptr}, dv{l.d_projected + w.query + w.key, w.all, nullptr};
  if (is_stacked(l, l.query, l.key, l.value) && is_stacked(l, l.d_query, l.d_key, l.d_value)) {
    linear_weight(l.threads, dq, x, l.tokens, w.all, l.hidden, l.d_query);
    linear_input(l.threads, dq, l.tokens, w.all, l.query, l.hidden, l.d_normed, l.hidden, false);
  } else {
    linear_weight(l.threads, dq, x, l.tokens, w.query, l.hidden, l.d_query);
    linear_weight(l.threads, dk, x, l.tokens, w.key, l.hidden, l.d_key);
    linear_weight(l.threads, dv, x, l.tokens, w.key, l.hidden, l.d_value);
    linear_input(l.threads, dq, l.tokens, w.query, l.query, l.hidden, l.d_normed, l.hidden, false);
    linear_input(l.threads, dk, l.tokens, w.key, l.key, l.hidden, l.d_normed, l.hidden, true);
    linear_input(l.threads, dv, l.tokens, w.key, l.value, l.hidden, l.d_normed, l.hidden, true);
  }
  norm_tokens_backward(l, l.input, l.input_norm, l.d_input_norm);
}

}  // namespace EK_ISA
