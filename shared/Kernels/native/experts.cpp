// SwiGLU experts over tokens sorted by expert: [g, u] = x [Wg, Wu]; a = silu(g) u; y = a Wd; out = h + sum_k gate_k y_k.
// Inputs are gathered while they are multiplied; the activation is applied to a block of rows while it is in the cache.
// Backward keeps g and u only: with d the gradient of out, p = d Wd^T; dgate = p . a; da = gate p; and so on. Threads
// take (expert, columns) pieces, so an expert without tokens costs nothing and no two pieces write the same place.
#include "entry.h"
#include "linear.h"
#include "norm.h"

namespace EK_ISA {
namespace {

constexpr int64_t inner_columns = 64;

// Rows of gate and up lie a little more than their length apart: at a distance of 4096 bytes they would all fall into the
// same few lines of the first-level cache. The C# side lays out as much.
int64_t halves_stride(const EkLayer& l) { return 2 * l.inner + 16; }

struct Piece {
  int64_t expert, first, rows, column, columns;
};

// Pieces of `size` columns of experts that have tokens, laid out by expert. The offsets take experts + 1 numbers.
struct Split {
  const EkLayer& l;
  int64_t across, width, size;
  Split(const EkLayer& l, int64_t width, int64_t size) : l(l), across(ceil(width, size)), width(width), size(size) {}
  int64_t count() const { return l.experts * across; }
  Piece at(int64_t task, const int64_t* offsets) const {
    int64_t expert = task / across, column = task % across * size;
    return {expert, offsets[expert], l.counts[expert], column, least(size, width - column)};
  }
};

void find_offsets(const EkLayer& l, int64_t* offsets) {
  offsets[0] = 0;
  for (int64_t e = 0; e < l.experts; e++) offsets[e + 1] = offsets[e] + l.counts[e];
}

Rows gathered(const EkLayer& l, const float* x, int64_t first) { return {x, l.hidden, l.sorted_tokens + first}; }

void gate_up(const EkLayer& l, Piece p) {
  const float* weights = l.gate_up + p.expert * 2 * l.inner * l.hidden;
  int64_t half = Fast::packed_size(l.hidden, p.columns);
  float* gates = ek_scratch(slot_packed_b, 2 * half);
  Fast::pack_transposed({weights + p.column * l.hidden, l.hidden, nullptr}, l.hidden, p.columns, gates);
  Fast::pack_transposed({weights + (l.inner + p.column) * l.hidden, l.hidden, nullptr}, l.hidden, p.columns, gates + half);
  float* tile = l.halves ? nullptr : ek_scratch(slot_tile, MC * 2 * inner_columns);
  for (int64_t i = 0; i < p.rows; i += MC) {
    int64_t rows = least(MC, p.rows - i), stride = l.halves ? halves_stride(l) : 2 * inner_columns;
    float* g = l.halves ? l.halves + (p.first + i) * stride + p.column : tile;
    float* u = g + (l.halves ? l.inner : inner_columns);
    Rows x = gathered(l, l.normed, p.first + i);
    Fast::multiply(x, rows, l.hidden, gates, p.columns, g, stride, false);
    Fast::multiply(x, rows, l.hidden, gates + half, p.columns, u, stride, false);
    for (int64_t r = 0; r < rows; r++, g += stride, u += stride) {
      float* a = l.inner_product + (p.first + i + r) * l.inner + p.column;
      each(p.columns, [&](int64_t j, int64_t n) {
        V x = take(g + j, n);
        put(a + j, x * sigmoid(x) * take(u + j, n), n);
      });
    }
  }
}

void down(const EkLayer& l, Piece p) {
  float* packed = ek_scratch(slot_packed_b, Fast::packed_size(l.inner, p.columns));
  Fast::pack_transposed({l.down + (p.expert * l.hidden + p.column) * l.inner, l.inner, nullptr}, l.inner, p.columns, packed);
  Fast::multiply({l.inner_product + p.first * l.inner, l.inner, nullptr}, p.rows, l.inner, packed, p.columns,
           l.expert_output + p.first * l.hidden + p.column, l.hidden, false);
}

// Gradients of g and u in place of them, gate * a in l.inner_product, and this piece's share of the gates' gradient.
void activation_backward(const EkLayer& l, Piece p, float* share) {
  float* packed = ek_scratch(slot_packed_b, Fast::packed_size(l.hidden, p.columns));
  Fast::pack_plain({l.down + p.expert * l.hidden * l.inner + p.column, l.inner, nullptr}, l.hidden, p.columns, packed);
  float* tile = ek_scratch(slot_tile, MC * inner_columns);
  for (int64_t i = 0; i < p.rows; i += MC) {
    int64_t rows = least(MC, p.rows - i);
    Fast::multiply(gathered(l, l.gradient, p.first + i), rows, l.hidden, packed, p.columns, tile, inner_columns, false);
    for (int64_t r = 0; r < rows; r++) {
      int64_t row = p.first + i + r;
      float *g = l.halves + row * halves_stride(l) + p.column, *u = g + l.inner, *a = l.inner_product + row * l.inner + p.column;
      const float* d = tile + r * inner_columns;
      V gate = splat(l.sorted_gates[row]), total{};
      each(p.columns, [&](int64_t j, int64_t n) {
        V x = take(g + j, n), up = take(u + j, n), by = take(d + j, n);
        V half = sigmoid(x), silu = x * half, product = silu * up, scaled = by * gate;
        total += by * product;
        put(a + j, product * gate, n);
        put(u + j, scaled * silu, n);
        put(g + j, scaled * up * (half + silu * (1.f - half)), n);
      });
      share[row] = sum(total);
    }
  }
}

void input_backward(const EkLayer& l, Piece p) {
  int64_t depth = 2 * l.inner;
  float* packed = ek_scratch(slot_packed_b, Fast::packed_size(depth, p.columns));
  Fast::pack_plain({l.gate_up + p.expert * depth * l.hidden + p.column, l.hidden, nullptr}, depth, p.columns, packed);
  Fast::multiply({l.halves + p.first * halves_stride(l), halves_stride(l), nullptr}, p.rows, depth, packed, p.columns,
           l.expert_output + p.first * l.hidden + p.column, l.hidden, false);
}

void gate_up_backward(const EkLayer& l, Piece p) {
  Rows d{l.halves + p.first * halves_stride(l) + p.column, halves_stride(l), nullptr};
  float* dw = l.d_gate_up + (p.expert * 2 * l.inner + p.column) * l.hidden;
  multiply_columns(d, gathered(l, l.normed, p.first), p.rows, p.columns, l.hidden, dw, l.hidden, true);
}

void down_backward(const EkLayer& l, Piece p) {
  Rows d = gathered(l, l.gradient + p.column, p.first);
  float* dw = l.d_down + (p.expert * l.hidden + p.column) * l.inner;
  multiply_columns(d, {l.inner_product + p.first * l.inner, l.inner, nullptr}, p.rows, p.columns, l.inner, dw, l.inner, true);
}

}  // namespace

void experts_forward(const EkLayer& l) {
  int64_t offsets[l.experts + 1];
  find_offsets(l, offsets);
  Split inner(l, l.inner, inner_columns), outer(l, l.hidden, chunk_columns);
  parallel(l.threads, inner.count(), [&](int64_t task) {
    if (Piece p = inner.at(task, offsets); p.rows) gate_up(l, p);
  });
  parallel(l.threads, outer.count(), [&](int64_t task) {
    if (Piece p = outer.at(task, offsets); p.rows) down(l, p);
  });
}

void experts_combine(const EkLayer& l) {
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      const float *h = l.middle + t * l.hidden, *gates = l.gates + t * l.per_token;
      const int32_t* order = l.order + t * l.per_token;
      float* out = l.result + t * l.hidden;
      each(l.hidden, [&](int64_t i, int64_t n) {
        V total{};
        for (int64_t k = 0; k < l.per_token; k++) total += take(l.expert_output + order[k] * l.hidden + i, n) * gates[k];
        put(out + i, l.adds_residual ? take(h + i, n) + total : total, n);
      });
    }
  });
}

// From l.gradient to l.d_normed (through the experts) and l.d_gates; then the router's part, then the norm.
void experts_backward(const EkLayer& l) {
  int64_t offsets[l.experts + 1], pairs = l.tokens * l.per_token;
  find_offsets(l, offsets);
  for (int64_t i = 0; i < pairs; i++) l.sorted_gates[l.order[i]] = l.gates[i];
  norm_tokens(l, l.middle, l.post_norm);

  Split inner(l, l.inner, inner_columns);
  parallel(l.threads, inner.count(), [&](int64_t task) {
    if (Piece p = inner.at(task, offsets); p.rows) activation_backward(l, p, l.partial + task % inner.across * pairs);
  });
  parallel(l.threads, ceil(pairs, 1024), [&](int64_t block) {
    for (int64_t i = block * 1024; i < least(pairs, (block + 1) * 1024); i++) {
      float total = 0;
      for (int64_t piece = 0; piece < inner.across; piece++) total += l.partial[piece * pairs + l.order[i]];
      l.d_gates[i] = total;
    }
  });

  Split input(l, l.hidden, chunk_columns), up(l, 2 * l.inner, even_rows(2 * l.inner)), out(l, l.hidden, even_rows(l.hidden));
  parallel(l.threads, input.count() + up.count() + out.count(), [&](int64_t task) {
    if (task < up.count()) {
      if (Piece p = up.at(task, offsets); p.rows) gate_up_backward(l, p);
    } else if (task -= up.count(); task < out.count()) {
      if (Piece p = out.at(task, offsets); p.rows) down_backward(l, p);
    } else if (Piece p = input.at(task - out.count(), offsets); p.rows) {
      input_backward(l, p);
    }
  });
  parallel(l.threads, ceil(l.tokens, norm_block), [&](int64_t block) {
    for (int64_t t = block * norm_block; t < least(l.tokens, (block + 1) * norm_block); t++) {
      const int32_t* order = l.order + t * l.per_token;
      each(l.hidden, [&](int64_t i, int64_t n) {
        V total{};
        for (int64_t k = 0; k < l.per_token; k++) total += take(l.expert_output + order[k] * l.hidden + i, n);
        put(l.d_normed + t * l.hidden + i, total, n);
      });
    }
  });
  router_backward(l);
  if (l.mlp_inner) mlp_gradients(l, true);
  norm_tokens_backward(l, l.middle, l.post_norm, l.d_post_norm);
}

}  // namespace EK_ISA
