namespace TorchSharp;

/// <summary>Kinds of hardware that hold tensors; the numbers are LibTorch's.</summary>
public enum DeviceType
{
    CPU = 0,
    CUDA = 1,
    MKLDNN = 2,
    OPENGL = 3,
    OPENCL = 4,
    IDEEP = 5,
    HIP = 6,
    FPGA = 7,
    MSNPU = 8,
    XLA = 9,
    MPS = 13,
    META = 14,
}

public static partial class torch
{
    /// <summary>A place for tensors: a kind of hardware and which one of it.</summary>
    public class Device
    {
        /// <summary>The kind of hardware.</summary>
        public DeviceType type { get; private set; } = DeviceType.CPU;

        /// <summary>Which one; -1 is the current one.</summary>
        public int index { get; private set; } = -1;

        /// <summary>Reads <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</summary>
        public Device(string description)
        {
            string[] parts = description.Split(':');
            if (parts.Length > 2)
                throw new ArgumentException($"'{description}' is not a device: expected a form such as cpu, cuda or cuda:1", nameof(description));
            type = Parse(parts[0]);
            if (parts.Length == 2)
                index = int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture);
        }

        /// <summary>The device of this kind and number.</summary>
        public Device(string deviceType, int index = -1)
        {
            type = Parse(deviceType);
            this.index = index;
        }

        /// <summary>The device of this kind and number.</summary>
        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        /// <summary>The CUDA device of this number.</summary>
        public Device(int index) : this(DeviceType.CUDA, index)
        {
        }

        /// <summary>The form that the constructor reads.</summary>
        public override string ToString()
        {
            string name = type.ToString().ToLowerInvariant();
            return type == DeviceType.CPU || index == -1 ? name : $"{name}:{index}";
        }

        /// <summary>Lets a description stand for a device.</summary>
        public static implicit operator Device(string description) => new(description);

        private static DeviceType Parse(string name) => Enum.Parse<DeviceType>(name.ToUpperInvariant());
    }

    /// <summary>Main memory.</summary>
    public static readonly Device CPU = new(DeviceType.CPU);

    /// <summary>Tensors with a shape and no data.</summary>
    public static readonly Device META = new(DeviceType.META);

    /// <summary>The current CUDA device; throws where there is none.</summary>
    public static Device CUDA => InitializeDevice(new Device(DeviceType.CUDA));

    /// <summary>The device that the description names.</summary>
    public static Device device(string description) => InitializeDevice(new Device(description));

    /// <summary>The device of this kind and number.</summary>
    public static Device device(string deviceType, int index = -1) => InitializeDevice(new Device(deviceType, index));

    /// <summary>The device of this kind and number.</summary>
    public static Device device(DeviceType deviceType, int index = -1) => InitializeDevice(new Device(deviceType, index));

    /// <summary>The CUDA device of this number.</summary>
    public static Device device(int index) => new(DeviceType.CUDA, index);

    /// <summary>Checks that a device can be used; no device means main memory.</summary>
    public static Device InitializeDevice(Device? device)
    {
        device ??= get_default_device();
        InitializeDeviceType(device.type);
        return device;
    }

    /// <summary>Loads LibTorch and checks that it supports this kind of hardware here.</summary>
    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (!TryInitializeDeviceType(deviceType))
            throw new InvalidOperationException($"Torch device type {deviceType} did not initialise on the current machine.");
    }

    /// <summary>Loads LibTorch and tells whether it supports this kind of hardware here.</summary>
    public static bool TryInitializeDeviceType(DeviceType deviceType) => deviceType switch
    {
        DeviceType.CPU => Native.et_get_num_threads() > 0,
        DeviceType.META => true,
        DeviceType.CUDA => Native.et_cuda_is_available(),
        _ => false,
    };

    private static Device _defaultDevice = CPU;

    /// <summary>The device of new tensors for which none is given.</summary>
    public static Device get_default_device() => _defaultDevice;

    /// <summary>Sets the device of new tensors for which none is given.</summary>
    public static void set_default_device(Device device) => _defaultDevice = InitializeDevice(device);

    /// <summary>Sets the device of new tensors for which none is given.</summary>
    public static void set_default_device(string device) => set_default_device(new Device(device));

    /// <summary>NVIDIA devices.</summary>
    public static partial class cuda
    {
        /// <summary>Whether LibTorch was built for CUDA and there is a device.</summary>
        public static bool is_available() => Native.et_cuda_is_available();

        /// <summary>Whether cuDNN can be used.</summary>
        public static bool is_cudnn_available() => Native.et_cudnn_is_available();

        /// <summary>Number of devices.</summary>
        public static int device_count() => Native.et_cuda_device_count();

        /// <summary>Seeds the generators of all devices, as <see cref="torch.manual_seed"/> does.</summary>
        public static void manual_seed(long seed) => Native.Check(Native.et_manual_seed((ulong)seed));

        /// <summary>Seeds the generators of all devices.</summary>
        public static void manual_seed_all(long seed) => manual_seed(seed);

        /// <summary>Waits until the device has done what this thread asked of it.</summary>
        public static void synchronize(Device? device = null) => Native.Check(Native.et_cuda_synchronize(device?.index ?? -1));
    }

    /// <summary>Whether CUDA can be used.</summary>
    public static bool cuda_is_available() => cuda.is_available();
}
