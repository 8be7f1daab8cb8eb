namespace TorchSharp;

public static partial class torch
{
    // Bits and truth values.
    public unsafe partial class Tensor
    {
        /// <summary>Bits set in both.</summary>
        public Tensor bitwise_and(Tensor other) => Made(Native.et_bitwise_and(Handle, other.Handle), other);

        /// <summary><see cref="bitwise_and(Tensor)"/>, in place.</summary>
        public Tensor bitwise_and_(Tensor other) => Changed(Native.et_bitwise_and_(Handle, other.Handle), other);

        /// <summary>Bits set in either.</summary>
        public Tensor bitwise_or(Tensor other) => Made(Native.et_bitwise_or(Handle, other.Handle), other);

        /// <summary><see cref="bitwise_or(Tensor)"/>, in place.</summary>
        public Tensor bitwise_or_(Tensor other) => Changed(Native.et_bitwise_or_(Handle, other.Handle), other);

        /// <summary>Bits set in one of both.</summary>
        public Tensor bitwise_xor(Tensor other) => Made(Native.et_bitwise_xor(Handle, other.Handle), other);

        /// <summary><see cref="bitwise_xor(Tensor)"/>, in place.</summary>
        public Tensor bitwise_xor_(Tensor other) => Changed(Native.et_bitwise_xor_(Handle, other.Handle), other);

        /// <summary>Bits moved left by other.</summary>
        public Tensor bitwise_left_shift(Tensor other) => Made(Native.et_bitwise_left_shift(Handle, other.Handle), other);

        /// <summary><see cref="bitwise_left_shift(Tensor)"/>, in place.</summary>
        public Tensor bitwise_left_shift_(Tensor other) =>
            Changed(Native.et_bitwise_left_shift_(Handle, other.Handle), other);

        /// <summary>Bits moved right by other.</summary>
        public Tensor bitwise_right_shift(Tensor other) => Made(Native.et_bitwise_right_shift(Handle, other.Handle), other);

        /// <summary><see cref="bitwise_right_shift(Tensor)"/>, in place.</summary>
        public Tensor bitwise_right_shift_(Tensor other) =>
            Changed(Native.et_bitwise_right_shift_(Handle, other.Handle), other);

        /// <summary>True where both are not zero.</summary>
        public Tensor logical_and(Tensor other) => Made(Native.et_logical_and(Handle, other.Handle), other);

        /// <summary><see cref="logical_and(Tensor)"/>, in place.</summary>
        public Tensor logical_and_(Tensor other) => Changed(Native.et_logical_and_(Handle, other.Handle), other);

        /// <summary>True where either is not zero.</summary>
        public Tensor logical_or(Tensor other) => Made(Native.et_logical_or(Handle, other.Handle), other);

        /// <summary><see cref="logical_or(Tensor)"/>, in place.</summary>
        public Tensor logical_or_(Tensor other) => Changed(Native.et_logical_or_(Handle, other.Handle), other);

        /// <summary>True where one of both is not zero.</summary>
        public Tensor logical_xor(Tensor other) => Made(Native.et_logical_xor(Handle, other.Handle), other);

        /// <summary><see cref="logical_xor(Tensor)"/>, in place.</summary>
        public Tensor logical_xor_(Tensor other) => Changed(Native.et_logical_xor_(Handle, other.Handle), other);
    }
}
