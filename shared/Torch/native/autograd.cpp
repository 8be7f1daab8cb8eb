// Gradients: switching them on and off, computing them, and functions whose backward is written by the caller.
#include "shim.h"
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace shim;

ET_API bool et_grad_enabled() { return at::GradMode::is_enabled(); }
ET_API void et_set_grad_enabled(bool on) { at::GradMode::set_enabled(on); }
ET_API bool et_inference_enabled() { return c10::InferenceMode::is_enabled(); }
ET_API void* et_inference_enter(bool on) { return new c10::InferenceMode(on); }
ET_API void et_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

ET_API int et_backward(const Handle* roots, int64_t count, const Handle* gradients, int64_t gradient_count, bool retain_graph, bool create_graph, const Handle* inputs, int64_t input_count) {
  return run([&] {
    torch::autograd::backward(tensors(roots, count), tensors(gradients, gradient_count), retain_graph, create_graph, tensors(inputs, input_count));
  });
}

ET_API int et_gradients(const Handle* outputs, int64_t count, const Handle* inputs, int64_t input_count, const Handle* gradients, int64_t gradient_count, bool retain_graph, bool create_graph, bool allow_unused, TensorList* out) {
  return run([&] {
    give_list(torch::autograd::grad(tensors(outputs, count), tensors(inputs, input_count), tensors(gradients, gradient_count), retain_graph, create_graph, allow_unused), out);
  });
}
