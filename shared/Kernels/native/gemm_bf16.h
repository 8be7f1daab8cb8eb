// The products of gemm.h with bf16 factors and float sums, on instructions that multiply pairs: one lane of the result takes
// a(k) b(k) + a(k + 1) b(k + 1). Both factors are rounded from float while they are packed, in pairs along the depth; an odd
// depth is filled up with zero. What is read and written stays float.
#pragma once
#include "gemm.h"

#if defined(__AVX512BF16__)

namespace EK_ISA {

struct Bf16 {
  static constexpr int64_t KC = 512;                    // as many bytes as a block of floats
  static constexpr int64_t pair_stride = KC / 2 + 16;   // of packed rows: at 1024 bytes they would share few lines of the first-level cache
  typedef uint32_t Pair;

  // Two vectors of floats as one of bf16 pairs: (even[j], odd[j]) in lane j.
  EK_INLINE __m512i pairs(V even, V odd) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even));
  }

  EK_INLINE void put_pairs(Pair* out, __m512i v, int64_t count) {
    _mm512_mask_storeu_epi32(out, static_cast<__mmask16>((1u << count) - 1), v);
  }

  template <int M>
  static __attribute__((noinline)) void tile(int64_t pairs, const Pair* a, int64_t across, int64_t along, const Pair* b, float* out, int64_t stride, int64_t columns, bool add) {
    __m512 c[M][2];
#pragma GCC unroll 16
    for (int r = 0; r < M; r++) c[r][0] = c[r][1] = _mm512_setzero_ps();
    for (int64_t k = 0; k < pairs; k++, b += NR, a += along) {
      __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + W);
#pragma GCC unroll 16
      for (int r = 0; r < M; r++) {
        __m512bh x = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * across]));
        c[r][0] = _mm512_dpbf16_ps(c[r][0], x, b0);
        c[r][1] = _mm512_dpbf16_ps(c[r][1], x, b1);
      }
    }
    V sums[M][2];
#pragma GCC unroll 16
    for (int r = 0; r < M; r++) sums[r][0] = (V)c[r][0], sums[r][1] = (V)c[r][1];
    put_tile<M>(sums, out, stride, columns, add);
  }

  template <int M>
  EK_INLINE void tile_tail(int64_t m, int64_t pairs, const Pair* a, int64_t across, int64_t along, const Pair* b, float* out, int64_t stride, int64_t columns, bool add) {
    if (m == M)
      tile<M>(pairs, a, across, along, b, out, stride, columns, add);
    else if constexpr (M > 1)
      tile_tail<M - 1>(m, pairs, a, across, along, b, out, stride, columns, add);
  }

  EK_INLINE int64_t halved(int64_t depth) { return ceil(depth, 2); }

  // Floats that `columns` columns of depth `depth` take when packed.
  EK_INLINE int64_t packed_size(int64_t depth, int64_t columns) { return halved(depth) * ceil(columns, NR) * NR; }

  // Packs B(k, j) = w[j][k], j < columns, all of k < depth, block after block of KC: the right side of x W^T.
  static void pack_transposed(Rows w, int64_t depth, int64_t columns, float* packed) {
    Pair* out = reinterpret_cast<Pair*>(packed);
    for (int64_t k0 = 0; k0 < depth; k0 += KC) {
      int64_t kc = least(KC, depth - k0), pairs = halved(kc);
      for (int64_t j0 = 0; j0 < columns; j0 += NR, out += pairs * NR) {
        int64_t n = least(NR, columns - j0), j = 0;
        for (; j + 8 <= n; j += 8) {
          int64_t k = 0;
          for (; k + 16 <= kc; k += 16) {  // eight pairs of eight columns, turned around as if they were floats
            float eight[8][8];
            for (int64_t i = 0; i < 8; i++)
              _mm256_storeu_si256(reinterpret_cast<__m256i*>(eight[i]), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(w.at(j0 + j + i) + k0 + k)));
            transpose8(eight[0], 8, reinterpret_cast<float*>(out) + k / 2 * NR + j);
          }
          for (int64_t i = 0; i < 8 && k < kc; i++) pack_column(w.at(j0 + j + i) + k0, k, kc, out + j + i);
        }
        for (; j < n; j++) pack_column(w.at(j0 + j) + k0, 0, kc, out + j);
        for (; j < NR; j++)
          for (int64_t k = 0; k < pairs; k++) out[k * NR + j] = 0;
      }
    }
  }

  // Packs one block of B(k, j) = w[k][j], k0 <= k < k0 + kc, j < columns.
  static void pack_block(Rows w, int64_t k0, int64_t kc, int64_t columns, float* packed) {
    Pair* out = reinterpret_cast<Pair*>(packed);
    int64_t panel = halved(kc) * NR;
    for (int64_t k = 0; k < kc; k += 2) {
      const float *even = w.at(k0 + k), *odd = k + 1 < kc ? w.at(k0 + k + 1) : nullptr;
      for (int64_t j = 0; j < ceil(columns, NR) * NR; j += W) {
        int64_t n = columns - j;
        V first{}, second{};
        if (n >= W)
          first = load(even + j), second = odd ? load(odd + j) : second;
        else if (n > 0)
          first = load(even + j, n), second = odd ? load(odd + j, n) : second;
        _mm512_storeu_si512(out + j / NR * panel + k / 2 * NR + j % NR, pairs(first, second));
      }
    }
  }

  // The same for all of k: the right side of x W.
  static void pack_plain(Rows w, int64_t depth, int64_t columns, float* packed) {
    for (int64_t k0 = 0; k0 < depth; k0 += KC) {
      int64_t kc = least(KC, depth - k0);
      pack_block(w, k0, kc, columns, packed);
      packed += packed_size(kc, columns);
    }
  }

  // C(i, j) (+)= sum over k < depth of A(i, k) B(k, j) for i < m, j < n, B packed; done(i0, i1) is called when rows i0..i1
  // are complete and still in the cache.
  template <class Done>
  static void multiply(Rows a, int64_t m, int64_t depth, const float* packed, int64_t n, float* c, int64_t stride, bool add, Done done) {
    Pair* rows = reinterpret_cast<Pair*>(ek_scratch(slot_packed_a, MC * pair_stride));
    for (int64_t i0 = 0; i0 < m; i0 += MC) {
      int64_t i1 = least(m, i0 + MC);
      const Pair* panel = reinterpret_cast<const Pair*>(packed);
      for (int64_t k0 = 0; k0 < depth; k0 += KC) {
        int64_t kc = least(KC, depth - k0), pairs = halved(kc);
        for (int64_t i = i0; i < i1; i++) round_row(a.at(i) + k0, kc, rows + (i - i0) * pair_stride);
        for (int64_t j = 0; j < n; j += NR, panel += pairs * NR)
          for (int64_t i = i0; i < i1; i += MR) {
            const Pair* at = rows + (i - i0) * pair_stride;
            float* out = c + i * stride + j;
            int64_t columns = least(NR, n - j), count = least(MR, i1 - i);
            if (count == MR)
              tile<MR>(pairs, at, pair_stride, 1, panel, out, stride, columns, add || k0 > 0);
            else
              tile_tail<MR - 1>(count, pairs, at, pair_stride, 1, panel, out, stride, columns, add || k0 > 0);
          }
      }
      done(i0, i1);
    }
  }

  static void multiply(Rows a, int64_t m, int64_t depth, const float* packed, int64_t n, float* c, int64_t stride, bool add) {
    multiply(a, m, depth, packed, n, c, stride, add, [](int64_t, int64_t) {});
  }

  // C(i, j) (+)= sum over t < depth of A(t, i) B(t, j) for i < m, j < n <= gradient_columns.
  static void multiply_column_block(Rows a, Rows b, int64_t depth, int64_t m, int64_t n, float* c, int64_t stride, bool add) {
    float* packed_b = ek_scratch(slot_packed_b, packed_size(KC, n));
    Pair* packed_a = reinterpret_cast<Pair*>(ek_scratch(slot_packed_a, halved(KC) * ceil(m, MR) * MR));
    for (int64_t t0 = 0; t0 < depth; t0 += KC) {
      int64_t tc = least(KC, depth - t0), pairs = halved(tc);
      pack_block(b, t0, tc, n, packed_b);
      pack_tiles(a, t0, tc, m, packed_a);
      for (int64_t j = 0; j < n; j += NR)
        for (int64_t i = 0; i < m; i += MR) {
          const Pair *pa = packed_a + i * pairs, *pb = reinterpret_cast<const Pair*>(packed_b) + j * pairs;
          float* out = c + i * stride + j;
          int64_t columns = least(NR, n - j), count = least(MR, m - i);
          if (count == MR)
            tile<MR>(pairs, pa, 1, MR, pb, out, stride, columns, add || t0 > 0);
          else
            tile_tail<MR - 1>(count, pairs, pa, 1, MR, pb, out, stride, columns, add || t0 > 0);
        }
    }
  }

 private:
  static_assert(W == 16 && MR <= W, "pairs of one vector");

  EK_INLINE Pair pair(float even, float odd) {
    return static_cast<Pair>(_mm_cvtsi128_si32((__m128i)_mm_cvtneps_pbh(_mm_set_ps(0, 0, odd, even))));
  }

  // One column of a transposed panel from depth `k` on, which is even.
  EK_INLINE void pack_column(const float* in, int64_t k, int64_t kc, Pair* out) {
    for (; k < kc; k += 2) out[k / 2 * NR] = pair(in[k], k + 1 < kc ? in[k + 1] : 0);
  }

  EK_INLINE void round_row(const float* in, int64_t kc, Pair* out) {
    int64_t k = 0;
    for (; k + 32 <= kc; k += 32) _mm512_storeu_si512(out + k / 2, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(in + k + 16), _mm512_loadu_ps(in + k)));
    for (; k < kc; k += 2) out[k / 2] = pair(in[k], k + 1 < kc ? in[k + 1] : 0);
  }

  // Packs A(t, i), t0 <= t < t0 + tc, i < m, for use transposed: panels of MR columns, pairs along t.
  static void pack_tiles(Rows a, int64_t t0, int64_t tc, int64_t m, Pair* out) {
    int64_t panel = halved(tc) * MR;
    for (int64_t t = 0; t < tc; t += 2) {
      const float *even = a.at(t0 + t), *odd = t + 1 < tc ? a.at(t0 + t + 1) : nullptr;
      for (int64_t i = 0; i < m; i += MR) {
        int64_t n = least(MR, m - i);
        V first = load(even + i, n), second{};
        if (odd) second = load(odd + i, n);
        put_pairs(out + i / MR * panel + t / 2 * MR, pairs(first, second), MR);
      }
    }
  }
};

}  // namespace EK_ISA

#endif
