// Single-precision products in cache blocks, for one thread. The inner kernel holds an MR x 2W tile of the result in
// registers. B is packed in panels of 2W columns; A is read where it lies, through row pointers, so that a gather of
// rows costs nothing (rows()), or packed when it is used transposed (columns()).
// After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
#pragma once
#include "parallel.h"
#include "simd.h"

namespace EK_ISA {

constexpr int MR = W == 16 ? 14 : W == 8 ? 6 : 4;
constexpr int NR = 2 * W;
constexpr int64_t MC = MR * (96 / MR); // rows of a block: they fit the second-level cache

// Columns of a weight's gradient that are done at once: a packed block of them stays in the second-level cache.
constexpr int64_t gradient_columns = 256;

EK_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
EK_INLINE int64_t ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a matrix, possibly picked by an index.
struct Rows {
  const float* base;
  int64_t stride;
  const int32_t* index;
  const float* at(int64_t i) const { return base + (index ? index[i] : i) * stride; }
};

template <int M>
EK_INLINE void put_tile(V (&c)[M][2], float* out, int64_t stride, int64_t columns, bool add) {
#pragma GCC unroll 16
  for (int r = 0; r < M; r++, out += stride) {
    if (columns == NR) {
      store(out, add ? c[r][0] + load(out) : c[r][0]);
      store(out + W, add ? c[r][1] + load(out + W) : c[r][1]);
    } else {
      float line[NR];
      store(line, c[r][0]);
      store(line + W, c[r][1]);
      for (int64_t j = 0; j < columns; j++) out[j] = add ? out[j] + line[j] : line[j];
    }
  }
}

#if EK_WIDTH >= 8
// Eight rows of eight elements, turned around; out rows lie NR apart.
EK_INLINE void transpose8(const float* in, int64_t stride, float* out) {
  __m256 r[8], t[8];
  for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(in + i * stride);
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_storeu_ps(out + i * NR, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(out + (i + 4) * NR, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}
#endif

// Products of floats.
struct Fp32 {
  static constexpr int64_t KC = 256;  // depth of a block: one panel of B fits the first-level cache

  template <int M>
  EK_INLINE void multiply_rows(int64_t depth, const float* const* rows, const float* b, V (&c)[M][2]) {
    const float* a[M];
#pragma GCC unroll 16
    for (int r = 0; r < M; r++) a[r] = rows[r];
    for (int64_t k = 0; k < depth; k++, b += NR) {
      V b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < M; r++) {
        V x = splat(a[r][k]);
        c[r][0] += x * b0;
        c[r][1] += x * b1;
      }
    }
  }

  template <int M>
  EK_INLINE void multiply_packed(int64_t depth, const float* a, const float* b, V (&c)[M][2]) {
    for (int64_t k = 0; k < depth; k++, b += NR, a += MR) {
      V b0 = load(b), b1 = load(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < M; r++) {
        V x = splat(a[r]);
        c[r][0] += x * b0;
        c[r][1] += x * b1;
      }
    }
  }

  template <int M>
  static __attribute__((noinline)) void tile_rows(int64_t depth, const float* const* a, const float* b, float* out, int64_t stride, int64_t columns, bool add) {
    V c[M][2] = {};
    multiply_rows<M>(depth, a, b, c);
    put_tile<M>(c, out, stride, columns, add);
  }

  template <int M>
  static __attribute__((noinline)) void tile_packed(int64_t depth, const float* a, const float* b, float* out, int64_t stride, int64_t columns, bool add) {
    V c[M][2] = {};
    multiply_packed<M>(depth, a, b, c);
    put_tile<M>(c, out, stride, columns, add);
  }

  template <int M>
  EK_INLINE void tile_rows_tail(int64_t m, int64_t depth, const float* const* a, const float* b, float* out, int64_t stride, int64_t columns, bool add) {
    if (m == M)
      tile_rows<M>(depth, a, b, out, stride, columns, add);
    else if constexpr (M > 1)
      tile_rows_tail<M - 1>(m, depth, a, b, out, stride, columns, add);
  }

  template <int M>
  EK_INLINE void tile_packed_tail(int64_t m, int64_t depth, const float* a, const float* b, float* out, int64_t stride, int64_t columns, bool add) {
    if (m == M)
      tile_packed<M>(depth, a, b, out, stride, columns, add);
    else if constexpr (M > 1)
      tile_packed_tail<M - 1>(m, depth, a, b, out, stride, columns, add);
  }

  // Floats that `columns` columns of depth `depth` take when packed.
  EK_INLINE int64_t packed_size(int64_t depth, int64_t columns) { return depth * ceil(columns, NR) * NR; }

  // Packs B(k, j) = w[j][k], j < columns, all of k < depth, block after block of KC: the right side of x W^T.
  static void pack_transposed(Rows w, int64_t depth, int64_t columns, float* out) {
    for (int64_t k0 = 0; k0 < depth; k0 += KC) {
      int64_t kc = least(KC, depth - k0);
      for (int64_t j0 = 0; j0 < columns; j0 += NR, out += kc * NR) {
        int64_t n = least(NR, columns - j0), j = 0;
#if EK_WIDTH >= 8
        if (!w.index)
          for (; j + 8 <= n; j += 8) {
            const float* in = w.at(j0 + j) + k0;
            int64_t k = 0;
            for (; k + 8 <= kc; k += 8) transpose8(in + k, w.stride, out + k * NR + j);
            for (; k < kc; k++)
              for (int64_t i = 0; i < 8; i++) out[k * NR + j + i] = in[i * w.stride + k];
          }
#endif
        for (; j < n; j++) {
          const float* in = w.at(j0 + j) + k0;
          for (int64_t k = 0; k < kc; k++) out[k * NR + j] = in[k];
        }
        for (; j < NR; j++)
          for (int64_t k = 0; k < kc; k++) out[k * NR + j] = 0;
      }
    }
  }

  // Packs one block of B(k, j) = w[k][j], k0 <= k < k0 + kc, j < columns.
  static void pack_block(Rows w, int64_t k0, int64_t kc, int64_t columns, float* out) {
    int64_t whole = columns / NR * NR;
    for (int64_t k = 0; k < kc; k++) {
      const float* in = w.at(k0 + k);
      float* to = out + k * NR;
      for (int64_t j = 0; j < whole; j += NR, to += kc * NR) {
        store(to, load(in + j));
        store(to + W, load(in + j + W));
      }
      if (whole < columns)
        for (int64_t j = 0; j < NR; j++) to[j] = whole + j < columns ? in[whole + j] : 0;
    }
  }

  // The same for all of k: the right side of x W.
  static void pack_plain(Rows w, int64_t depth, int64_t columns, float* out) {
    for (int64_t k0 = 0; k0 < depth; k0 += KC) {
      int64_t kc = least(KC, depth - k0);
      pack_block(w, k0, kc, columns, out);
      out += packed_size(kc, columns);
    }
  }

  // C(i, j) (+)= sum over k < depth of A(i, k) B(k, j) for i < m, j < n, B packed; done(i0, i1) is called when rows i0..i1 are
  // complete and still in the cache.
  template <class Done>
  static void multiply(Rows a, int64_t m, int64_t depth, const float* packed, int64_t n, float* c, int64_t stride, bool add, Done done) {
    for (int64_t i0 = 0; i0 < m; i0 += MC) {
      int64_t i1 = least(m, i0 + MC);
      const float* panel = packed;
      for (int64_t k0 = 0; k0 < depth; k0 += KC) {
        int64_t kc = least(KC, depth - k0);
        for (int64_t j = 0; j < n; j += NR, panel += kc * NR) {
          int64_t columns = least(NR, n - j);
          for (int64_t i = i0; i < i1; i += MR) {
            const float* rows[MR];
            int64_t count = least(MR, i1 - i);
            for (int64_t r = 0; r < count; r++) rows[r] = a.at(i + r) + k0;
            if (count == MR)
              tile_rows<MR>(kc, rows, panel, c + i * stride + j, stride, columns, add || k0 > 0);
            else
              tile_rows_tail<MR - 1>(count, kc, rows, panel, c + i * stride + j, stride, columns, add || k0 > 0);
          }
        }
      }
      done(i0, i1);
    }
  }

  static void multiply(Rows a, int64_t m, int64_t depth, const float* packed, int64_t n, float* c, int64_t stride, bool add) {
    multiply(a, m, depth, packed, n, c, stride, add, [](int64_t, int64_t) {});
  }

  // Packs A(t, i), t0 <= t < t0 + tc, i < m, for use transposed: panels of MR columns. A few rows at a time, so that what
  // is read stays in the cache while it is written out panel by panel.
  static void pack_tiles(Rows a, int64_t t0, int64_t tc, int64_t m, float* out) {
    constexpr int64_t rows = 16;
    int64_t whole = m / MR * MR;
    for (int64_t first = 0; first < tc; first += rows) {
      int64_t last = least(tc, first + rows);
      const float* in[rows];
      for (int64_t t = first; t < last; t++) in[t - first] = a.at(t0 + t);
      for (int64_t i = 0; i < whole; i += MR) {
        float* to = out + i * tc + first * MR;
        for (int64_t t = 0; t < last - first; t++, to += MR) std::memcpy(to, in[t] + i, MR * 4);
      }
      if (whole < m) {
        float* to = out + whole * tc + first * MR;
        for (int64_t t = 0; t < last - first; t++, to += MR)
          for (int64_t i = 0; i < MR; i++) to[i] = whole + i < m ? in[t][whole + i] : 0;
      }
    }
  }

  // C(i, j) (+)= sum over t < depth of A(t, i) B(t, j) for i < m, j < n <= gradient_columns.
  static void multiply_column_block(Rows a, Rows b, int64_t depth, int64_t m, int64_t n, float* c, int64_t stride, bool add) {
    float* packed_b = ek_scratch(slot_packed_b, packed_size(KC, n));
    float* packed_a = ek_scratch(slot_packed_a, KC * ceil(m, MR) * MR);
    for (int64_t t0 = 0; t0 < depth; t0 += KC) {
      int64_t tc = least(KC, depth - t0);
      pack_block(b, t0, tc, n, packed_b);
      pack_tiles(a, t0, tc, m, packed_a);
      for (int64_t j = 0; j < n; j += NR)
        for (int64_t i = 0; i < m; i += MR) {
          const float *pa = packed_a + i * tc, *pb = packed_b + j * tc;
          float* out = c + i * stride + j;
          int64_t columns = least(NR, n - j), count = least(MR, m - i);
          if (count == MR)
            tile_packed<MR>(tc, pa, pb, out, stride, columns, add || t0 > 0);
          else
            tile_packed_tail<MR - 1>(count, tc, pa, pb, out, stride, columns, add || t0 > 0);
        }
    }
  }
};

}  // namespace EK_ISA
