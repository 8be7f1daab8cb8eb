using static TorchSharp.torch;

namespace TorchSharp.Utils;

// Which .NET type holds which element type.
internal static class ElementTypes
{
    private static readonly Dictionary<Type, ScalarType> Types = new()
    {
        [typeof(byte)] = ScalarType.Byte,
        [typeof(sbyte)] = ScalarType.Int8,
        [typeof(short)] = ScalarType.Int16,
        [typeof(int)] = ScalarType.Int32,
        [typeof(long)] = ScalarType.Int64,
        [typeof(Half)] = ScalarType.Float16,
        [typeof(float)] = ScalarType.Float32,
        [typeof(double)] = ScalarType.Float64,
        [typeof(bool)] = ScalarType.Bool,
        [typeof(BFloat16)] = ScalarType.BFloat16,
    };

    public static ScalarType Of(Type type) =>
        Types.TryGetValue(type, out ScalarType result)
            ? result
            : throw new NotImplementedException($"no element type holds values of type {type}");

    public static void Require<T>(ScalarType actual) where T : unmanaged
    {
        ScalarType wanted = Of<T>();
        if (wanted != actual)
            throw new ArgumentException($"the elements are of type {actual}, not {wanted} ({typeof(T).Name}); convert the tensor first");
    }

    public static ScalarType Of<T>() where T : unmanaged => typeof(T) == typeof(float) ? ScalarType.Float32 : Of(typeof(T));
}
