using System.Reflection;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;

namespace Espalier.Registry.Tests.Api.Fuzz;

/// <summary>Where in a request a text goes.</summary>
internal enum Place
{
    Path,
    Query,
    QueryName,
    Body,
    BodyName,
    WholeBody,
    Header,
}

/// <summary>One place of one route that takes a text; the rest of the request is as a client would send it.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Route">Pattern of the route.</param>
/// <param name="Place">Where the text goes.</param>
/// <param name="Name">Name of the parameter, property or header.</param>
/// <param name="Properties">Properties of the body; none for requests without one.</param>
internal sealed record RequestPlan(string Method, string Route, Place Place, string Name, IReadOnlyList<string> Properties)
{
    private static readonly string[] Mlflow =
    [
        "name", "version", "filter", "order_by", "page_token", "max_results", "alias", "key", "value", "source", "run_id", "description", "tags",
    ];

    private static readonly string[] Headers = ["Range", "If-None-Match", "Last-Event-ID", "Content-Type", "Cookie", "Origin", "Authorization"];

    // What a client would send. Deletions name what is not there, so that what the others ask for stays.
    private static readonly Dictionary<string, string> Usual = new()
    {
        ["name"] = "demo", ["version"] = "1", ["alias"] = "champion", ["key"] = "team", ["value"] = "core", ["left"] = "demo@1", ["right"] = "demo@1",
        ["layer"] = "0", ["expert"] = "0", ["path"] = "config.json", ["source"] = "models:/demo/1", ["events"] = "model.registered",
        ["url"] = "https://example.org/hook", ["model"] = "demo", ["rule"] = "loss < 3", ["verdict"] = "approve", ["from"] = "1", ["grace"] = "1h",
    };

    /// <summary>Every place of every route.</summary>
    public static IReadOnlyList<RequestPlan> Of(IEnumerable<EndpointDataSource> sources) =>
        [.. sources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().SelectMany(Of)];

    /// <summary>The request with a text in its place.</summary>
    public HttpRequestMessage Write(string text)
    {
        var query = Place switch
        {
            Place.Query => $"?{Name}={Escape(text)}",
            Place.QueryName => $"?{Escape(text)}=x",
            _ => Method == "GET" ? "?" + string.Join('&', Mlflow.Where(Usual.ContainsKey).Select(n => $"{n}={Usual[n]}")) : "",
        };
        var request = new HttpRequestMessage(new HttpMethod(Method), PathWith(text) + query);
        if (Place == Place.WholeBody)
            request.Content = new StringContent(text.Replace("\0", "", StringComparison.Ordinal), Encoding.UTF8, "application/json");
        else if (Properties.Count > 0)
            request.Content = new StringContent(BodyWith(text), Encoding.UTF8, "application/json");
        if (Place == Place.Header)
            (request.Content as HttpContent)?.Headers.TryAddWithoutValidation(Name, Printable(text));
        if (Place == Place.Header && !Name.StartsWith("Content", StringComparison.Ordinal))
            request.Headers.TryAddWithoutValidation(Name, Printable(text));
        return request;
    }

    private static IEnumerable<RequestPlan> Of(RouteEndpoint endpoint)
    {
        var route = "/" + endpoint.RoutePattern.RawText!.TrimStart('/');
        var isMlflow = route.StartsWith("/api/2.0/mlflow", StringComparison.Ordinal);
        var inPath = endpoint.RoutePattern.Parameters.Select(p => p.Name).ToList();
        var inQuery = isMlflow ? Mlflow : endpoint.Metadata.GetMetadata<MethodInfo>()?.GetParameters()
            .Where(p => (Nullable.GetUnderlyingType(p.ParameterType) ?? p.ParameterType) is { } type && (type == typeof(string) || type == typeof(int)))
            .Select(p => p.Name!).Except(inPath).ToArray() ?? [];
        var inBody = isMlflow ? Mlflow : PropertiesOf(endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType);
        foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET", "POST", "DELETE"])
        {
            var hasBody = method is not ("GET" or "HEAD");
            IReadOnlyList<string> properties = hasBody ? inBody : [];
            foreach (var name in inPath)
                yield return new RequestPlan(method, route, Place.Path, name, properties);
            foreach (var name in inQuery)
                yield return new RequestPlan(method, route, Place.Query, name, properties);
            foreach (var name in properties)
                yield return new RequestPlan(method, route, Place.Body, name, properties);
            foreach (var name in Headers)
                yield return new RequestPlan(method, route, Place.Header, name, properties);
            yield return new RequestPlan(method, route, Place.QueryName, "", properties);
            if (hasBody)
            {
                yield return new RequestPlan(method, route, Place.BodyName, "", properties.Count > 0 ? properties : ["name"]);
                yield return new RequestPlan(method, route, Place.WholeBody, "", properties);
            }
        }
    }

    private static string[] PropertiesOf(Type? body) => body is null || body == typeof(Stream)
        ? []
        : [.. body.GetProperties().Select(p => JsonNamingPolicy.KebabCaseLower.ConvertName(p.Name))];

    private string PathWith(string text)
    {
        var path = new StringBuilder();
        foreach (var segment in Route.Split('/').Skip(1))
        {
            var name = segment.Trim('{', '}', '*').Split(':')[0];
            var isParameter = segment.StartsWith('{');
            path.Append('/').Append(!isParameter ? segment : Place == Place.Path && name == Name ? Escape(text) : UsualOf(name));
        }
        return path.ToString();
    }

    private string BodyWith(string text)
    {
        var properties = Properties.Select(p => $"\"{p}\":{(Place == Place.Body && p == Name ? Json(text) : Json(UsualOf(p)))}").ToList();
        if (Place == Place.Body)
            properties.AddRange(Lists(text));
        if (Place == Place.BodyName)
            properties.Add($"{Json(text)}:1");
        return "{" + string.Join(',', properties) + "}";
    }

    /// <summary>Where a property is a list or an object, the text goes into it: the last property of a name counts.</summary>
    private IEnumerable<string> Lists(string text) => Name switch
    {
        "tags" when Route.Contains("mlflow", StringComparison.Ordinal) => [$"\"tags\":[{{\"key\":{Json(text)},\"value\":{Json(text)}}}]"],
        "tags" => [$"\"tags\":{{{Json(text)}:{Json(text)}}}"],
        "digests" or "events" => [$"\"{Name}\":[{Json(text)}]"],
        "items" => [$"\"items\":[{{\"alias\":\"a\",\"rule\":{Json(text)},\"approvals\":1}}]"],
        "version" or "from" => [$"\"{Name}\":1"],
        _ => [],
    };

    private string UsualOf(string name) =>
        Method == "DELETE" && name is "version" ? "99" : Method == "DELETE" && name is "alias" ? "unused" : Usual.GetValueOrDefault(name, "x");

    // Half of a surrogate pair goes out as the three bytes that it would have if it were a character.
    private static string Escape(string text) => string.Concat(text.EnumerateRunes().Any(r => r == Rune.ReplacementChar)
        ? text.Select(c => char.IsSurrogate(c) ? $"%{0xE0 | c >> 12:X2}%{0x80 | c >> 6 & 0x3F:X2}%{0x80 | c & 0x3F:X2}" : Uri.EscapeDataString(c.ToString()))
        : [Uri.EscapeDataString(text)]);

    private static string Json(string text) =>
        "\"" + string.Concat(text.Select(c => c is < ' ' or '"' or '\\' or > '~' ? $"\\u{(int)c:X4}" : c.ToString())) + "\"";

    private static string Printable(string text) => string.Concat(text.Where(c => c is >= ' ' and <= '~'));
}
