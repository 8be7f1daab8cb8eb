// Tasks over threads. Every task writes what no other task writes and adds in a fixed order, so the number of threads
// and who takes which task never change a bit of the result.
#pragma once
#include <cstdint>

// Memory of the calling thread, kept for the next call; one per slot. 64-byte aligned.
float* ek_scratch(int slot, int64_t floats);

enum { slot_packed_b, slot_packed_a, slot_tile, slot_rows, slot_more, slot_count };

template <class Task>
static inline void parallel(int64_t threads, int64_t count, Task task) {
  if (count <= 0) return;
  if (threads == 1 || count == 1) {
    for (int64_t i = 0; i < count; i++) task(i);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(static_cast<int>(threads))
  for (int64_t i = 0; i < count; i++) task(i);
}
