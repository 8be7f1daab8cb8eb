// Functions whose forward and backward are written in C#.
#include "shim.h"
#include <stdexcept>
#include <string>
#include <torch/csrc/autograd/custom_function.h>

using namespace shim;

using Context = torch::autograd::AutogradContext;

// Both callbacks return 0, or 1 after et_set_error. They write handles that this side frees.
using ForwardCallback = int (*)(void* function, Context* context, TensorList* outputs);
using BackwardCallback = int (*)(void* function, Context* context, const Handle* gradients, int64_t count, Handle* results);
using ReleaseCallback = void (*)(void* function);

extern "C" const char* et_last_error();

namespace {

// Keeps the C# object alive as long as the graph needs it.
struct Owner : torch::CustomClassHolder {
  void* function;
  int64_t inputs;
  BackwardCallback backward;
  ReleaseCallback release;

  Owner(void* function, int64_t inputs, BackwardCallback backward, ReleaseCallback release)
      : function(function), inputs(inputs), backward(backward), release(release) {}
  ~Owner() override { release(function); }
};

const char* const owner_key = "owner";

at::Tensor take(Handle handle) {
  if (!handle) return {};
  at::Tensor tensor = *handle;
  live.fetch_sub(1, std::memory_order_relaxed);
  delete handle;
  return tensor;
}

struct Managed : torch::autograd::Function<Managed> {
  static torch::autograd::variable_list forward(Context* context, at::TensorList, c10::intrusive_ptr<Owner> owner, ForwardCallback call) {
    context->saved_data[owner_key] = c10::IValue::make_capsule(owner);
    TensorList outputs{nullptr, 0};
    if (call(owner->function, context, &outputs)) throw std::runtime_error(et_last_error());
    torch::autograd::variable_list result;
    for (int64_t i = 0; i < outputs.count; i++) result.push_back(take(outputs.items[i]));
    std::free(outputs.items);
    return result;
  }

  static torch::autograd::variable_list backward(Context* context, torch::autograd::variable_list gradients) {
    auto owner = c10::static_intrusive_pointer_cast<Owner>(context->saved_data[owner_key].toCapsule());
    std::vector<Handle> given, made(static_cast<size_t>(owner->inputs), nullptr);
    for (auto& gradient : gradients) given.push_back(gradient.defined() ? give(gradient) : nullptr);
    int status = owner->backward(owner->function, context, given.data(), static_cast<int64_t>(given.size()), made.data());
    torch::autograd::variable_list result;
    for (auto handle : made) result.push_back(take(handle));
    if (status) throw std::runtime_error(et_last_error());
    result.resize(result.size() + 2);  // forward's last two arguments have no gradients
    return result;
  }
};

}  // namespace

ET_API Handle* et_new_list(int64_t count) { return static_cast<Handle*>(std::malloc(sizeof(Handle) * static_cast<size_t>(count + 1))); }

ET_API int et_apply_function(void* function, const Handle* inputs, int64_t count, ForwardCallback forward, BackwardCallback backward, ReleaseCallback release, TensorList* outputs) {
  return run([&] {
    auto owner = c10::make_intrusive<Owner>(function, count, backward, release);
    auto arguments = tensors(inputs, count);
    give_list(Managed::apply(at::TensorList(arguments), owner, forward), outputs);
  });
}

ET_API int et_save_for_backward(Context* context, const Handle* list, int64_t count) {
  return run([&] { context->save_for_backward(tensors(list, count)); });
}

ET_API int et_saved_tensors(Context* context, TensorList* out) {
  return run([&] { give_list(context->get_saved_variables(), out); });
}

ET_API int et_mark_dirty(Context* context, const Handle* list, int64_t count) {
  return run([&] { context->mark_dirty(tensors(list, count)); });
}

ET_API int et_mark_non_differentiable(Context* context, const Handle* list, int64_t count) {
  return run([&] { context->mark_non_differentiable(tensors(list, count)); });
}

ET_API void et_set_materialize_grads(Context* context, bool on) { context->set_materialize_grads(on); }
