namespace TorchSharp;

public static partial class torch
{
    /// <summary>One index of an indexing expression: a number, a range, a tensor, or one of the special indices.</summary>
    public struct TensorIndex
    {
        private const long LeftOut = long.MinValue;

        private NativeIndex _native;
        private Tensor? _tensor;

        private enum Kind : long
        {
            Single = 0,
            Slice = 1,
            Tensor = 2,
            Ellipsis = 3,
            NewAxis = 4,
            Bool = 5,
        }

        private static TensorIndex Of(Kind kind, long start = 0) => new() { _native = new NativeIndex { Kind = (long)kind, Start = start } };

        /// <summary>As many full ranges as there are dimensions left.</summary>
        public static TensorIndex Ellipsis = Of(Kind.Ellipsis);

        /// <summary>A new dimension of size 1.</summary>
        public static TensorIndex None = Of(Kind.NewAxis);

        /// <summary>A new dimension of size 1.</summary>
        public static TensorIndex Null = Of(Kind.NewAxis);

        /// <summary>The full range.</summary>
        public static TensorIndex Colon = Slice();

        /// <summary>From start, before stop, every step-th; what is left out is the end of the dimension.</summary>
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new() { _native = new NativeIndex { Kind = (long)Kind.Slice, Start = start ?? LeftOut, Stop = stop ?? LeftOut, Step = step ?? LeftOut } };

        /// <summary>From start, before end; null is the end of the dimension.</summary>
        public static TensorIndex Slice((int? start, int? end) range) => Slice((long?)range.start, (long?)range.end);

        /// <summary>A C# range such as <c>1..^2</c>.</summary>
        public static TensorIndex Slice(Range range)
        {
            long start = range.Start.IsFromEnd ? -range.Start.Value : range.Start.Value;
            long? stop = range.End.IsFromEnd ? (range.End.Value == 0 ? null : -range.End.Value) : range.End.Value;
            return Slice(start, stop);
        }

        /// <summary>A new dimension of size 1 (true) or 0 (false).</summary>
        public static TensorIndex Bool(bool value) => Of(Kind.Bool, value ? 1 : 0);

        /// <summary>One position; the dimension goes.</summary>
        public static TensorIndex Single(long? index) => index is { } position ? Of(Kind.Single, position) : None;

        /// <summary>Positions (int64) or a mask (bool).</summary>
        public static TensorIndex Tensor(Tensor tensor) => new() { _native = new NativeIndex { Kind = (long)Kind.Tensor }, _tensor = tensor };

        public static implicit operator TensorIndex(long value) => Single(value);
        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);
        public static implicit operator TensorIndex(Range range) => Slice(range);
        public static implicit operator TensorIndex(Index index) => Single(index.IsFromEnd ? -index.Value : index.Value);

        // The form for native code; the caller keeps the index, and so its tensor, alive.
        internal readonly NativeIndex ToNative()
        {
            NativeIndex result = _native;
            if (_tensor is not null)
                result.Tensor = _tensor.Handle;
            return result;
        }
    }
}
