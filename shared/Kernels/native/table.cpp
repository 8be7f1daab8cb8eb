// The table of one instruction set; compiled once for each.
#include "table.h"
#include "linear.h"

namespace EK_ISA {

void product(int64_t threads, const float* x, int64_t m, int64_t depth, const float* w, int64_t n, float* y) {
  linear(threads, {x, depth, nullptr}, m, depth, w, n, y, n, false);
}

}  // namespace EK_ISA

#define EK_JOIN(a, b) a##b
#define EK_NAME(isa) EK_JOIN(ek_, isa)
#define EK_TEXT(isa) #isa
#define EK_STRING(isa) EK_TEXT(isa)

using namespace EK_ISA;

const EkTable EK_NAME(EK_ISA) = {
    EK_STRING(EK_ISA), attention_forward, attention_backward, router_forward, experts_forward, experts_combine, experts_backward, mlp_forward, mlp_backward,
    embed, embed_backward, head_forward, head_losses, sum_of_squares, pull, adamw, product,
};
