using Espalier.Contracts;

namespace Espalier.Registry.Api;

/// <summary>Names and values in addresses, which reach statements as they are.</summary>
internal static class RequestText
{
    /// <summary>Refuses a query or path with characters that no stored text can have.</summary>
    /// <exception cref="UserInputException">It has such a character.</exception>
    public static void Check(HttpRequest request)
    {
        foreach (var (name, values) in request.Query)
        {
            StorableText.Check(name, "The name of a parameter");
            foreach (var value in values)
                StorableText.Check(value, $"Parameter '{name}'");
        }
        foreach (var (name, value) in request.RouteValues)
            StorableText.Check(value as string, $"'{name}' in the path");
    }
}
