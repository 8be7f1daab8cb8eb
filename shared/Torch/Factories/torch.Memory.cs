using System.Runtime.InteropServices;
using TorchSharp.Utils;

namespace TorchSharp;

public static unsafe partial class torch
{
    // What all factories from .NET values come down to.

    private static Tensor FromScalar(Scalar value, ScalarType natural, ScalarType? dtype, Device? device, bool requires_grad)
    {
        device = InitializeDevice(device);
        return Native.Wrap(Native.et_scalar_tensor(value.Number, (int)(dtype ?? natural), (int)device.type, device.index, requires_grad));
    }

    private static Tensor FromMemory<T>(ReadOnlySpan<T> values, ReadOnlySpan<long> dimensions, ScalarType? dtype, Device? device, bool requires_grad, string[]? names)
        where T : unmanaged
    {
        RefuseNames(names);
        long count = 1;
        foreach (long dimension in dimensions)
            count *= dimension;
        if (count != values.Length)
            throw new ArgumentException($"a tensor of shape [{string.Join(", ", dimensions.ToArray())}] has {count} elements, not {values.Length}");

        ScalarType natural = ElementTypes.Of<T>();
        IntPtr handle;
        fixed (T* data = values)
        fixed (long* size = dimensions)
            handle = Native.et_from_memory(data, size, dimensions.Length, (int)natural);
        return Finish(Native.Wrap(handle), dtype, device, requires_grad);
    }

    // The tensor on its device and with its type; intermediate ones are disposed.
    private static Tensor Finish(Tensor tensor, ScalarType? dtype, Device? device, bool requires_grad)
    {
        device = InitializeDevice(device);
        if (device.type != DeviceType.CPU || (dtype is { } wanted && wanted != tensor.dtype))
            tensor = tensor.to(dtype ?? tensor.dtype, device, disposeAfter: true);
        return requires_grad ? tensor.requires_grad_() : tensor;
    }

    private static ReadOnlySpan<T> SpanOf<T>(IList<T> values) => values switch
    {
        T[] array => array,
        List<T> list => CollectionsMarshal.AsSpan(list),
        _ => values.ToArray(),
    };

    private static void RefuseNames(string[]? names)
    {
        if (names is { Length: > 0 })
            throw new NotSupportedException("named dimensions are not supported");
    }

    /// <summary>A tensor with the elements and the shape of an array, copied.</summary>
    public static Tensor from_array(Array rawArray, Device? device = null) => from_array(rawArray, null, device);

    /// <summary>A tensor with the elements and the shape of an array, copied; their type stays unless another one is given.</summary>
    public static Tensor from_array(Array rawArray, ScalarType? dtype, Device? device = null, bool requires_grad = false, string[]? names = null)
    {
        RefuseNames(names);
        ScalarType natural = ElementTypes.Of(rawArray.GetType().GetElementType()!);
        long[] size = [.. Enumerable.Range(0, rawArray.Rank).Select(rawArray.GetLongLength)];
        IntPtr handle;
        fixed (byte* data = &MemoryMarshal.GetArrayDataReference(rawArray))
        fixed (long* pointer = size)
            handle = Native.et_from_memory(data, pointer, size.Length, (int)natural);
        return Finish(Native.Wrap(handle), dtype, device, requires_grad);
    }

    /// <summary>
    /// A tensor on the memory of an array, without copying: both show the same elements. The array stays where it is
    /// until the last tensor on it is gone. Another element type means a converted copy.
    /// </summary>
    /// <param name="rawArray">An array of numbers.</param>
    /// <param name="dtype">Element type of the tensor.</param>
    /// <param name="count">How many elements; -1 means all from <paramref name="offset"/> on.</param>
    /// <param name="offset">The first element.</param>
    /// <param name="requires_grad">Record operations on it.</param>
    public static Tensor frombuffer(Array rawArray, ScalarType dtype, long count = -1, long offset = 0, bool requires_grad = false)
    {
        if (offset < 0 || offset >= rawArray.LongLength)
            throw new ArgumentException($"invalid value for 'offset': {offset}");
        if (count < 0)
            count = rawArray.LongLength - offset;
        if (count > rawArray.LongLength - offset)
            throw new IndexOutOfRangeException($"element count is too large: {count}");

        ScalarType natural = ElementTypes.Of(rawArray.GetType().GetElementType()!);
        var pin = GCHandle.Alloc(rawArray, GCHandleType.Pinned);
        byte* data = (byte*)pin.AddrOfPinnedObject() + offset * natural.ElementSize();
        IntPtr handle = Native.et_wrap_memory(data, &count, 1, (int)natural, &Release, (void*)GCHandle.ToIntPtr(pin));
        if (handle == IntPtr.Zero)
            pin.Free();
        return Finish(Native.Wrap(handle), dtype, CPU, requires_grad);
    }

    [UnmanagedCallersOnly]
    private static void Release(void* pin) => GCHandle.FromIntPtr((IntPtr)pin).Free();
}
