using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;

namespace Espalier.TestKit.Services.Http;

/// <summary>Calls every route of a service with text of every kind, and expects an answer that is not a fault of the program.</summary>
public static class RouteFuzz
{
    private static readonly string[] Queries = ["limit", "after", "step", "file", "id", "name", "role", "param.text", "param.", "param.x\0"];

    /// <summary>What has broken programs before: NUL, halves of characters, control characters, long texts, numbers out of range, paths, SQL, YAML.</summary>
    private static readonly string[] Hostile =
    [
        "", " ", "\0", "a\0b", "\ud800", "x\udfff", "\u0001", "\r\nX: y", "\ufeff", "\u202e", "💥", "%00", "%", "../../etc/passwd", "'; drop table run; --",
        "-1", "9223372036854775808", "1e999", "NaN", "null", "true", "${x}", "file:/dev/zero", "dir:/", new string('a', 3000), new string('é', 300),
        "viewer", "first", "orchestrator_error", "dead-letters", "x_skipped",
    ];

    private static readonly string[] Files =
    [
        "name: a\nstages: { a: { uses: noop, with: { text: \"\\0\" } } }", "name: a\nstages: { a: { uses: noop, with: { text: \"\\ud800\" } } }",
        "name: \"\\UFFFFFFFF\"", "name: a\nstages: { a: { uses: noop, with: { text: 'a\0b' } } }", "{}", "[", "- a", "\0", "\ud800",
        "name: a\nparams: { x: \"${y}\" }",
        "name: a\nstages: { a: { uses: noop, when: \"a.loss < ${x}\" } }", "name: a\nstages: { a: { uses: noop, retry: \"${x}\" } }",
        "name: a\nstages: { a: { uses: noop, timeout: 1e999s } }", "name: a\nstages: { a: { uses: noop, with: { from: \"model:\\0\" } } }",
        new string('[', 5000), "a: &x [*x, *x]", "!!python/object {}",
    ];

    private static readonly Gen<string> Text =
        Gen.Frequency((3, Any(Hostile)), (2, Gen.String[Gen.Char, 0, 30]), (1, Gen.String[Gen.Char['\0', '~'], 0, 30]));

    private static readonly Gen<string> Body = Gen.Frequency((3, Any(Files)), (1, Text));

    private static Gen<T> Any<T>(IReadOnlyList<T> values) => Gen.Int[0, values.Count - 1].Select(i => values[i]);

    /// <summary>Sends requests to random routes; one run of the file exists, so that routes below a run are reached.</summary>
    public static async Task RunAsync(WebApplication app, HttpClient client, string yaml, int iterations)
    {
        using var accepted = await client.PostAsync("/api/v1/runs", new StringContent(yaml));
        accepted.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        var run = (await accepted.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("run-id").GetString()!;
        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(r => r.RoutePattern.RawText!.StartsWith("/api", StringComparison.Ordinal))
            .SelectMany(r => r.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m => (Method: m, r.RoutePattern)))
            .ToArray();
        routes.Length.ShouldBeGreaterThan(15);

        await Gen.Select(Any(routes), Text.Array[6], Gen.Int[0, 4], Body).SampleAsync(
            async (route, texts, queries, body) => await SendAsync(client, route.Method, AddressOf(route.RoutePattern, run, texts, queries), body),
            iter: iterations, threads: 1);
    }

    private static async Task SendAsync(HttpClient client, string method, string address, string body)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(method), new Uri(client.BaseAddress + address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (method == "POST")
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        ((int)answer.StatusCode).ShouldNotBe(500, $"{method} {address}\n{body}");
    }

    /// <summary>The route's path with its parameters filled in, and some queries; relative, without a slash at the start.</summary>
    private static string AddressOf(RoutePattern pattern, string run, string[] texts, int queries)
    {
        var next = 0;
        var segments = pattern.PathSegments.Select(segment => string.Concat(segment.Parts.Select(part => part switch
        {
            RoutePatternLiteralPart literal => literal.Content,
            RoutePatternParameterPart { Name: "id" } => run,
            RoutePatternParameterPart { Name: "step" } when next % 2 == 0 => "a",
            _ => Escape(texts[next++ % texts.Length]) is { Length: > 0 } text ? text : "x",
        })));
        var query = Enumerable.Range(0, queries).Select(i => $"{Escape(Queries[(i + texts[i].Length) % Queries.Length])}={Escape(texts[i])}");
        return $"{string.Join('/', segments)}?{string.Join('&', query)}";
    }

    /// <summary>Every byte escaped; half of a character as the three bytes that it would have, which no decoder accepts.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            var isPair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            byte[] bytes = isPair ? Encoding.UTF8.GetBytes([c, text[++i]])
                : char.IsSurrogate(c) ? [(byte)(0xE0 | (c >> 12)), (byte)(0x80 | ((c >> 6) & 0x3F)), (byte)(0x80 | (c & 0x3F))]
                : Encoding.UTF8.GetBytes([c]);
            foreach (var b in bytes)
                escaped.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return escaped.ToString();
    }
}
