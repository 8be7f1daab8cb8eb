namespace TorchSharp;

public static partial class torch
{
    // Shape, element type, place.
    public unsafe partial class Tensor
    {
        /// <summary>Number of dimensions.</summary>
        public long Dimensions => Fact(Native.et_dim(Handle));

        /// <inheritdoc cref="Dimensions"/>
        public long dim() => Dimensions;

        /// <inheritdoc cref="Dimensions"/>
        public long ndim => Dimensions;

        /// <summary>Number of elements.</summary>
        public long NumberOfElements => Fact(Native.et_numel(Handle));

        /// <inheritdoc cref="NumberOfElements"/>
        public long numel() => NumberOfElements;

        /// <summary>Bytes of one element.</summary>
        public long ElementSize => Fact(Native.et_element_size(Handle));

        /// <inheritdoc cref="ElementSize"/>
        public long element_size() => ElementSize;

        /// <summary>Element type.</summary>
        public ScalarType dtype => (ScalarType)Fact(Native.et_dtype(Handle));

        /// <summary>Where the elements are.</summary>
        public Device device => new(device_type, device_index);

        /// <summary>Which device of its kind; -1 where there is only one.</summary>
        public int device_index => Fact(Native.et_device_index(Handle));

        /// <summary>The kind of device.</summary>
        public DeviceType device_type => (DeviceType)Fact(Native.et_device_type(Handle));

        /// <summary>Whether the elements are on a CUDA device.</summary>
        public bool is_cuda => device_type == DeviceType.CUDA;

        /// <summary>Whether the tensor has a shape and no elements.</summary>
        public bool is_meta => device_type == DeviceType.META;

        /// <summary>Whether the elements are in main memory.</summary>
        public bool is_cpu() => device_type == DeviceType.CPU;

        /// <summary>Whether only some elements are stored.</summary>
        public bool is_sparse => Fact(Native.et_is_sparse(Handle));

        /// <summary>Whether the memory is locked for fast copies to a device.</summary>
        public bool is_pinned() => Fact(Native.et_is_pinned(Handle));

        /// <inheritdoc cref="torch.is_integral(ScalarType)"/>
        public bool is_integral() => torch.is_integral(dtype);

        /// <inheritdoc cref="torch.is_floating_point(ScalarType)"/>
        public bool is_floating_point() => torch.is_floating_point(dtype);

        /// <inheritdoc cref="torch.is_complex(ScalarType)"/>
        public bool is_complex() => torch.is_complex(dtype);

        /// <inheritdoc cref="torch.is_quantized(ScalarType)"/>
        public bool is_quantized() => torch.is_quantized(dtype);

        /// <summary>Whether the one element is not zero.</summary>
        public bool is_nonzero() => ToScalar().ToBoolean();

        /// <summary>Whether the elements lie one after the other, last dimension fastest.</summary>
        public bool is_contiguous() => Fact(Native.et_is_contiguous(Handle));

        /// <summary>Sizes of all dimensions.</summary>
        public long[] shape
        {
            get
            {
                var sizes = new long[Dimensions];
                fixed (long* pointer = sizes)
                    Native.et_sizes(Handle, pointer);
                GC.KeepAlive(this);
                return sizes;
            }
        }

        /// <inheritdoc cref="shape"/>
        public long[] size() => shape;

        /// <summary>Size of one dimension; negative numbers count from the last.</summary>
        public long size(int dim)
        {
            long result;
            Changed(Native.et_size(Handle, dim, &result));
            return result;
        }

        /// <summary>Elements from one index to the next, for each dimension.</summary>
        public long[] stride()
        {
            var strides = new long[Dimensions];
            fixed (long* pointer = strides)
                Native.et_strides(Handle, pointer);
            GC.KeepAlive(this);
            return strides;
        }

        /// <summary>Elements from one index of this dimension to the next.</summary>
        public long stride(int dim)
        {
            long[] strides = stride();
            return strides[dim < 0 ? dim + strides.Length : dim];
        }

        /// <summary>Elements of the storage before the first one of this tensor.</summary>
        public long storage_offset() => Fact(Native.et_storage_offset(Handle));

        /// <summary>Element type, place and shape, not the elements.</summary>
        public override string ToString() =>
            IsInvalid ? "[disposed]" : $"[{string.Join("x", shape)}], type = {dtype}, device = {device}";

        private T Fact<T>(T value)
        {
            GC.KeepAlive(this);
            return value;
        }
    }
}
