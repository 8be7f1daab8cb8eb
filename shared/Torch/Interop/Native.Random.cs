using System.Runtime.InteropServices;

namespace TorchSharp;

// Generators and everything drawn from them. The other side is native/random.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_generator_new(ulong seed, int device, int index);
    [DllImport(Library)] internal static extern IntPtr et_generator_default();
    [DllImport(Library)] internal static extern void et_generator_free(IntPtr generator);
    [DllImport(Library)] internal static extern int et_generator_seed(IntPtr generator, ulong seed);
    [DllImport(Library)] internal static extern long et_generator_initial_seed(IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_generator_get_state(IntPtr generator);
    [DllImport(Library)] internal static extern int et_generator_set_state(IntPtr generator, IntPtr state);
    [DllImport(Library)] internal static extern int et_manual_seed(ulong seed);
    [DllImport(Library)] internal static extern IntPtr et_rand(long* size, long rank, int type, int device, int index, bool requiresGrad, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_randn(long* size, long rank, int type, int device, int index, bool requiresGrad, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_randint(long low, long high, long* size, long rank, int type, int device, int index, bool requiresGrad, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_randint_like(IntPtr self, long low, long high, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_randperm(long n, int type, int device, int index, bool requiresGrad, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_normal(IntPtr mean, IntPtr deviation, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_bernoulli(IntPtr self, IntPtr generator);
    [DllImport(Library)] internal static extern int et_bernoulli_(IntPtr self, double p, IntPtr generator);
    [DllImport(Library)] internal static extern int et_bernoulli_by_(IntPtr self, IntPtr p, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_multinomial(IntPtr self, long samples, bool replacement, IntPtr generator);
    [DllImport(Library)] internal static extern IntPtr et_poisson(IntPtr self, IntPtr generator);
    [DllImport(Library)] internal static extern int et_normal_(IntPtr self, double mean, double deviation, IntPtr generator);
    [DllImport(Library)] internal static extern int et_uniform_(IntPtr self, double from, double to, IntPtr generator);
    [DllImport(Library)] internal static extern int et_exponential_(IntPtr self, double rate, IntPtr generator);
    [DllImport(Library)] internal static extern int et_random_(IntPtr self, double from, double to, IntPtr generator);
}
