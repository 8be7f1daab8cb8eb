namespace TorchSharp;

public static partial class torch
{
    /// <summary>Threads that one operation may use.</summary>
    public static int get_num_threads() => Native.et_get_num_threads();

    /// <summary>Sets how many threads one operation may use.</summary>
    public static void set_num_threads(int num) => Native.Check(Native.et_set_num_threads(num));

    /// <summary>Threads for operations that run beside each other.</summary>
    public static int get_num_interop_threads() => Native.et_get_num_interop_threads();

    /// <summary>Sets the threads for operations that run beside each other; only before the first of them.</summary>
    public static void set_num_interop_threads(int num) => Native.Check(Native.et_set_num_interop_threads(num));

    /// <summary>Uses only algorithms that give the same bytes each time, until disposed; throws, or warns, where there is none.</summary>
    public static IDisposable use_deterministic_algorithms(bool mode = true, bool warn_only = false) => new DeterminismMode(mode, warn_only);

    /// <summary>Whether only deterministic algorithms are used.</summary>
    public static bool are_deterministic_algorithms_enabled() => Native.et_is_deterministic();

    /// <summary>Whether an algorithm that is not deterministic only warns.</summary>
    public static bool is_deterministic_algorithms_warn_only_enabled() => Native.et_is_deterministic_warn_only();

    /// <summary>Throws unless the condition holds.</summary>
    public static void _assert(bool condition, string message)
    {
        if (!condition)
            throw new InvalidOperationException(message);
    }

    private sealed class DeterminismMode : IDisposable
    {
        private readonly bool _before = Native.et_is_deterministic();
        private readonly bool _warnOnlyBefore = Native.et_is_deterministic_warn_only();

        public DeterminismMode(bool mode, bool warnOnly) => Native.Check(Native.et_set_deterministic(mode, warnOnly));

        public void Dispose() => Native.Check(Native.et_set_deterministic(_before, _warnOnlyBefore));
    }
}
