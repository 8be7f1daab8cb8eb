// z = R x + b; s = softmax(z) or sigmoid(z); the K largest of s + beta, ties to the lower index; gates = s of those,
// divided by their sum when the model normalises, times the routed scale. Sibling-exclusive: the same over groups, whose logit is the largest of
// their members; then member (position + layer) mod group size. Tokens are then sorted by expert, once.
// Backward adds the gradients of the balance loss (through softmax) and of the z-loss to that of the gates.
#include "entry.h"
#include "linear.h"
#include "norm.h"

namespace EK_ISA {
namespace {

constexpr int64_t block_tokens = 64;

// p = softmax(z); returns logsumexp(z).
float softmax(const float* z, int64_t n, float* p) {
  float top = z[0];
  for (int64_t i = 1; i < n; i++) top = z[i] > top ? z[i] : top;
  V shift = splat(top);
  each(n, [&](int64_t i, int64_t count) { put(p + i, exp(take(z + i, count) - shift), count); });
  float total = 0;
  for (int64_t i = 0; i < n; i++) total += p[i];
  for (int64_t i = 0; i < n; i++) p[i] /= total;
  return top + std::log(total);
}

void score(const EkLayer& l, const float* z, int64_t n, float* s) {
  if (l.is_sigmoid)
    each(n, [&](int64_t i, int64_t count) { put(s + i, sigmoid(take(z + i, count)), count); });
  else
    softmax(z, n, s);
}

float largest_member(const EkLayer& l, const float* x, int64_t group) {
  const int64_t* members = l.members + group * l.group_width;
  float best = x[members[0]];
  for (int64_t r = 1; r < l.group_width; r++) best = x[members[r]] > best ? x[members[r]] : best;
  return best;
}

void pick(const float* choice, int64_t n, int64_t k, int64_t* picked) {
  for (int64_t i = 0; i < k; i++) {
    int64_t best = -1;
    for (int64_t e = 0; e < n; e++) {
      bool taken = false;
      for (int64_t j = 0; j < i; j++) taken |= picked[j] == e;
      if (!taken && (best < 0 || choice[e] > choice[best])) best = e;
    }
    picked[i] = best;
  }
}

void route_token(const EkLayer& l, int64_t t, float* s, float* choice, float* z) {
  const float* logits = l.logits + t * l.experts;
  int64_t* selected = l.selected + t * l.per_token;
  float* gates = l.gates + t * l.per_token;
  int64_t n = l.groups ? l.groups : l.experts;
  if (l.groups)
    for (int64_t g = 0; g < n; g++) z[g] = largest_member(l, logits, g);
  score(l, l.groups ? z : logits, n, s);
  for (int64_t e = 0; e < n; e++)
    choice[e] = s[e] + (l.selection_bias ? (l.groups ? largest_member(l, l.selection_bias, e) : l.selection_bias[e]) : 0.f);
  pick(choice, n, l.per_token, selected);
  float total = l.is_sigmoid ? 1e-20f : 0.f;
  for (int64_t k = 0; k < l.per_token; k++) {
    gates[k] = s[selected[k]];
    total += gates[k];
    if (l.groups) selected[k] = l.members[selected[k] * l.group_width + (t % l.length + l.index) % l.sizes[selected[k]]];
  }
  if (l.normalizes)
    for (int64_t k = 0; k < l.per_token; k++) gates[k] /= total;
  if (l.routed_scale != 1)
    for (int64_t k = 0; k < l.per_token; k++) gates[k] *= static_cast<float>(l.routed_scale);
}

// A counting sort, stable: within an expert tokens ascend.
void sort_by_expert(const EkLayer& l) {
  int64_t n = l.tokens * l.per_token;
  int64_t next[l.experts];
  for (int64_t e = 0; e < l.experts; e++) l.counts[e] = 0;
  for (int64_t i = 0; i < n; i++) l.counts[l.selected[i]]++;
  for (int64_t e = 0, total = 0; e < l.experts; total += l.counts[e++]) next[e] = total;
  for (int64_t i = 0; i < n; i++) {
    int64_t place = next[l.selected[i]]++;
    l.order[i] = static_cast<int32_t>(place);
    l.sorted_tokens[place] = static_cast<int32_t>(i / l.per_token);
    l.sorted_gates[place] = l.gates[i];
  }
}

// Gradient by the scores of the candidates (experts or groups), to that by their logits, in place.
void score_backward(const EkLayer& l, const float* s, int64_t n, float* d) {
  if (l.is_sigmoid) {
    for (int64_t e = 0; e < n; e++) d[e] *= s[e] * (1 - s[e]);
    return;
  }
  float mean = 0;
  for (int64_t e = 0; e < n; e++) mean += d[e] * s[e];
  for (int64_t e = 0; e < n; e++) d[e] = s[e] * (d[e] - mean);
}

void token_backward(const EkLayer& l, int64_t t, const int32_t* group_of, float* s, float* d, float* z) {
  const float* logits = l.logits + t * l.experts;
  float* dz = l.d_logits + t * l.experts;
  const int64_t* selected = l.selected + t * l.per_token;
  const float *gates = l.gates + t * l.per_token, *d_gates = l.d_gates + t * l.per_token;
  int64_t n = l.groups ? l.groups : l.experts;
  if (l.groups)
    for (int64_t g = 0; g < n; g++) z[g] = largest_member(l, logits, g);
  score(l, l.groups ? z : logits, n, s);
  float total = l.is_sigmoid ? 1e-20f : 0.f, pull = 0;
  for (int64_t k = 0; k < l.per_token; k++) {
    total += s[l.groups ? group_of[selected[k]] : selected[k]];
    pull += d_gates[k] * gates[k];
  }
  for (int64_t e = 0; e < n; e++) d[e] = 0;
  float scale = static_cast<float>(l.routed_scale);
  for (int64_t k = 0; k < l.per_token; k++)
    d[l.groups ? group_of[selected[k]] : selected[k]] += l.normalizes ? (d_gates[k] * scale - pull) / total : d_gates[k] * scale;
  score_backward(l, s, n, d);
  for (int64_t e = 0; e < l.experts; e++) dz[e] = l.groups ? 0 : d[e];
  for (int64_t g = 0; g < l.groups; g++) {  // a maximum's gradient goes to all that reach it, in equal parts
    const int64_t* members = l.members + g * l.group_width;
    int ties = 0;
    for (int64_t r = 0; r < l.group_width; r++) ties += logits[members[r]] == z[g];
    for (int64_t r = 0; r < l.group_width; r++)
      if (logits[members[r]] == z[g]) dz[members[r]] += d[g] / static_cast<float>(ties);
  }
  if (!l.balance && l.z_scale == 0) return;
  float lse = softmax(logits, l.experts, s), mean = 0;
  if (l.balance)
    for (int64_t e = 0; e < l.experts; e++) mean += l.balance[e] * s[e];
  float z_part = 2 * lse * static_cast<float>(l.z_scale);
  for (int64_t e = 0; e < l.experts; e++) dz[e] += s[e] * (z_part + (l.balance ? l.balance[e] - mean : 0.f));
}

}  // namespace

void router_forward(const EkLayer& l) {
  norm_tokens(l, l.middle, l.post_norm);
  linear<Fp32>(l.threads, {l.normed, l.hidden, nullptr}, l.tokens, l.hidden, l.router, l.experts, l.logits, l.experts, false);
  int64_t blocks = ceil(l.tokens, block_tokens), width = l.experts + 2;  // a sum per expert, and one double
  parallel(l.threads, blocks, [&](int64_t block) {
    float* s = ek_scratch(slot_rows, 3 * (l.experts + W));
    float *choice = s + l.experts + W, *z = choice + l.experts + W;
    float* sums = l.partial + block * width;
    double squares = 0;
    for (int64_t e = 0; e < l.experts; e++) sums[e] = 0;
    for (int64_t t = block * block_tokens; t < least(l.tokens, (block + 1) * block_tokens); t++) {
      float* logits = l.logits + t * l.experts;
      if (l.router_bias)
        for (int64_t e = 0; e < l.experts; e++) logits[e] += l.router_bias[e];
      route_token(l, t, s, choice, z);
      float lse = softmax(logits, l.experts, s);
      for (int64_t e = 0; e < l.experts; e++) sums[e] += s[e];
      squares += static_cast<double>(lse) * lse;
    }
    std::memcpy(sums + l.experts, &squares, sizeof squares);
  });
  *l.squared_lse = 0;
  for (int64_t e = 0; e < l.experts; e++) l.probability_sums[e] = 0;
  for (int64_t block = 0; block < blocks; block++) {
    const float* sums = l.partial + block * width;
    double squares;
    std::memcpy(&squares, sums + l.experts, sizeof squares);
    *l.squared_lse += squares;
    for (int64_t e = 0; e < l.experts; e++) l.probability_sums[e] += sums[e];
  }
  sort_by_expert(l);
}

// From l.d_gates; adds to l.d_normed, whose rows hold what came through the experts.
void router_backward(const EkLayer& l) {
  int32_t group_of[l.experts];
  for (int64_t e = 0; e < l.experts; e++) group_of[e] = 0;
  for (int64_t i = 0; i < l.groups * l.group_width; i++) group_of[l.members[i]] = static_cast<int32_t>(i / l.group_width);
  parallel(l.threads, ceil(l.tokens, block_tokens), [&](int64_t block) {
    float* s = ek_scratch(slot_rows, 3 * (l.experts + W));
    for (int64_t t = block * block_tokens; t < least(l.tokens, (block + 1) * block_tokens); t++)
      token_backward(l, t, group_of, s, s + l.experts + W, s + 2 * (l.experts + W));
  });
  Rows d{l.d_logits, l.experts, nullptr};
  linear_weight<Fp32>(l.threads, d, {l.normed, l.hidden, nullptr}, l.tokens, l.experts, l.hidden, l.d_router);
  linear_input<Fp32>(l.threads, d, l.tokens, l.experts, l.router, l.hidden, l.d_normed, l.hidden, true);
  if (l.d_router_bias)
    for (int64_t t = 0; t < l.tokens; t++)
      for (int64_t e = 0; e < l.experts; e++) l.d_router_bias[e] += l.d_logits[t * l.experts + e];
}

}  // namespace EK_ISA
