// Which functions a process uses: those of the best instruction set that the processor has. A set with bf16 products stands
// beside one without.
#pragma once
#include "entry.h"

struct EkTable {
  const char* name;
  void (*attention_forward)(const EkLayer&);
  void (*attention_backward)(const EkLayer&);
  void (*router_forward)(const EkLayer&);
  void (*experts_forward)(const EkLayer&);
  void (*experts_combine)(const EkLayer&);
  void (*experts_backward)(const EkLayer&);
  void (*mlp_forward)(const EkLayer&);
  void (*mlp_backward)(const EkLayer&);
  void (*embed)(const EkEnds&);
  void (*embed_backward)(const EkEnds&);
  void (*head_forward)(const EkEnds&);
  void (*head_losses)(const EkEnds&);
  double (*sum_of_squares)(int64_t, const float*, int64_t);
  double (*pull)(int64_t, const float*, const float*, int64_t, double, float*);
  void (*adamw)(const EkAdamW&);
  void (*product)(int64_t, const float*, int64_t, int64_t, const float*, int64_t, float*);
};

extern const EkTable ek_portable, ek_avx2, ek_avx512, ek_avx512bf16;
