namespace TorchSharp;

public static partial class torch
{
    // New tensors with the shape or type of this one.
    public unsafe partial class Tensor
    {
        /// <summary>A tensor of the same shape with whatever was in memory.</summary>
        public Tensor empty_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_empty_like(Handle, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of the same shape with zeros.</summary>
        public Tensor zeros_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_zeros_like(Handle, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of the same shape with ones.</summary>
        public Tensor ones_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_ones_like(Handle, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of the same shape, every element this number.</summary>
        public Tensor full_like(Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false)
        {
            (int type, int index) = Native.Place(device);
            return Made(Native.et_full_like(Handle, value.Number, TypeOrNone(dtype), type, index, requires_grad));
        }

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_zeros(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.zeros(size, dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_zeros(long size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.zeros([size], dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_zeros(long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.zeros([rows, columns], dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_empty(long[] size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.empty(size, dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_empty(long size, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.empty([size], dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_empty(long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.empty([rows, columns], dtype ?? this.dtype, device ?? this.device, requires_grad);

        /// <summary>A tensor of this shape; element type and place of this one unless given.</summary>
        public Tensor new_full(long[] size, Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.full(size, value, dtype ?? this.dtype, device ?? this.device, requires_grad);
    }
}
