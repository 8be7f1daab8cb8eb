using System.Globalization;
using System.Text.Json;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>Parameters of a request: from the body as JSON, or from the query where there is none.</summary>
internal sealed class MlflowRequest(JsonElement body, IQueryCollection query)
{
    private const string TagForm = "Every tag is an object with 'key' and 'value', which are texts.";

    public static async Task<MlflowRequest> ReadAsync(HttpContext http)
    {
        if (http.Request.ContentLength is null or 0 && http.Request.Headers.TransferEncoding.Count == 0)
            return new MlflowRequest(default, http.Request.Query);
        JsonElement body;
        try
        {
            body = await JsonSerializer.DeserializeAsync<JsonElement>(http.Request.Body, cancellationToken: http.RequestAborted).ConfigureAwait(false);
            CheckTexts(body);
        }
        catch (JsonException e)
        {
            throw Malformed($"The body is not JSON: {e.Message}");
        }
        return body.ValueKind == JsonValueKind.Object
            ? new MlflowRequest(body, http.Request.Query)
            : throw MlflowException.Invalid("The body is not a JSON object.");
    }

    /// <summary>A text that must be there.</summary>
    public string Require(string name) =>
        Find(name) is { Length: > 0 } value ? value : throw MlflowException.Invalid($"Missing value for required parameter '{name}'.");

    /// <summary>A text, or null. Numbers are taken as texts, since versions are sent as either.</summary>
    public string? Find(string name)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty(name, out var value))
            return query.TryGetValue(name, out var text) ? text.ToString() : null;
        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Number => value.GetRawText(),
            JsonValueKind.Null => null,
            _ => throw MlflowException.Invalid($"Parameter '{name}' must be a text."),
        };
    }

    /// <summary>A version number.</summary>
    public int Version() =>
        int.TryParse(Require("version"), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            ? version
            : throw MlflowException.Invalid("Parameter 'version' must be an integer.");

    /// <summary>Length of a page.</summary>
    public int Limit(int most)
    {
        if (Find("max_results") is not { } text)
            return Math.Min(100, most);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is > 0 && limit <= most
            ? limit
            : throw MlflowException.Invalid($"Invalid value '{text}' for parameter 'max_results': 1 to {most} are possible.");
    }

    /// <summary><c>tags: [{key, value}]</c>.</summary>
    public IReadOnlyDictionary<string, string> Tags()
    {
        var tags = new Dictionary<string, string>();
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty("tags", out var list) || list.ValueKind == JsonValueKind.Null)
            return tags;
        if (list.ValueKind != JsonValueKind.Array)
            throw MlflowException.Invalid("Parameter 'tags' must be a list.");
        foreach (var tag in list.EnumerateArray())
        {
            if (tag.ValueKind != JsonValueKind.Object || TextOf(tag, "key") is not { Length: > 0 } name)
                throw MlflowException.Invalid(TagForm);
            tags[name] = TextOf(tag, "value") ?? "";
        }
        return tags;
    }

    /// <summary>A run, which MLflow names by 32 hex digits; empty without one.</summary>
    public Guid Run() => Find("run_id") is not { Length: > 0 } text ? Guid.Empty
        : Guid.TryParse(text, out var run) ? run
        : throw MlflowException.Invalid("Parameter 'run_id' must be 32 hex digits.");

    private static string? TextOf(JsonElement tag, string name) =>
        !tag.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw MlflowException.Invalid(TagForm);

    /// <summary>JSON may escape what is not text, half of a surrogate pair: reading it as a string fails wherever that happens.</summary>
    private static void CheckTexts(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in value.EnumerateObject())
                {
                    CheckText(() => property.Name);
                    CheckTexts(property.Value);
                }
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    CheckTexts(item);
                break;
            case JsonValueKind.String:
                CheckText(() => value.GetString()!);
                break;
        }
    }

    private static void CheckText(Func<string> read)
    {
        try
        {
            if (StorableText.FaultOf(read()) is { } fault)
                throw Malformed($"A text of the body holds {fault}.");
        }
        catch (InvalidOperationException e)
        {
            throw Malformed($"A text of the body holds half of a surrogate pair: {e.Message}");
        }
    }

    private static MlflowException Malformed(string message) => new("MALFORMED_REQUEST", StatusCodes.Status400BadRequest, message);
}
