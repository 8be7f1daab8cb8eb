namespace TorchSharp;

public static partial class torch
{
    // The elements as numbers and bytes of .NET.
    public unsafe partial class Tensor
    {
        /// <summary>
        /// The memory of the elements: no copy, valid as long as the tensor. Setting copies bytes in; the tensor must be
        /// contiguous, in main memory, and of exactly that many bytes.
        /// </summary>
        public Span<byte> bytes
        {
            get
            {
                long size = NumberOfElements * ElementSize;
                if (size > int.MaxValue)
                    throw new ArgumentException($"a span cannot show {size} bytes; take narrower views of the tensor");
                return new Span<byte>(Data(), (int)size);
            }
            set
            {
                Span<byte> target = bytes;
                if (target.Length != value.Length)
                    throw new ArgumentException($"the tensor has {target.Length} bytes, not {value.Length}");
                value.CopyTo(target);
            }
        }

        /// <summary>The elements as .NET values; the tensor must be in main memory and of that element type.</summary>
        public Utils.TensorAccessor<T> data<T>() where T : unmanaged
        {
            Utils.ElementTypes.Require<T>(dtype);
            return new Utils.TensorAccessor<T>(this);
        }

        /// <summary>The only element of the tensor, which must be of exactly this type.</summary>
        public T item<T>() where T : unmanaged
        {
            if (NumberOfElements != 1)
                throw new ArgumentException($"only a tensor with one element has an item; this one has shape [{string.Join(", ", shape)}]");
            Utils.ElementTypes.Require<T>(dtype);
            if (is_cpu())
                return Fact(*(T*)Native.et_data(Handle));
            using Tensor copy = cpu();
            return copy.item<T>();
        }

        /// <summary>The only element of the tensor.</summary>
        public Scalar ToScalar()
        {
            Number number;
            Changed(Native.et_item(Handle, &number));
            return new Scalar(number);
        }

        /// <summary>Writes the elements, in order, as they are in memory.</summary>
        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            using Tensor? copy = is_contiguous() && is_cpu() ? null : cpu().contiguous();
            Tensor source = copy ?? this;
            byte* data = source.Data();
            long size = NumberOfElements * ElementSize;
            for (long done = 0; done < size; done += bufferSize)
                stream.Write(new ReadOnlySpan<byte>(data + done, (int)Math.Min(bufferSize, size - done)));
            GC.KeepAlive(source);
        }

        /// <summary>Reads what <see cref="WriteBytesToStream"/> wrote for the same shape and element type.</summary>
        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            byte* data = Data();
            long size = NumberOfElements * ElementSize;
            for (long done = 0; done < size; done += bufferSize)
                stream.ReadExactly(new Span<byte>(data + done, (int)Math.Min(bufferSize, size - done)));
            GC.KeepAlive(this);
        }

        // The first byte of contiguous elements in main memory.
        internal byte* Data()
        {
            if (!is_cpu())
                throw new InvalidOperationException($"the elements are on {device}: call cpu() before reading them");
            if (!is_contiguous())
                throw new InvalidOperationException("the elements do not lie one after the other: call contiguous() before reading them");
            return RawData();
        }

        internal byte* RawData()
        {
            void* data = Native.et_data(Handle);
            if (data is null && NumberOfElements > 0)
                throw Native.LastError();
            return (byte*)Fact((IntPtr)data);
        }
    }
}
