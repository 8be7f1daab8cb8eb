namespace TorchSharp;

public static unsafe partial class torch
{
    /// <summary>start, start + step, ... before stop; integers if all three are, else the default element type.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        device = InitializeDevice(device);
        bool integral = is_integral(start.Type) && is_integral(stop.Type) && is_integral(step.Type);
        ScalarType type = dtype ?? (integral ? ScalarType.Int64 : get_default_dtype());
        return Native.Wrap(Native.et_arange(start.Number, stop.Number, step.Number, (int)type, (int)device.type, device.index, requires_grad));
    }

    /// <summary>start, start + 1, ... before stop.</summary>
    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(start, stop, 1, dtype, device, requires_grad);

    /// <summary>0, 1, ... before stop.</summary>
    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
        arange(0, stop, 1, dtype, device, requires_grad);

    /// <summary>Numbers at equal distances, both ends included.</summary>
    public static Tensor linspace(double start, double end, long steps, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_linspace(start, end, steps, (int)(dtype ?? get_default_dtype()), (int)device.type, device.index, requires_grad));
    }

    /// <summary>Powers of the base whose exponents are at equal distances, both ends included.</summary>
    public static Tensor logspace(double start, double end, long steps, double @base = 10, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
    {
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_logspace(start, end, steps, @base, (int)(dtype ?? get_default_dtype()), (int)device.type, device.index, requires_grad));
    }

    /// <summary>Ones on the diagonal, zeros elsewhere; square unless the columns are given.</summary>
    public static Tensor eye(long rows, long columns = -1L, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null)
    {
        RefuseNames(names);
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_eye(rows, columns < 0 ? rows : columns, (int)(dtype ?? get_default_dtype()), (int)device.type, device.index, requires_grad));
    }

    /// <summary>Row and column numbers of the lower triangle.</summary>
    public static Tensor tril_indices(long row, long col, long offset = 0L, ScalarType dtype = ScalarType.Int64, Device? device = null)
    {
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_tril_indices(row, col, offset, (int)dtype, (int)device.type, device.index));
    }

    /// <summary>Row and column numbers of the upper triangle.</summary>
    public static Tensor triu_indices(long row, long col, long offset = 0L, ScalarType dtype = ScalarType.Int64, Device? device = null)
    {
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_triu_indices(row, col, offset, (int)dtype, (int)device.type, device.index));
    }
}
