namespace TorchSharp;

public static partial class torch
{
    // Square brackets: numbers, ranges, tensors of positions, masks.
    public unsafe partial class Tensor
    {
        /// <summary>The elements that the indices select; setting broadcasts the value to them.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => Get(Encode(indices), indices);
            set => Set(Encode(indices), value, indices);
        }

        /// <summary>The elements that the indices select; setting broadcasts the value to them.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices]
        {
            get => Get(Encode(indices), indices);
            set => Set(Encode(indices), value, indices);
        }

        /// <summary>The elements that the indices select; setting broadcasts the value to them.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[params long[] indices]
        {
            get => Get(Encode(indices), indices);
            set => Set(Encode(indices), value, indices);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1]
        {
            get => Get([At(i1)]);
            set => Set([At(i1)], value);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1, long i2]
        {
            get => Get([At(i1), At(i2)]);
            set => Set([At(i1), At(i2)], value);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3]
        {
            get => Get([At(i1), At(i2), At(i3)]);
            set => Set([At(i1), At(i2), At(i3)], value);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4]
        {
            get => Get([At(i1), At(i2), At(i3), At(i4)]);
            set => Set([At(i1), At(i2), At(i3), At(i4)], value);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4, long i5]
        {
            get => Get([At(i1), At(i2), At(i3), At(i4), At(i5)]);
            set => Set([At(i1), At(i2), At(i3), At(i4), At(i5)], value);
        }

        /// <summary>The element or part at this position; setting broadcasts the value to it.</summary>
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1, long i2, long i3, long i4, long i5, long i6]
        {
            get => Get([At(i1), At(i2), At(i3), At(i4), At(i5), At(i6)]);
            set => Set([At(i1), At(i2), At(i3), At(i4), At(i5), At(i6)], value);
        }

        /// <summary>The elements that the indices select.</summary>
        public Tensor index(params TensorIndex[] indices) => this[indices];

        /// <summary>The elements that the tensors of positions, or masks, select.</summary>
        public Tensor index(params Tensor[] indices) => this[indices];

        /// <summary>Overwrites the selected elements.</summary>
        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => Set(Encode(indices), value, indices);

        /// <summary>Overwrites the selected elements, or adds to them.</summary>
        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false) =>
            Set(Encode(indices), value, indices, accumulate);

        /// <summary>Overwrites the selected elements with one number.</summary>
        public Tensor index_put_(Scalar value, params TensorIndex[] indices) => Set(Encode(indices), value, indices);

        /// <summary>Overwrites the selected elements.</summary>
        public Tensor index_put_(Tensor value, params Tensor[] indices) => Set(Encode(indices), value, indices);

        /// <summary>Overwrites the selected elements, or adds to them.</summary>
        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false) =>
            Set(Encode(indices), value, indices, accumulate);

        /// <summary>Overwrites the selected elements with one number.</summary>
        public Tensor index_put_(Scalar value, params Tensor[] indices) => Set(Encode(indices), value, indices);

        private Tensor Get(ReadOnlySpan<NativeIndex> indices, object? owners = null)
        {
            fixed (NativeIndex* pointer = indices)
            {
                Tensor result = Made(Native.et_index(Handle, pointer, indices.Length));
                GC.KeepAlive(owners);
                return result;
            }
        }

        private Tensor Set(ReadOnlySpan<NativeIndex> indices, Tensor value, object? owners = null, bool accumulate = false)
        {
            fixed (NativeIndex* pointer = indices)
            {
                Changed(Native.et_index_put_(Handle, pointer, indices.Length, value.Handle, accumulate), value);
                GC.KeepAlive(owners);
                return this;
            }
        }

        private Tensor Set(ReadOnlySpan<NativeIndex> indices, Scalar value, object? owners)
        {
            fixed (NativeIndex* pointer = indices)
            {
                Changed(Native.et_index_put_number_(Handle, pointer, indices.Length, value.Number));
                GC.KeepAlive(owners);
                return this;
            }
        }

        private static NativeIndex At(long position) => new() { Start = position };

        private static NativeIndex[] Encode(TensorIndex[] indices) => Array.ConvertAll(indices, index => index.ToNative());

        private static NativeIndex[] Encode(Tensor[] indices) => Array.ConvertAll(indices, index => TensorIndex.Tensor(index).ToNative());

        private static NativeIndex[] Encode(long[] indices) => Array.ConvertAll(indices, At);
    }
}
