// What neural networks need beside arithmetic: layers, losses and attention.
#include "shim.h"
#include <cmath>
#include <limits>

using namespace shim;

ET_API Handle et_softmax(Handle self, int64_t dim, int type) {
  return make([&] { return at::softmax(*self, dim, maybe_type(type)); });
}

ET_API Handle et_log_softmax(Handle self, int64_t dim, int type) {
  return make([&] { return at::log_softmax(*self, dim, maybe_type(type)); });
}

ET_API Handle et_linear(Handle input, Handle weight, Handle bias) {
  return make([&] { return at::linear(*input, *weight, maybe(bias)); });
}

ET_API Handle et_embedding(Handle weight, Handle indices, int64_t padding_index, bool scale_by_frequency, bool sparse) {
  return make([&] { return at::embedding(*weight, *indices, padding_index, scale_by_frequency, sparse); });
}

ET_API Handle et_one_hot(Handle self, int64_t classes) {
  return make([&] { return at::one_hot(*self, classes); });
}

ET_API Handle et_layer_norm(Handle self, const int64_t* shape, int64_t rank, Handle weight, Handle bias, double eps) {
  return make([&] { return at::layer_norm(*self, sizes(shape, rank), maybe(weight), maybe(bias), eps); });
}

ET_API Handle et_dropout(Handle self, double p, bool training) {
  return make([&] { return at::dropout(*self, p, training); });
}

ET_API int et_dropout_(Handle self, double p, bool training) {
  return run([&] { at::dropout_(*self, p, training); });
}

ET_API Handle et_glu(Handle self, int64_t dim) {
  return make([&] { return at::glu(*self, dim); });
}

ET_API Handle et_constant_pad(Handle self, const int64_t* pad, int64_t count, Number value) {
  return make([&] { return at::constant_pad_nd(*self, sizes(pad, count), scalar(value)); });
}

// reduction: 0 none, 1 mean, 2 sum
ET_API Handle et_cross_entropy(Handle input, Handle target, Handle weight, int64_t ignore_index, int reduction, double smoothing) {
  return make([&] { return at::cross_entropy_loss(*input, *target, maybe(weight), reduction, ignore_index, smoothing); });
}

ET_API Handle et_nll_loss(Handle input, Handle target, Handle weight, int64_t ignore_index, int reduction) {
  return make([&] { return at::nll_loss_nd(*input, *target, maybe(weight), reduction, ignore_index); });
}

ET_API Handle et_mse_loss(Handle input, Handle target, int reduction) {
  return make([&] { return at::mse_loss(*input, *target, reduction); });
}

ET_API Handle et_l1_loss(Handle input, Handle target, int reduction) {
  return make([&] { return at::l1_loss(*input, *target, reduction); });
}

ET_API Handle et_huber_loss(Handle input, Handle target, int reduction, double delta) {
  return make([&] { return at::huber_loss(*input, *target, reduction, delta); });
}

ET_API Handle et_smooth_l1_loss(Handle input, Handle target, int reduction, double beta) {
  return make([&] { return at::smooth_l1_loss(*input, *target, reduction, beta); });
}

ET_API Handle et_kl_div(Handle input, Handle target, int reduction, bool log_target) {
  return make([&] { return at::kl_div(*input, *target, reduction, log_target); });
}

ET_API Handle et_binary_cross_entropy(Handle input, Handle target, Handle weight, int reduction) {
  return make([&] { return at::binary_cross_entropy(*input, *target, maybe(weight), reduction); });
}

ET_API Handle et_binary_cross_entropy_with_logits(Handle input, Handle target, Handle weight, int reduction, Handle positive_weight) {
  return make([&] { return at::binary_cross_entropy_with_logits(*input, *target, maybe(weight), maybe(positive_weight), reduction); });
}

ET_API Handle et_cosine_similarity(Handle a, Handle b, int64_t dim, double eps) {
  return make([&] { return at::cosine_similarity(*a, *b, dim, eps); });
}

// x / max(norm(x), eps)
ET_API Handle et_normalize(Handle self, double p, int64_t dim, double eps) {
  return make([&] { return *self / self->norm(p, {dim}, true).clamp_min(eps).expand_as(*self); });
}

// softmax(query key^T / sqrt(width) + mask) value. LibTorch 1.13 has no public function for it,
// 2.x has one with fused kernels.
ET_API Handle et_attention(Handle query, Handle key, Handle value, Handle mask, double dropout, bool causal) {
  return make([&]() -> at::Tensor {
#if ET_TORCH_MAJOR >= 2
    return at::scaled_dot_product_attention(*query, *key, *value, maybe(mask), dropout, causal);
#else
    TORCH_CHECK(!(causal && mask), "scaled_dot_product_attention: give either a mask or is_casual, not both");
    auto scores = at::matmul(*query / std::sqrt(static_cast<double>(query->size(-1))), key->transpose(-2, -1));
    const double forbidden = -std::numeric_limits<double>::infinity();
    if (causal) {
      auto future = at::ones({query->size(-2), key->size(-2)}, query->options().dtype(at::kBool)).tril().logical_not();
      scores = scores.masked_fill(future, forbidden);
    } else if (mask) {
      scores = mask->scalar_type() == at::kBool ? scores.masked_fill(mask->logical_not(), forbidden) : scores + *mask;
    }
    auto weights = at::softmax(scores, -1);
    if (dropout > 0) weights = at::dropout(weights, dropout, true);
    return at::matmul(weights, *value);
#endif
  });
}
