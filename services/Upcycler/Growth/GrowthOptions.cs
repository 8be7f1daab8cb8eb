using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Upcycler.Growth;

/// <summary>The stage's options and, at the same level, those of one method.</summary>
/// <param name="Stage">The stage's.</param>
/// <param name="Read">Reads the method's own into its record.</param>
public sealed record GrowthOptions(UpcycleOptions Stage, Func<Type, object> Read)
{
    /// <summary>From the options as they came.</summary>
    public static GrowthOptions Of(JsonElement options) => new(
        options.Deserialize<UpcycleOptions>(WireJson.Options)!, type => options.Deserialize(type, WireJson.Options)!);

    /// <summary>The method's own options.</summary>
    public T Own<T>() => (T)Read(typeof(T));
}
