namespace TorchSharp;

public static partial class torch
{
    // A tensor taken apart.
    public unsafe partial class Tensor
    {
        /// <summary>The tensor in this many parts; the last may be smaller.</summary>
        public Tensor[] chunk(long chunks, long dim = 0L)
        {
            TensorList list;
            Changed(Native.et_chunk(Handle, chunks, dim, &list));
            return Parts(list);
        }

        /// <summary>Parts of this size; the last may be smaller.</summary>
        public Tensor[] split(long size, int dim = 0)
        {
            TensorList list;
            Changed(Native.et_split(Handle, size, dim, &list));
            return Parts(list);
        }

        /// <summary>Parts of these sizes along the first dimension.</summary>
        public Tensor[] split(params long[] sizes) => split((ReadOnlySpan<long>)sizes);

        /// <summary>Parts of these sizes.</summary>
        public Tensor[] split(long[] sizes, long dim = 0L) => split((ReadOnlySpan<long>)sizes, dim);

        /// <summary>Parts of these sizes.</summary>
        public Tensor[] split(ReadOnlySpan<long> sizes, long dim = 0L)
        {
            TensorList list;
            fixed (long* pointer = sizes)
                Changed(Native.et_split_by(Handle, pointer, sizes.Length, dim, &list));
            return Parts(list);
        }

        /// <summary>This many parts of sizes as equal as possible.</summary>
        public Tensor[] tensor_split(long size, long dim = 0L)
        {
            TensorList list;
            Changed(Native.et_tensor_split(Handle, size, dim, &list));
            return Parts(list);
        }

        /// <summary>Parts that begin at these positions.</summary>
        public Tensor[] tensor_split(long[] sizes, long dim = 0L)
        {
            TensorList list;
            fixed (long* pointer = sizes)
                Changed(Native.et_tensor_split_at(Handle, pointer, sizes.Length, dim, &list));
            return Parts(list);
        }

        /// <summary>All slices of one dimension.</summary>
        public Tensor[] unbind(long dimension = 0L)
        {
            TensorList list;
            Changed(Native.et_unbind(Handle, dimension, &list));
            return Parts(list);
        }

        private static Tensor[] Parts(TensorList list) => Array.ConvertAll(Native.Take(list), part => part!);
    }
}
