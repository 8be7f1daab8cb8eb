// Generators and everything drawn from them.
#include "shim.h"
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>

using namespace shim;

using GeneratorHandle = at::Generator*;

namespace {

optional<at::Generator> maybe(GeneratorHandle generator) {
  return generator ? optional<at::Generator>(*generator) : nullopt;
}

at::Tensor with_grad(at::Tensor tensor, bool requires_grad) {
  if (requires_grad) tensor.set_requires_grad(true);
  return tensor;
}

GeneratorHandle make_generator(at::Generator generator) { return new at::Generator(std::move(generator)); }

// A new generator of the device's own kind: cloning the default one works for every device.
at::Generator fresh(int device, int index, uint64_t seed) {
  if (device == static_cast<int>(at::kCPU)) return at::make_generator<at::CPUGeneratorImpl>(seed);
  auto generator = at::globalContext().defaultGenerator(at::Device(static_cast<at::DeviceType>(device), static_cast<at::DeviceIndex>(index))).clone();
  std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
  return generator;
}

}  // namespace

ET_API GeneratorHandle et_generator_new(uint64_t seed, int device, int index) {
  try {
    return make_generator(fresh(device, index, seed));
  } catch (...) {
    remember_exception();
    return nullptr;
  }
}

ET_API GeneratorHandle et_generator_default() {
  try {
    return make_generator(at::globalContext().defaultGenerator(at::kCPU));
  } catch (...) {
    remember_exception();
    return nullptr;
  }
}

ET_API void et_generator_free(GeneratorHandle generator) { delete generator; }

ET_API int et_generator_seed(GeneratorHandle generator, uint64_t seed) {
  return run([&] {
    std::lock_guard<std::mutex> lock(generator->mutex());
    generator->set_current_seed(seed);
  });
}

ET_API int64_t et_generator_initial_seed(GeneratorHandle generator) { return static_cast<int64_t>(generator->current_seed()); }

ET_API Handle et_generator_get_state(GeneratorHandle generator) {
  return make([&] { return generator->get_state(); });
}

ET_API int et_generator_set_state(GeneratorHandle generator, Handle state) {
  return run([&] { generator->set_state(*state); });
}

ET_API int et_manual_seed(uint64_t seed) {
  return run([&] { at::manual_seed(seed); });
}

#define DRAW(name)                                                                                                                     \
  ET_API Handle et_##name(const int64_t* size, int64_t rank, int type, int device, int index, bool requires_grad, GeneratorHandle generator) { \
    return make([&] { return with_grad(at::name(sizes(size, rank), maybe(generator), options(type, device, index)), requires_grad); }); \
  }
DRAW(rand)
DRAW(randn)

ET_API Handle et_randint(int64_t low, int64_t high, const int64_t* size, int64_t rank, int type, int device, int index, bool requires_grad, GeneratorHandle generator) {
  return make([&] { return with_grad(at::randint(low, high, sizes(size, rank), maybe(generator), options(type, device, index)), requires_grad); });
}

ET_API Handle et_randint_like(Handle self, int64_t low, int64_t high, int type, int device, int index, bool requires_grad) {
  return make([&] { return with_grad(at::randint_like(*self, low, high, options(type, device, index)), requires_grad); });
}

ET_API Handle et_randperm(int64_t n, int type, int device, int index, bool requires_grad, GeneratorHandle generator) {
  return make([&] { return with_grad(at::randperm(n, maybe(generator), options(type, device, index)), requires_grad); });
}

ET_API Handle et_normal(Handle mean, Handle deviation, GeneratorHandle generator) {
  return make([&] { return at::normal(*mean, *deviation, maybe(generator)); });
}

ET_API Handle et_bernoulli(Handle self, GeneratorHandle generator) {
  return make([&] { return self->bernoulli(maybe(generator)); });
}

ET_API int et_bernoulli_(Handle self, double p, GeneratorHandle generator) {
  return run([&] { self->bernoulli_(p, maybe(generator)); });
}

ET_API int et_bernoulli_by_(Handle self, Handle p, GeneratorHandle generator) {
  return run([&] { self->bernoulli_(*p, maybe(generator)); });
}

ET_API Handle et_multinomial(Handle self, int64_t samples, bool replacement, GeneratorHandle generator) {
  return make([&] { return self->multinomial(samples, replacement, maybe(generator)); });
}

ET_API Handle et_poisson(Handle self, GeneratorHandle generator) {
  return make([&] { return at::poisson(*self, maybe(generator)); });
}

ET_API int et_normal_(Handle self, double mean, double deviation, GeneratorHandle generator) {
  return run([&] { self->normal_(mean, deviation, maybe(generator)); });
}

ET_API int et_uniform_(Handle self, double from, double to, GeneratorHandle generator) {
  return run([&] { self->uniform_(from, to, maybe(generator)); });
}

ET_API int et_exponential_(Handle self, double rate, GeneratorHandle generator) {
  return run([&] { self->exponential_(rate, maybe(generator)); });
}

ET_API int et_random_(Handle self, double from, double to, GeneratorHandle generator) {
  return run([&] { self->random_(static_cast<int64_t>(from), static_cast<int64_t>(to), maybe(generator)); });
}
