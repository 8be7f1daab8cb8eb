// Errors, lifetime of handles, threads, versions and devices.
#include "shim.h"
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/util/Exception.h>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <torch/cuda.h>
#include <torch/version.h>

namespace shim {

std::atomic<int64_t> live{0};
static thread_local std::string last_error;

void remember_exception() noexcept {
  try {
    throw;
  } catch (const c10::Error& error) {
    last_error = error.what_without_backtrace();
  } catch (const std::exception& error) {
    last_error = error.what();
  } catch (...) {
    last_error = "an exception of unknown type";
  }
}

at::Scalar scalar(Number number) {
  switch (static_cast<at::ScalarType>(number.kind)) {
    case at::ScalarType::Float:
    case at::ScalarType::Double:
    case at::ScalarType::Half:
    case at::ScalarType::BFloat16: {
      double value;
      std::memcpy(&value, &number.bits, sizeof value);
      return value;
    }
    case at::ScalarType::Bool:
      return number.bits != 0;
    default:
      return number.bits;
  }
}

optional<at::Scalar> maybe(Number number) {
  return number.kind < 0 ? nullopt : optional<at::Scalar>(scalar(number));
}

void give_list(const std::vector<at::Tensor>& tensors, TensorList* list) {
  list->items = static_cast<Handle*>(std::malloc(sizeof(Handle) * (tensors.size() + 1)));
  list->count = static_cast<int64_t>(tensors.size());
  for (size_t i = 0; i < tensors.size(); i++) list->items[i] = tensors[i].defined() ? give(tensors[i]) : nullptr;
}

}  // namespace shim

using namespace shim;

ET_API const char* et_last_error() { return last_error.c_str(); }

ET_API void et_set_error(const char* message) { last_error = message; }

ET_API void et_free(Handle tensor) {
  live.fetch_sub(1, std::memory_order_relaxed);
  delete tensor;
}

ET_API void et_free_list(Handle* items) { std::free(items); }

ET_API int64_t et_live_count() { return live.load(std::memory_order_relaxed); }

ET_API const char* et_version() { return TORCH_VERSION; }

ET_API const char* et_cpu_capability() {
  // The function of this name has moved between releases; the text of show_config has not changed.
  static const std::string name = [] {
    const std::string config = at::show_config(), label = "CPU capability usage: ";
    auto start = config.find(label);
    if (start == std::string::npos) return std::string("unknown");
    start += label.size();
    return config.substr(start, config.find_first_of(" \n", start) - start);
  }();
  return name.c_str();
}

ET_API const char* et_build_info() {
  static const std::string text = at::show_config() + at::get_parallel_info();
  return text.c_str();
}

ET_API int et_get_num_threads() { return at::get_num_threads(); }

ET_API int et_set_num_threads(int count) {
  return run([&] { at::set_num_threads(count); });
}

ET_API int et_get_num_interop_threads() { return at::get_num_interop_threads(); }

ET_API int et_set_num_interop_threads(int count) {
  return run([&] { at::set_num_interop_threads(count); });
}

ET_API int et_set_default_dtype(int type) {
  return run([&] { c10::set_default_dtype(c10::scalarTypeToTypeMeta(static_cast<at::ScalarType>(type))); });
}

ET_API bool et_cuda_is_available() { return torch::cuda::is_available(); }

ET_API bool et_cudnn_is_available() { return torch::cuda::cudnn_is_available(); }

ET_API int et_cuda_device_count() { return static_cast<int>(torch::cuda::device_count()); }

ET_API int et_cuda_synchronize(int index) {
  return run([&] { torch::cuda::synchronize(index); });
}
