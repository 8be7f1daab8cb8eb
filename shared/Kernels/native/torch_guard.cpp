// Stands before libLibTorchSharp.so: it exports two of its functions and needs the library itself, so that a look-up in this
// one finds everything. TorchSharp passes native handles to LibTorch without keeping their owners alive; when the collector
// runs in the middle of a call, the finalizer frees the number or the tensor that LibTorch is about to read. Here, what the
// finalizer lets go is freed only after a while, by which time no call reads it any more.
#include <chrono>
#include <deque>
#include <mutex>

#define EK_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using Clock = std::chrono::steady_clock;
using Dispose = void (*)(void*);

struct Late {
  void* object;
  Dispose dispose;
  Clock::time_point due;
};

Dispose scalar_dispose;
Dispose tensor_dispose;
Clock::duration delay;
thread_local bool is_finalizer;

std::mutex mutex;
// Never destroyed: the finalizer may outlive the static objects of a process that ends.
std::deque<Late>& late = *new std::deque<Late>;

void free_due() {
  std::unique_lock<std::mutex> lock(mutex, std::try_to_lock);
  if (!lock) return;
  const auto now = Clock::now();
  while (!late.empty() && late.front().due <= now) {
    const Late first = late.front();
    late.pop_front();
    lock.unlock();
    first.dispose(first.object);
    lock.lock();
  }
}

void dispose(void* object, Dispose now) {
  if (is_finalizer) {
    const std::lock_guard<std::mutex> lock(mutex);
    late.push_back({object, now, Clock::now() + delay});
  } else {
    now(object);
  }
  free_due();
}

}  // namespace

// The functions that really dispose, and how long what the finalizer lets go is kept.
EK_EXPORT void etg_install(Dispose scalar, Dispose tensor, long milliseconds) {
  scalar_dispose = scalar;
  tensor_dispose = tensor;
  delay = std::chrono::milliseconds(milliseconds);
}

// Called once by the thread that runs finalizers.
EK_EXPORT void etg_this_thread_finalizes() { is_finalizer = true; }

// How many objects wait to be freed.
EK_EXPORT long etg_waiting() {
  const std::lock_guard<std::mutex> lock(mutex);
  return static_cast<long>(late.size());
}

EK_EXPORT void THSTorch_dispose_scalar(void* scalar) { dispose(scalar, scalar_dispose); }

EK_EXPORT void THSTensor_dispose(void* tensor) { dispose(tensor, tensor_dispose); }
