namespace TorchSharp;

public static unsafe partial class torch
{
    /// <summary>Integers from [low, high).</summary>
    public static Tensor randint(long low, long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null)
    {
        RefuseNames(names);
        device = InitializeDevice(device);
        fixed (long* pointer = size)
        {
            Tensor result = Native.Wrap(Native.et_randint(low, high, pointer, size.Length, (int)(dtype ?? ScalarType.Int64), (int)device.type, device.index, requires_grad, Handle(generator)));
            GC.KeepAlive(generator);
            return result;
        }
    }

    /// <summary>Integers from [0, high).</summary>
    public static Tensor randint(long high, long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(0, high, size, dtype, device, requires_grad, generator, names);

    /// <summary>Integers from [low, high).</summary>
    public static Tensor randint(int low, int high, int[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(low, high, Array.ConvertAll(size, n => (long)n), dtype, device, requires_grad, generator, names);

    /// <summary>Integers from [0, high).</summary>
    public static Tensor randint(int high, int[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
        randint(0, high, Array.ConvertAll(size, n => (long)n), dtype, device, requires_grad, generator, names);

    /// <summary>The numbers 0 to n - 1 in random order.</summary>
    public static Tensor randperm(long n, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null)
    {
        device = InitializeDevice(device);
        Tensor result = Native.Wrap(Native.et_randperm(n, (int)(dtype ?? ScalarType.Int64), (int)device.type, device.index, requires_grad, Handle(generator)));
        GC.KeepAlive(generator);
        return result;
    }

    /// <summary>Draws from the normal distribution with this mean and standard deviation.</summary>
    public static Tensor normal(double mean, double std, ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null)
    {
        Tensor result = empty(size, dtype, device, names: names).normal_(mean, std, generator);
        return requires_grad ? result.requires_grad_() : result;
    }

    /// <summary>Draws from the normal distributions with these means and standard deviations.</summary>
    public static Tensor normal(Tensor mean, Tensor std, Generator? generator = null)
    {
        Tensor result = Native.Wrap(Native.et_normal(mean.Handle, std.Handle, Handle(generator)));
        GC.KeepAlive(mean);
        GC.KeepAlive(std);
        GC.KeepAlive(generator);
        return result;
    }

    private static IntPtr Handle(Generator? generator) => generator?.Handle ?? IntPtr.Zero;
}
