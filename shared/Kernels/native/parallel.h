// Tasks over threads. Every task writes what no other task writes and adds in a fixed order, so the number of threads
// and who takes which task never change a bit of the result.
#pragma once
#include <cstdint>

// Memory of the calling thread, kept for the next call; one per slot. 64-byte aligned.
float* ek_scratch(int slot, int64_t floats);

// Runs task(context, i) for i < count on up to `threads` threads, the caller among them. See pool.cpp.
void ek_run(int64_t threads, int64_t count, void (*task)(void* context, int64_t i), void* context);

enum { slot_packed_b, slot_packed_a, slot_tile, slot_rows, slot_more, slot_count };

template <class Task>
static inline void parallel(int64_t threads, int64_t count, Task task) {
  if (threads <= 1 || count <= 1) {
    for (int64_t i = 0; i < count; i++) task(i);
    return;
  }
  ek_run(threads, count, [](void* context, int64_t i) { (*static_cast<Task*>(context))(i); }, &task);
}
