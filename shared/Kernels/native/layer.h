// One decoder layer as the kernels see it: shapes, weights, gradients, what the forward pass keeps for the backward pass,
// and memory that all layers share. The C# side mirrors this struct field by field (../LayerArguments.cs).
// T tokens in sequences of S, width H, N query and G key/value heads of width D, E experts of width F, K per token.
#pragma once
#include <cstdint>

struct EkLayer {
  int64_t threads;
  int64_t tokens, length, hidden, heads, kv_heads, head_size, experts, per_token, inner;
  int64_t is_sigmoid, normalizes, adds_residual, index;
  int64_t groups, group_width;  // sibling-exclusive routing; 0 when tokens choose freely
  int64_t head_norm;            // norm of queries and keys: 0 over all heads, 1 head by head with one weight (D), 2 none
  int64_t bf16;                 // whether factors of products with weights, but the router's, are rounded to bf16
  int64_t documents;            // 0 where tokens attend to all of their sequence
  int64_t mlp_inner;            // width I of the MLP that every token uses: shared expert, or all of a layer with E = 0; 0 for none
  double epsilon, routed_scale; // gates are multiplied by the latter

  // weights; router_bias (E), selection_bias (E), members (groups * group_width) and sizes (groups) may be null
  const float *input_norm, *query, *key, *value, *query_norm, *key_norm, *output, *post_norm, *router, *router_bias, *selection_bias, *gate_up, *down;
  const float *query_bias, *key_bias, *value_bias;          // (N D), (G D), (G D); all or none
  const float *mlp_gate, *mlp_up, *mlp_down, *mlp_scale;    // (I, H), (I, H), (H, I), and (H) or null: the output is multiplied by sigmoid(x . mlp_scale)
  const int64_t *members, *sizes;
  const int64_t* document_starts; // (documents + 1) ascending from 0 to T, or null: a token attends only to tokens of its own, which lies in one sequence
  const float *cosine, *sine;  // (S, D), sine with its first half negated

  // gradients of the weights, added to
  float *d_input_norm, *d_query, *d_key, *d_value, *d_query_norm, *d_key_norm, *d_output, *d_post_norm, *d_router, *d_router_bias, *d_gate_up, *d_down;
  float *d_query_bias, *d_key_bias, *d_value_bias, *d_mlp_gate, *d_mlp_up, *d_mlp_down, *d_mlp_scale;

  // from forward to backward
  float* input;      // (T, H) the stream before the layer
  float* projected;  // (T, (N + 2 G) D) query, key, value as projected
  float* context;    // (T, N D)
  float* lse;        // (N, T) log of the softmax denominators of attention
  float* middle;     // (T, H) the stream after attention
  float* logits;     // (T, E)
  float* gates;      // (T, K)
  int64_t* selected; // (T, K)
  int32_t* order;    // (T K) place of token t's k-th choice among the sorted
  int32_t* sorted_tokens; // (T K) tokens by expert, ascending within one
  int64_t* counts;   // (E)
  float* halves;     // (T K, 2F + 16) gate and up before the activation; null in a forward-only pass
  float* mlp_halves; // (T, 2I + 16) likewise, of the MLP; scratch in a forward-only pass

  // results
  float* result;     // (T, H) the stream after the layer
  float* probability_sums; // (E) sums over tokens of softmax(logits), for the balance loss
  double* squared_lse;     // (1) sum over tokens of logsumexp(logits)^2, for the z-loss

  // scratch of all layers
  float* normed;        // (T, H)
  float* rotated;       // (T, (N + G) D)
  float* inner_product; // (T K, F)
  float* expert_output; // (T K, H)
  float* sorted_gates;  // (T K)
  float* mlp_product;   // (T, I)

  // backward only
  float* gradient;      // (T, H) of the result; becomes that of the input
  float* d_normed;      // (T, H)
  float* d_projected;   // (T, (N + 2 G) D)
  float* d_context;     // (T, N D)
  float* d_gates;       // (T, K)
  float* d_logits;      // (T, E)
  float* d_mlp_product; // (T, I)
  float* d_mlp_scores;  // (T) of x . mlp_scale
  float* partial;       // (max(threads, 1) * ...) see the users
  const float* balance; // (E) gradient of the loss by each softmax probability of any token; null for none
  double z_scale;       // gradient of the loss by logsumexp^2 of any token; 0 for none
};
