using static TorchSharp.torch;

namespace Espalier.Modeling.Fused;

/// <summary>Where the elements of tensors lie.</summary>
public static unsafe class TensorMemory
{
    /// <summary>The address of the elements of a contiguous tensor in main memory; valid as long as the tensor.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not contiguous.</exception>
    public static T* Address<T>(Tensor tensor) where T : unmanaged
    {
        if (!tensor.is_contiguous())
            throw new InvalidOperationException("kernels read elements that lie one after the other");
        if (tensor.numel() > int.MaxValue / sizeof(T)) // more than a span can show
        {
            using var flat = tensor.view(-1);
            using var start = flat.narrow(0, 0, 1);
            return Address<T>(start);
        }
        fixed (byte* first = tensor.bytes)
            return (T*)first; // native memory: nothing moves it
    }

    /// <summary>The bytes of a contiguous tensor in main memory, of any length; to be read while the tensor lives.</summary>
    /// <exception cref="InvalidOperationException">The tensor is not contiguous.</exception>
    public static UnmanagedMemoryStream Open(Tensor tensor)
    {
        if (!tensor.is_contiguous())
            throw new InvalidOperationException("bytes are read one after the other");
        if (tensor.numel() == 0)
            return new UnmanagedMemoryStream(null, 0);
        using var flat = tensor.view(-1);
        using var start = flat.narrow(0, 0, 1);
        return new UnmanagedMemoryStream(Address<byte>(start), tensor.numel() * tensor.element_size());
    }
}
