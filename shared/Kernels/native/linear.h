// Products with weights over all threads, in one precision or another: P is a set of products such as Fp32.
#pragma once
#include "gemm.h"
#include "gemm_bf16.h"

namespace EK_ISA {

// What the kernels of this file's compilation multiply with, except where they say otherwise.
#if defined(__AVX512BF16__)
using Fast = Bf16;
#else
using Fast = Fp32;
#endif

// C(i, j) (+)= sum over t < depth of A(t, i) B(t, j) for i < m and any n: the gradient of a weight.
template <class P = Fast>
static void multiply_columns(Rows a, Rows b, int64_t depth, int64_t m, int64_t n, float* c, int64_t stride, bool add) {
  for (int64_t j = 0; j < n; j += gradient_columns)
    P::multiply_column_block(a, {b.base + j, b.stride, b.index}, depth, m, least(gradient_columns, n - j), c + j, stride, add);
}

// Rows of a piece of a weight's gradient: about 128, in whole tiles, all pieces nearly equal.
static inline int64_t even_rows(int64_t width) { return ceil(ceil(width, ceil(width, 128)), MR) * MR; }

// Sizes of the pieces that threads take. A piece packs its own share of the weights.
constexpr int64_t chunk_columns = 128;
constexpr int64_t chunk_rows = 512;

// y (m, n) (+)= x (m, depth) W^T, W (n, depth) row-major.
template <class P = Fast>
static void linear(int64_t threads, Rows x, int64_t m, int64_t depth, const float* w, int64_t n, float* y, int64_t stride, bool add) {
  int64_t across = ceil(n, chunk_columns), down = ceil(m, chunk_rows);
  parallel(threads, across * down, [&](int64_t task) {
    int64_t j = task % across * chunk_columns, columns = least(chunk_columns, n - j);
    int64_t i = task / across * chunk_rows, rows = least(chunk_rows, m - i);
    float* packed = ek_scratch(slot_packed_b, P::packed_size(depth, columns));
    P::pack_transposed({w + j * depth, depth, nullptr}, depth, columns, packed);
    Rows part = x.index ? Rows{x.base, x.stride, x.index + i} : Rows{x.base + i * x.stride, x.stride, nullptr};
    P::multiply(part, rows, depth, packed, columns, y + i * stride + j, stride, add);
  });
}

// dx (m, depth) (+)= dy (m, n) W, W (n, depth) row-major.
template <class P = Fast>
static void linear_input(int64_t threads, Rows dy, int64_t m, int64_t n, const float* w, int64_t depth, float* dx, int64_t stride, bool add) {
  int64_t across = ceil(depth, chunk_columns), down = ceil(m, chunk_rows);
  parallel(threads, across * down, [&](int64_t task) {
    int64_t j = task % across * chunk_columns, columns = least(chunk_columns, depth - j);
    int64_t i = task / across * chunk_rows, rows = least(chunk_rows, m - i);
    float* packed = ek_scratch(slot_packed_b, P::packed_size(n, columns));
    P::pack_plain({w + j, depth, nullptr}, n, columns, packed);
    P::multiply({dy.base + i * dy.stride, dy.stride, nullptr}, rows, n, packed, columns, dx + i * stride + j, stride, add);
  });
}

// dW (n, depth) += dy^T x over m rows.
template <class P = Fast>
static void linear_weight(int64_t threads, Rows dy, Rows x, int64_t m, int64_t n, int64_t depth, float* dw) {
  int64_t across = ceil(depth, gradient_columns), pieces = ceil(n, 128);
  while (across * pieces % threads != 0 && n / pieces > 48) pieces++;  // as many for each thread
  int64_t rows_each = ceil(ceil(n, pieces), MR) * MR, down = ceil(n, rows_each);
  parallel(threads, across * down, [&](int64_t task) {
    int64_t j = task % across * gradient_columns, i = task / across * rows_each;
    multiply_columns<P>({dy.base + i, dy.stride, dy.index}, {x.base + j, x.stride, x.index}, m, least(rows_each, n - i),
                     least(gradient_columns, depth - j), dw + i * depth + j, depth, true);
  });
}

}  // namespace EK_ISA
