using Espalier.Hosting;

namespace Espalier.Orchestrator.Api;

/// <summary>A pipeline file as the body of a request.</summary>
internal static class PipelineBody
{
    private const int Longest = 1 << 20, LongestReason = 1000;
    private const string Prefix = "param.";

    /// <summary>The text, or null when it is too long.</summary>
    public static async Task<string?> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength > Longest)
            return null;
        using var reader = new StreamReader(request.Body);
        var text = new char[Longest + 1];
        var length = await reader.ReadBlockAsync(text, cancellationToken).ConfigureAwait(false);
        return length > Longest ? null : new string(text, 0, length);
    }

    /// <summary>The refusal of a file that is too long.</summary>
    public static IResult TooLong() =>
        TypedResults.Problem($"A pipeline file may have at most {Longest} bytes.", statusCode: StatusCodes.Status413PayloadTooLarge);

    /// <summary>Describes the body of a route that reads one, and its parameters.</summary>
    public static RouteHandlerBuilder WithPipelineBody(this RouteHandlerBuilder route) =>
        route.WithTextBody("application/yaml", "The pipeline file.").WithParameters();

    /// <summary>Describes the parameters of a route that takes them.</summary>
    public static RouteHandlerBuilder WithParameters(this RouteHandlerBuilder route) => route.WithDescription("Parameters come as ?param.NAME=VALUE.");

    /// <summary>The refusal of what a run is for in too many words; null when it is short enough.</summary>
    public static IResult? RefuseReason(string reason) => reason.Length <= LongestReason
        ? null
        : TypedResults.Problem($"The reason has {reason.Length} characters; at most {LongestReason} are taken.", statusCode: StatusCodes.Status400BadRequest);

    /// <summary>Values of <c>?param.NAME=VALUE</c>.</summary>
    public static Dictionary<string, string> Parameters(HttpRequest request) =>
        request.Query.Where(q => q.Key.StartsWith(Prefix, StringComparison.Ordinal)).ToDictionary(q => q.Key[Prefix.Length..], q => q.Value.ToString());
}
