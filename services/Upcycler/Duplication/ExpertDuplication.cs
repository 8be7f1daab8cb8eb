using Espalier.Stages.Methods;

namespace Espalier.Upcycler.Duplication;

/// <summary>What the options say about duplication.</summary>
public static class ExpertDuplication
{
    /// <summary>The method: the one named, else <c>copy</c>.</summary>
    public static IExpertDuplication Of(UpcycleOptions options) =>
        MethodCatalog<IExpertDuplication>.Get(options.Duplication?.Method ?? "copy", "duplication.method");
}
