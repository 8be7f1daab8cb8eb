// Per-thread memory that kernels reuse from call to call.
#include "parallel.h"
#include <cstdlib>

namespace {

struct Scratch {
  float* memory[slot_count] = {};
  int64_t floats[slot_count] = {};
  ~Scratch() {
    for (auto each : memory) std::free(each);
  }
};

thread_local Scratch scratch;

}  // namespace

float* ek_scratch(int slot, int64_t floats) {
  if (scratch.floats[slot] < floats) {
    std::free(scratch.memory[slot]);
    int64_t bytes = (floats * 4 + 4095) / 4096 * 4096;
    scratch.memory[slot] = static_cast<float*>(std::aligned_alloc(4096, static_cast<size_t>(bytes)));
    scratch.floats[slot] = scratch.memory[slot] ? floats : 0;
    if (!scratch.memory[slot]) std::abort();
  }
  return scratch.memory[slot];
}
