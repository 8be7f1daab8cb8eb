using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Espalier.Cli.Client.Generated;
using Espalier.Cli.Contexts;
using Espalier.Contracts;

namespace Espalier.Cli.Client;

/// <summary>Requests to a registry, whose refusals become errors with its own reason.</summary>
internal sealed class RegistryConnection : IApiTransport, IDisposable
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(8);
    private readonly HttpClient _http;

    /// <exception cref="UserInputException">The context has no registry, or its key is not one.</exception>
    public RegistryConnection(CommandContext context)
    {
        var address = context.Registry ?? throw new UserInputException(
            $"{context.Name} names an orchestrator only, and this needs a registry: set ESPALIER_REGISTRY, or use a context, which has both "
                + "(espalier context add).");
        // Models are large, so only the connection has a limit, not the answer.
        _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = ConnectLimit }) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = ApiKeyHeader.Of(context.Key ?? "");
        Api = new RegistryApi(this);
    }

    /// <summary>Its operations.</summary>
    public RegistryApi Api { get; }

    /// <summary>Makes sure that the registry answers and takes the key.</summary>
    public Task CheckAsync(CancellationToken cancellationToken) => Api.ListModelsAsync(limit: 1, cancellationToken: cancellationToken);

    public async Task<T> SendAsync<T>(ApiRequest request, CancellationToken cancellationToken)
    {
        using var message = request.ToMessage();
        using var answer = await SendAsync(message, HttpCompletionOption.ResponseContentRead, cancellationToken).ConfigureAwait(false);
        return (await answer.Content.ReadFromJsonAsync<T>(WireJson.Options, cancellationToken).ConfigureAwait(false))!;
    }

    public async Task SendAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        using var message = request.ToMessage();
        using var answer = await SendAsync(message, HttpCompletionOption.ResponseContentRead, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads a resource's bytes.</summary>
    public async Task<byte[]> GetBytesAsync(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        using var answer = await SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken).ConfigureAwait(false);
        return await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a request; the answer is a success.</summary>
    /// <exception cref="UserInputException">The server cannot be reached, or refuses; the message is its reason.</exception>
    /// <exception cref="IOException">The server failed.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption completion, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, completion, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw Unreachable(e.Message, e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested) // of the connection's own limit
        {
            throw Unreachable($"no connection within {ConnectLimit.TotalSeconds:0} s", e);
        }
        if (answer.IsSuccessStatusCode)
            return answer;
        using (answer)
            throw await RefusalAsync(answer, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _http.Dispose();

    private PlatformUnreachableException Unreachable(string reason, Exception cause) =>
        new($"The registry at {_http.BaseAddress} does not answer: {reason}. Is it up, and is the address right?", cause);

    private static async Task<Exception> RefusalAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var detail = DetailOf(await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
        return answer.StatusCode < HttpStatusCode.InternalServerError
            ? new UserInputException(detail ?? $"The registry answers {(int)answer.StatusCode} {answer.ReasonPhrase}.")
            : new IOException(detail ?? $"The registry answers {(int)answer.StatusCode}.");
    }

    private static string? DetailOf(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(text) is { ValueKind: JsonValueKind.Object } problem
                && problem.TryGetProperty("detail", out var reason)
                ? reason.ToString()
                : null;
        }
        catch (JsonException)
        {
            return null; // a proxy's page
        }
    }
}
