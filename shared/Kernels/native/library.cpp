// What the C# side calls. The instruction set is chosen once: the best that the processor has, unless ESPALIER_KERNELS
// names another, and only if its product of two small matrices is right. Where products in bf16 are asked for, the set
// beside it runs that has instructions for them.
#include "table.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define EK_API extern "C" __attribute__((visibility("default")))

namespace {

bool is_right(const EkTable& table) {
  constexpr int64_t m = 19, depth = 300, n = 37;
  static float x[m * depth], w[n * depth], y[m * n];
  for (int64_t i = 0; i < m * depth; i++) x[i] = static_cast<float>(i * 37 % 101 - 50) / 64;  // exact in bf16 too
  for (int64_t i = 0; i < n * depth; i++) w[i] = static_cast<float>(i * 53 % 97 - 48) / 64;
  table.product(1, x, m, depth, w, n, y);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double expected = 0;
      for (int64_t k = 0; k < depth; k++) expected += static_cast<double>(x[i * depth + k]) * w[j * depth + k];
      if (!(std::fabs(expected - y[i * n + j]) < 1e-3)) return false;
    }
  return true;
}

const char* refused = nullptr;  // an instruction set that the processor claims to have, whose product is wrong

const EkTable& choose() {
#if defined(__x86_64__)
  const char* wanted = std::getenv("ESPALIER_KERNELS");
  auto usable = [&](const EkTable& table) {
    if (wanted && *wanted && std::strcmp(wanted, table.name)) return false;
    if (is_right(table)) return true;
    refused = table.name;
    return false;
  };
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512dq");
  if (has_avx512 && usable(ek_avx512)) return ek_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && usable(ek_avx2)) return ek_avx2;
#endif
  return ek_portable;
}

const EkTable& table() {
  static const EkTable& chosen = choose();
  return chosen;
}

// The set with bf16 products that goes with the chosen one; null when there is none.
const EkTable* choose_bf16() {
#if defined(__x86_64__)
  if (&table() == &ek_avx512 && __builtin_cpu_supports("avx512bf16")) {
    if (is_right(ek_avx512bf16)) return &ek_avx512bf16;
    refused = ek_avx512bf16.name;
  }
#endif
  return nullptr;
}

const EkTable* bf16_table() {
  static const EkTable* chosen = choose_bf16();
  return chosen;
}

template <class Arguments>
const EkTable& table_for(const Arguments* arguments) {
  return arguments->bf16 && bf16_table() ? *bf16_table() : table();
}

}  // namespace

// Bytes of EkLayer, EkEnds and EkAdamW: the C# side refuses a library whose structs are laid out otherwise.
EK_API void ek_struct_sizes(int64_t* sizes) {
  sizes[0] = sizeof(EkLayer);
  sizes[1] = sizeof(EkEnds);
  sizes[2] = sizeof(EkAdamW);
}
EK_API const char* ek_name() { return table().name; }
EK_API const char* ek_bf16_name() { return bf16_table() ? bf16_table()->name : nullptr; }
EK_API const char* ek_refused() { return bf16_table(), refused; }

EK_API void ek_attention_forward(const EkLayer* layer) { table_for(layer).attention_forward(*layer); }
EK_API void ek_attention_backward(const EkLayer* layer) { table_for(layer).attention_backward(*layer); }
EK_API void ek_router_forward(const EkLayer* layer) { table_for(layer).router_forward(*layer); }
EK_API void ek_experts_forward(const EkLayer* layer) { table_for(layer).experts_forward(*layer); }
EK_API void ek_experts_combine(const EkLayer* layer) { table_for(layer).experts_combine(*layer); }
EK_API void ek_experts_backward(const EkLayer* layer) { table_for(layer).experts_backward(*layer); }
EK_API void ek_mlp_forward(const EkLayer* layer) { table_for(layer).mlp_forward(*layer); }
EK_API void ek_mlp_backward(const EkLayer* layer) { table_for(layer).mlp_backward(*layer); }
EK_API void ek_embed(const EkEnds* ends) { table_for(ends).embed(*ends); }
EK_API void ek_embed_backward(const EkEnds* ends) { table_for(ends).embed_backward(*ends); }
EK_API void ek_head_forward(const EkEnds* ends) { table_for(ends).head_forward(*ends); }
EK_API void ek_head_losses(const EkEnds* ends) { table_for(ends).head_losses(*ends); }
EK_API double ek_sum_of_squares(int64_t threads, const float* x, int64_t count) { return table().sum_of_squares(threads, x, count); }
EK_API double ek_pull(int64_t threads, const float* x, const float* goal, int64_t count, double factor, float* gradient) {
  return table().pull(threads, x, goal, count, factor, gradient);
}
EK_API void ek_adamw(const EkAdamW* arguments) { table().adamw(*arguments); }
EK_API void ek_product(int64_t threads, const float* x, int64_t m, int64_t depth, const float* w, int64_t n, float* y, int64_t bf16) {
  (bf16 && bf16_table() ? *bf16_table() : table()).product(threads, x, m, depth, w, n, y);
}

// Memory for activations: on large pages where the system grants them.
EK_API void* ek_allocate(int64_t bytes) {
  const size_t page = 2 << 20, size = (static_cast<size_t>(bytes) + page - 1) / page * page;
  void* memory = std::aligned_alloc(page, size);
#if defined(__linux__)
  if (memory) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

EK_API void ek_free(void* memory) { std::free(memory); }
