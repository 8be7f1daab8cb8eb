// The gradient that pulls a stream to a teacher's.
#include "entry.h"
#include "parallel.h"
#include "simd.h"

namespace EK_ISA {
namespace {

constexpr int64_t block = 1 << 14;

}  // namespace

// gradient += factor (x - goal); returns the sum of (x - goal)^2, added up in one order whatever the threads.
double pull(int64_t threads, const float* x, const float* goal, int64_t count, double factor, float* gradient) {
  int64_t blocks = (count + block - 1) / block;
  if (blocks == 0) return 0;
  double* sums = reinterpret_cast<double*>(ek_scratch(slot_rows, 2 * blocks));
  const V by = splat(static_cast<float>(factor));
  parallel(threads, blocks, [&](int64_t task) {
    int64_t first = task * block, n = count - first < block ? count - first : block;
    V total{};
    each(n, [&](int64_t i, int64_t length) {
      V apart = take(x + first + i, length) - take(goal + first + i, length);
      total += apart * apart;
      put(gradient + first + i, take(gradient + first + i, length) + apart * by, length);
    });
    sums[task] = sum(total);
  });
  double total = 0;
  for (int64_t i = 0; i < blocks; i++) total += sums[i];
  return total;
}

}  // namespace EK_ISA
