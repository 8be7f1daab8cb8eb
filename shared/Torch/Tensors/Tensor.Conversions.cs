namespace TorchSharp;

public static partial class torch
{
    // The same elements as another type, in another place, or in memory of their own.
    public unsafe partial class Tensor
    {
        /// <summary>The elements converted; the tensor itself when it has that type already, unless a copy is asked for.</summary>
        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Replaced(Native.et_to_type(Handle, (int)type, copy, non_blocking), disposeAfter);

        /// <inheritdoc cref="to_type"/>
        public Tensor to(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to_type(type, copy, disposeAfter, non_blocking);

        /// <summary>The elements on another device.</summary>
        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
        {
            InitializeDeviceType(deviceType);
            return Replaced(Native.et_to_device(Handle, (int)deviceType, deviceIndex, copy, non_blocking), disposeAfter);
        }

        /// <summary>The elements on another device.</summary>
        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(device.type, device.index, copy, disposeAfter, non_blocking);

        /// <summary>The elements on another device.</summary>
        public Tensor to(string device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(new Device(device), copy, disposeAfter, non_blocking);

        /// <summary>The elements converted, on another device.</summary>
        public Tensor to(ScalarType type, Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false)
        {
            device = InitializeDevice(device);
            return Replaced(Native.et_to_type_and_device(Handle, (int)type, (int)device.type, device.index, copy, non_blocking), disposeAfter);
        }

        /// <summary>The elements with the type of another tensor, where that one is.</summary>
        public Tensor to(Tensor other, bool non_blocking = false) => to(other.dtype, other.device, non_blocking: non_blocking);

        /// <summary>The elements with the type of another tensor.</summary>
        public Tensor type_as(Tensor tensor) => to_type(tensor.dtype);

        /// <summary>The elements converted by a function such as <c>x => x.half()</c>.</summary>
        public Tensor type(Func<Tensor, Tensor> typeFunc) => typeFunc(this);

        /// <summary>The elements converted.</summary>
        public Tensor type(ScalarType dtype) => to_type(dtype);

        /// <summary>The elements in main memory.</summary>
        public Tensor cpu() => to(DeviceType.CPU);

        /// <summary>The elements on a CUDA device.</summary>
        public Tensor cuda(Device? device = null, bool non_blocking = false) =>
            to(DeviceType.CUDA, device?.index ?? -1, non_blocking: non_blocking);

        public Tensor @bool() => to_type(ScalarType.Bool);
        public Tensor @byte() => to_type(ScalarType.Byte);
        public Tensor @char() => to_type(ScalarType.Int8);
        public Tensor @short() => to_type(ScalarType.Int16);
        public Tensor @int() => to_type(ScalarType.Int32);
        public Tensor @long() => to_type(ScalarType.Int64);
        public Tensor half() => to_type(ScalarType.Float16);
        public Tensor bfloat16() => to_type(ScalarType.BFloat16);
        public Tensor @float() => to_type(ScalarType.Float32);
        public Tensor @double() => to_type(ScalarType.Float64);

        /// <summary>A copy with memory of its own; gradients flow through.</summary>
        public Tensor clone() => Made(Native.et_clone(Handle));

        /// <summary>The tensor itself when it is contiguous, else a copy that is.</summary>
        public Tensor contiguous() => Made(Native.et_contiguous(Handle));

        /// <summary>Another handle of the same elements; gradients flow through.</summary>
        public Tensor alias() => Made(Native.et_alias(Handle));

        /// <summary>A copy in memory that is locked for fast copies to a device.</summary>
        public Tensor pin_memory() => Made(Native.et_pin_memory(Handle));

        /// <summary>Overwrites the elements with those of another tensor, converted and broadcast.</summary>
        public Tensor copy_(Tensor source, bool nonBlocking = false) => Changed(Native.et_copy_(Handle, source.Handle, nonBlocking), source);

        /// <summary>Makes this tensor use the elements of another one.</summary>
        public Tensor set_(Tensor source) => Changed(Native.et_set_(Handle, source.Handle), source);

        /// <summary>Sets every element to this number.</summary>
        public Tensor fill_(Scalar value) => Changed(Native.et_fill_(Handle, value.Number));

        /// <summary>Sets every element to zero.</summary>
        public Tensor zero_() => Changed(Native.et_zero_(Handle));

        private Tensor Replaced(IntPtr result, bool disposeAfter)
        {
            Tensor replacement = Made(result);
            if (disposeAfter)
                Dispose();
            return replacement;
        }
    }
}
