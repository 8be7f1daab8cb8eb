using Espalier.Stages.Methods;

namespace Espalier.Upcycler.Routers;

/// <summary>What the options say about the router.</summary>
public static class RouterExtension
{
    /// <summary>The method: the one named, else <c>copy</c> for an exact start and <c>copy-noise</c> otherwise.</summary>
    public static IRouterExtension Of(UpcycleOptions options) =>
        MethodCatalog<IRouterExtension>.Get(
            options.Router?.Method ?? (options.Preserve == Preservation.None ? "copy-noise" : "copy"), "router.method");

    /// <summary>Size of the noise.</summary>
    public static double Noise(UpcycleOptions options) => options.Router?.Noise ?? Of(options).DefaultNoise;
}
