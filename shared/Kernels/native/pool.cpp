// Threads that help the caller with its tasks. The caller takes tasks itself and at the end waits only for helpers that
// have begun one: a helper that the system has not scheduled, because other programs are busy, holds nobody up. OpenMP's
// barriers wait for every thread, which cost a factor of several on a loaded machine. Helpers look for work for some
// microseconds before they sleep, since kernels follow each other closely.
#include "parallel.h"
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

constexpr int spins = 4000;  // of a pause, some tens of microseconds

void rest() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

struct Pool {
  std::mutex user;  // one caller at a time; a second one works alone
  int64_t helpers = 0;

  std::atomic<uint64_t> round{0};  // counts jobs; helpers wait for it to change
  std::atomic<bool> open{false};
  std::atomic<int> inside{0};      // helpers that may touch the job
  std::atomic<int64_t> next{0};
  void (*task)(void*, int64_t) = nullptr;
  void* context = nullptr;
  int64_t count = 0;

  std::mutex bed;
  std::condition_variable bell;
  std::atomic<int> sleepers{0};

  void take_tasks() {
    for (int64_t i; (i = next.fetch_add(1)) < count;) task(context, i);
  }

  void help() {
    uint64_t seen = 0;
    for (;;) {
      for (int i = 0; i < spins && round.load() == seen; i++) rest();
      if (round.load() == seen) {
        std::unique_lock<std::mutex> lock(bed);
        sleepers++;
        bell.wait(lock, [&] { return round.load() != seen; });
        sleepers--;
      }
      seen = round.load();
      inside++;  // before looking whether the job is open: the caller closes it and then looks here
      if (open.load()) take_tasks();
      inside--;
    }
  }

  void run(int64_t threads, int64_t tasks, void (*function)(void*, int64_t), void* argument) {
    for (; helpers < threads - 1; helpers++) std::thread([this] { help(); }).detach();
    task = function;
    context = argument;
    count = tasks;
    next.store(0);
    open.store(true);
    round++;
    if (sleepers.load() > 0) {
      std::lock_guard<std::mutex> lock(bed);
      bell.notify_all();
    }
    take_tasks();
    open.store(false);
    for (int i = 0; inside.load() > 0; i++) {
      if (i < spins)
        rest();
      else
        std::this_thread::yield();
    }
  }
};

// Never freed: helpers may still sleep in it when the process ends.
Pool& pool() {
  static Pool* only = new Pool;
  return *only;
}

}  // namespace

void ek_run(int64_t threads, int64_t count, void (*task)(void*, int64_t), void* context) {
  Pool& helpers = pool();
  std::unique_lock<std::mutex> lock(helpers.user, std::try_to_lock);
  if (!lock.owns_lock()) {
    for (int64_t i = 0; i < count; i++) task(context, i);
    return;
  }
  helpers.run(threads, count, task, context);
}
