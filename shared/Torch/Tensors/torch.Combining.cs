namespace TorchSharp;

public static unsafe partial class torch
{
    /// <summary>The tensors one after the other along one dimension.</summary>
    public static Tensor cat(IList<Tensor> tensors, long dim = 0)
    {
        IntPtr[] handles = Native.Handles(tensors);
        fixed (IntPtr* pointer = handles)
        {
            IntPtr result = Native.et_cat(pointer, handles.Length, dim);
            GC.KeepAlive(tensors);
            return Native.Wrap(result);
        }
    }

    /// <inheritdoc cref="cat(IList{Tensor}, long)"/>
    public static Tensor cat(Tensor[] tensors, long dim = 0) => cat((IList<Tensor>)tensors, dim);

    /// <inheritdoc cref="cat(IList{Tensor}, long)"/>
    public static Tensor cat(ReadOnlySpan<Tensor> tensors, long dim = 0) => cat((IList<Tensor>)tensors.ToArray(), dim);

    /// <inheritdoc cref="cat(IList{Tensor}, long)"/>
    public static Tensor concat(IList<Tensor> tensors, long dim = 0) => cat(tensors, dim);

    /// <inheritdoc cref="cat(IList{Tensor}, long)"/>
    public static Tensor concat(Tensor[] tensors, long dim = 0) => cat(tensors, dim);

    /// <inheritdoc cref="cat(IList{Tensor}, long)"/>
    public static Tensor concat(ReadOnlySpan<Tensor> tensors, long dim = 0) => cat(tensors, dim);

    /// <summary>The tensors, all of one shape, along a new dimension.</summary>
    public static Tensor stack(IEnumerable<Tensor> tensors, long dim = 0)
    {
        IList<Tensor> list = tensors as IList<Tensor> ?? [.. tensors];
        IntPtr[] handles = Native.Handles(list);
        fixed (IntPtr* pointer = handles)
        {
            IntPtr result = Native.et_stack(pointer, handles.Length, dim);
            GC.KeepAlive(list);
            return Native.Wrap(result);
        }
    }

    /// <summary>The tensors side by side.</summary>
    public static Tensor hstack(params Tensor[] tensors) => hstack((IList<Tensor>)tensors);

    /// <summary>The tensors side by side.</summary>
    public static Tensor hstack(IList<Tensor> tensors)
    {
        IntPtr[] handles = Native.Handles(tensors);
        fixed (IntPtr* pointer = handles)
        {
            IntPtr result = Native.et_hstack(pointer, handles.Length);
            GC.KeepAlive(tensors);
            return Native.Wrap(result);
        }
    }

    /// <summary>The tensors below each other.</summary>
    public static Tensor vstack(Tensor[] tensors) => vstack((IList<Tensor>)tensors);

    /// <summary>The tensors below each other.</summary>
    public static Tensor vstack(IList<Tensor> tensors)
    {
        IntPtr[] handles = Native.Handles(tensors);
        fixed (IntPtr* pointer = handles)
        {
            IntPtr result = Native.et_vstack(pointer, handles.Length);
            GC.KeepAlive(tensors);
            return Native.Wrap(result);
        }
    }

    /// <summary>A matrix with these matrices along its diagonal.</summary>
    public static Tensor block_diag(params Tensor[] tensors)
    {
        IntPtr[] handles = Native.Handles(tensors);
        fixed (IntPtr* pointer = handles)
        {
            IntPtr result = Native.et_block_diag(pointer, handles.Length);
            GC.KeepAlive(tensors);
            return Native.Wrap(result);
        }
    }

    /// <summary>Coordinates of a grid, one tensor per axis.</summary>
    public static Tensor[] meshgrid(IEnumerable<Tensor> tensors, string indexing = "ij")
    {
        IList<Tensor> axes = [.. tensors];
        TensorList list;
        fixed (IntPtr* pointer = Native.Handles(axes))
        fixed (byte* order = Native.Utf8(indexing))
            Native.Check(Native.et_meshgrid(pointer, axes.Count, order, &list));
        GC.KeepAlive(axes);
        return Array.ConvertAll(Native.Take(list), grid => grid!);
    }

    /// <summary>The tensors widened to one common shape.</summary>
    public static IList<Tensor> broadcast_tensors(params Tensor[] tensors)
    {
        TensorList list;
        fixed (IntPtr* pointer = Native.Handles(tensors))
            Native.Check(Native.et_broadcast_tensors(pointer, tensors.Length, &list));
        GC.KeepAlive(tensors);
        return Array.ConvertAll(Native.Take(list), tensor => tensor!);
    }

    /// <summary>x where the condition is true, else y.</summary>
    public static Tensor where(Tensor condition, Tensor x, Tensor y) => x.where(condition, y);

    /// <summary>Positions where the condition is true, one tensor per dimension.</summary>
    public static Tensor[] where(Tensor condition)
    {
        TensorList list;
        Native.Check(Native.et_where_indices(condition.Handle, &list));
        GC.KeepAlive(condition);
        return Array.ConvertAll(Native.Take(list), positions => positions!);
    }

    /// <summary>Sums of products as the equation says, for example <c>bij,bjk->bik</c>.</summary>
    public static Tensor einsum(string equation, params Tensor[] tensors)
    {
        fixed (byte* text = Native.Utf8(equation))
        fixed (IntPtr* pointer = Native.Handles(tensors))
        {
            IntPtr result = Native.et_einsum(text, pointer, tensors.Length);
            GC.KeepAlive(tensors);
            return Native.Wrap(result);
        }
    }

    /// <summary>Where each value would go in a sorted sequence.</summary>
    public static Tensor searchsorted(Tensor sorted_sequence, Tensor values, bool out_int32 = false, bool right = false, Tensor? sorter = null)
    {
        IntPtr result = Native.et_searchsorted(sorted_sequence.Handle, values.Handle, out_int32, right, Tensor.Of(sorter));
        GC.KeepAlive(sorted_sequence);
        GC.KeepAlive(values);
        GC.KeepAlive(sorter);
        return Native.Wrap(result);
    }

    /// <summary>The k-th smallest element along one dimension, the last if none is named, and where it is.</summary>
    public static (Tensor values, Tensor indices) kthvalue(Tensor input, long k, long? dim, bool keepdim = false)
    {
        IntPtr values, indices;
        Native.Check(Native.et_kthvalue(input.Handle, k, dim ?? -1, keepdim, &values, &indices));
        GC.KeepAlive(input);
        return (new Tensor(values), new Tensor(indices));
    }
}
