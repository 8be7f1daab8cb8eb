using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

[assembly: DisableRuntimeMarshalling]

namespace TorchSharp;

// The C interface of native/: entry points by topic in the files beside this one, errors here.
internal static unsafe partial class Native
{
    internal const string Library = "espalier_torch";

    /// <summary>Wraps a handle that native code made, or throws what went wrong there.</summary>
    internal static torch.Tensor Wrap(IntPtr handle)
    {
        if (handle == IntPtr.Zero)
            throw LastError();
        return new torch.Tensor(handle);
    }

    /// <summary>Throws when native code reports a failure.</summary>
    internal static void Check(int status)
    {
        if (status != 0)
            throw LastError();
    }

    internal static ExternalException LastError() => new(Text(et_last_error()));

    internal static string Text(byte* text) => Marshal.PtrToStringUTF8((IntPtr)text) ?? "";

    /// <summary>The text as bytes that end with zero.</summary>
    internal static byte[] Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text + '\0');

    /// <summary>The handles of tensors; the caller keeps the tensors alive until the call is over.</summary>
    internal static IntPtr[] Handles(IEnumerable<torch.Tensor?>? tensors) =>
        tensors is null ? [] : [.. tensors.Select(tensor => tensor?.Handle ?? IntPtr.Zero)];

    /// <summary>Takes over the tensors of a native list and frees the list.</summary>
    internal static torch.Tensor?[] Take(TensorList list)
    {
        var result = new torch.Tensor?[list.Count];
        for (int i = 0; i < result.Length; i++)
            result[i] = list.Items[i] == IntPtr.Zero ? null : new torch.Tensor(list.Items[i]);
        et_free_list(list.Items);
        return result;
    }

    /// <summary>The device as the two numbers that native code expects; -1 where none is given.</summary>
    internal static (int Type, int Index) Place(torch.Device? device) => device is null ? (-1, -1) : ((int)device.type, device.index);
}

/// <summary>A number of any element type on its way to native code. <c>Kind</c> is the scalar type, -1 for no number.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Number(long bits, int kind)
{
    public readonly long Bits = bits;
    public readonly int Kind = kind;

    public static readonly Number None = new(0, -1);
    public static readonly Number One = new(1, (int)torch.ScalarType.Int64);
}

/// <summary>A native array of tensor handles.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TensorList
{
    public IntPtr* Items;
    public long Count;
}

/// <summary>One index of an indexing expression, as native/indexing.cpp reads it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeIndex
{
    public long Kind;
    public long Start;
    public long Stop;
    public long Step;
    public IntPtr Tensor;
}
