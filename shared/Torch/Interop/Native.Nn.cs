using System.Runtime.InteropServices;

namespace TorchSharp;

// Layers, losses and attention. The other side is native/nn.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_softmax(IntPtr self, long dim, int type);
    [DllImport(Library)] internal static extern IntPtr et_log_softmax(IntPtr self, long dim, int type);
    [DllImport(Library)] internal static extern IntPtr et_linear(IntPtr input, IntPtr weight, IntPtr bias);
    [DllImport(Library)] internal static extern IntPtr et_embedding(IntPtr weight, IntPtr indices, long paddingIndex, bool scaleByFrequency, bool sparse);
    [DllImport(Library)] internal static extern IntPtr et_one_hot(IntPtr self, long classes);
    [DllImport(Library)] internal static extern IntPtr et_layer_norm(IntPtr self, long* shape, long rank, IntPtr weight, IntPtr bias, double eps);
    [DllImport(Library)] internal static extern IntPtr et_dropout(IntPtr self, double p, bool training);
    [DllImport(Library)] internal static extern int et_dropout_(IntPtr self, double p, bool training);
    [DllImport(Library)] internal static extern IntPtr et_glu(IntPtr self, long dim);
    [DllImport(Library)] internal static extern IntPtr et_constant_pad(IntPtr self, long* pad, long count, Number value);
    [DllImport(Library)] internal static extern IntPtr et_cross_entropy(IntPtr input, IntPtr target, IntPtr weight, long ignoreIndex, int reduction, double smoothing);
    [DllImport(Library)] internal static extern IntPtr et_nll_loss(IntPtr input, IntPtr target, IntPtr weight, long ignoreIndex, int reduction);
    [DllImport(Library)] internal static extern IntPtr et_mse_loss(IntPtr input, IntPtr target, int reduction);
    [DllImport(Library)] internal static extern IntPtr et_l1_loss(IntPtr input, IntPtr target, int reduction);
    [DllImport(Library)] internal static extern IntPtr et_huber_loss(IntPtr input, IntPtr target, int reduction, double delta);
    [DllImport(Library)] internal static extern IntPtr et_smooth_l1_loss(IntPtr input, IntPtr target, int reduction, double beta);
    [DllImport(Library)] internal static extern IntPtr et_kl_div(IntPtr input, IntPtr target, int reduction, bool logTarget);
    [DllImport(Library)] internal static extern IntPtr et_binary_cross_entropy(IntPtr input, IntPtr target, IntPtr weight, int reduction);
    [DllImport(Library)] internal static extern IntPtr et_binary_cross_entropy_with_logits(IntPtr input, IntPtr target, IntPtr weight, int reduction, IntPtr positiveWeight);
    [DllImport(Library)] internal static extern IntPtr et_cosine_similarity(IntPtr a, IntPtr b, long dim, double eps);
    [DllImport(Library)] internal static extern IntPtr et_normalize(IntPtr self, double p, long dim, double eps);
    [DllImport(Library)] internal static extern IntPtr et_attention(IntPtr query, IntPtr key, IntPtr value, IntPtr mask, double dropout, bool causal);
}
