using System.Collections;
using System.Globalization;
using System.Net.Http.Json;
using Espalier.Contracts;

namespace Espalier.Cli.Client;

/// <summary>Sends requests to an API, and turns its refusals into errors with its own reason.</summary>
internal interface IApiTransport
{
    /// <summary>Sends a request and reads the answer.</summary>
    /// <exception cref="UserInputException">The server refuses it.</exception>
    /// <exception cref="PlatformUnreachableException">The server does not answer.</exception>
    Task<T> SendAsync<T>(ApiRequest request, CancellationToken cancellationToken);

    /// <summary>Sends a request that has no answer but its success.</summary>
    Task SendAsync(ApiRequest request, CancellationToken cancellationToken);
}

/// <summary>A request, put together part by part: everything is escaped, and what is null is left out.</summary>
/// <param name="method">Its method.</param>
/// <param name="template">Its path, with <c>{name}</c> where a part goes.</param>
internal sealed class ApiRequest(HttpMethod method, string template)
{
    private readonly List<string> _query = [];
    private string _path = template;
    private object? _body;

    /// <summary>Fills in a part of the path.</summary>
    public ApiRequest Path(string name, object value)
    {
        _path = _path.Replace($"{{{name}}}", Uri.EscapeDataString(TextOf(value)), StringComparison.Ordinal);
        return this;
    }

    /// <summary>Adds a parameter, once for every item of a list.</summary>
    public ApiRequest Query(string name, object? value)
    {
        foreach (var item in value is IEnumerable list and not string ? list.Cast<object?>() : [value])
        {
            if (item is not null)
                _query.Add($"{Uri.EscapeDataString(name)}={Uri.EscapeDataString(TextOf(item))}");
        }
        return this;
    }

    /// <summary>Sets the body: text as it is, anything else as JSON.</summary>
    public ApiRequest Body(object? body)
    {
        _body = body;
        return this;
    }

    /// <summary>The path with its parameters.</summary>
    public override string ToString() => _query.Count == 0 ? _path : $"{_path}?{string.Join('&', _query)}";

    /// <summary>The message to send.</summary>
    public HttpRequestMessage ToMessage() => new(method, ToString())
    {
        Content = _body switch
        {
            null => null,
            HttpContent content => content,
            string text => new StringContent(text),
            _ => JsonContent.Create(_body, _body.GetType(), options: WireJson.Options),
        },
    };

    private static string TextOf(object value) => value switch
    {
        bool isTrue => isTrue ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
