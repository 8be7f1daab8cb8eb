// The kernels of one instruction set, and the arguments of those that are not about a layer.
#pragma once
#include "layer.h"
#include "simd.h"

// Embedding, final norm, output head and cross-entropy. T tokens, width H, vocabulary V.
struct EkEnds {
  int64_t threads, tokens, hidden, vocabulary;
  int64_t bf16;  // whether factors of products with the head are rounded to bf16
  double epsilon;
  const int64_t* ids;      // (T) inputs
  const int64_t* targets;  // (T) what follows them
  const float *embedding, *final_norm, *head;  // (V, H), (H), (V, H)
  float *d_embedding, *d_final_norm, *d_head;  // added to; null in a forward-only pass
  float* stream;    // (T, H) the embedding's result, or the head's input
  float* gradient;  // (T, H) of the stream
  float* normed;    // (T, H) scratch
  float* logits;    // (rows, V) scratch, or the result of a pass without targets
  int64_t rows;     // of `logits`
  float* d_normed;  // (T, H) scratch
  float* partial;   // (ceil(T / 128), H) scratch
  float* losses;    // (T) cross-entropy of each token, in nats
  double scale;     // gradient of the loss by each token's cross-entropy

  // A teacher of width G with the same vocabulary; its head is null where there is none. See distil in ends.cpp.
  int64_t teacher_hidden;
  double teacher_epsilon, weight, temperature;
  const float *teacher_norm, *teacher_head;  // (G), (V, G)
  const float* teacher_stream;               // (T, G) its head's input
  float *teacher_normed, *teacher_logits;    // (T, G), (rows, V) scratch
  float* divergences;                        // (T) Kullback-Leibler divergence of each token, in nats
};

// AdamW over flat arrays. Elements [0, decayed) decay.
struct EkAdamW {
  int64_t threads, count, decayed;
  float *weights, *gradients, *first, *second;
  double beta1, beta2, epsilon, step_size, decay, root_correction, gradient_scale;
};

namespace EK_ISA {
void attention_forward(const EkLayer& layer);
void attention_backward(const EkLayer& layer);
void router_forward(const EkLayer& layer);
void router_backward(const EkLayer& layer);
void experts_forward(const EkLayer& layer);
void experts_combine(const EkLayer& layer);
void experts_backward(const EkLayer& layer);
void mlp_forward(const EkLayer& layer);
void mlp_gradients(const EkLayer& layer, bool add);
void mlp_backward(const EkLayer& layer);
void norm_tokens(const EkLayer& layer, const float* x, const float* weight);
void norm_tokens_backward(const EkLayer& layer, const float* x, const float* weight, float* d_weight);
void embed(const EkEnds& ends);
void embed_backward(const EkEnds& ends);
void head_forward(const EkEnds& ends);
void head_losses(const EkEnds& ends);
double sum_of_squares(int64_t threads, const float* x, int64_t count);
double pull(int64_t threads, const float* x, const float* goal, int64_t count, double factor, float* gradient);
void adamw(const EkAdamW& arguments);
void product(int64_t threads, const float* x, int64_t m, int64_t depth, const float* w, int64_t n, float* y);
}  // namespace EK_ISA
