using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Espalier.Cli.Contexts;
using Espalier.Contracts;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Client;

/// <summary>The orchestrator's HTTP API.</summary>
internal sealed class PlatformClient : IDisposable
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(8);
    private readonly HttpClient _http;

    /// <exception cref="UserInputException">The context has no orchestrator, or its key is not one.</exception>
    public PlatformClient(CommandContext context)
    {
        Context = context;
        var server = context.Orchestrator
            ?? throw new UserInputException($"{context.Name} names a registry only, and this needs an orchestrator; espalier context add keeps both.");
        _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = ConnectLimit }) { BaseAddress = server };
        _http.DefaultRequestHeaders.Authorization = ApiKeyHeader.Of(context.Key ?? "");
    }

    /// <summary>Where it is.</summary>
    public CommandContext Context { get; }

    /// <summary>Starts a run.</summary>
    public Task<RunAccepted> SubmitAsync(
        string pipeline, string file, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellationToken) =>
        // The id is chosen here, so that a retry after a lost answer does not start a second run.
        SendAsync<RunAccepted>(
            HttpMethod.Post, $"/api/v1/runs?id={Guid.CreateVersion7()}&file={Uri.EscapeDataString(file)}{QueryOf(parameters)}", cancellationToken, pipeline);

    /// <summary>Starts a run of a registered pipeline.</summary>
    public Task<RunAccepted> SubmitAsync(string name, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellationToken) =>
        SendAsync<RunAccepted>(
            HttpMethod.Post, $"/api/v1/pipelines/{Uri.EscapeDataString(name)}/runs?id={Guid.CreateVersion7()}{QueryOf(parameters)}", cancellationToken);

    /// <summary>What a pipeline file would do, or what is wrong with it; nothing is started.</summary>
    public Task<PipelineCheck> CheckAsync(string pipeline, string file, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellationToken)
    {
        var path = $"/api/v1/pipelines/check?file={Uri.EscapeDataString(file)}{QueryOf(parameters)}";
        return SendAsync<PipelineCheck>(HttpMethod.Post, path, cancellationToken, pipeline);
    }

    /// <summary>A run with its steps.</summary>
    public Task<RunView> FindAsync(Guid run, CancellationToken cancellationToken) => GetAsync<RunView>($"/api/v1/runs/{run}", cancellationToken);

    /// <summary>The run of this name, with this id, or with an id that begins so.</summary>
    /// <exception cref="UserInputException">There is none, or there are several.</exception>
    public async Task<Guid> FindIdAsync(string text, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        return await RunIds.ChooseAsync(text, query => ListAsync(query, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Runs, newest first.</summary>
    public Task<IReadOnlyList<RunView>> ListAsync(RunQuery query, CancellationToken cancellationToken)
    {
        var path = new StringBuilder($"/api/v1/runs?limit={query.Limit}");
        if (query.Before is { } before)
            path.Append(CultureInfo.InvariantCulture, $"&before={before}");
        if (query.State is { } state)
            path.Append(CultureInfo.InvariantCulture, $"&state={state.ToString().ToLowerInvariant()}");
        if (query.Name is { } name)
            path.Append(CultureInfo.InvariantCulture, $"&name={Uri.EscapeDataString(name)}");
        if (query.Ordinal is { } ordinal)
            path.Append(CultureInfo.InvariantCulture, $"&ordinal={ordinal}");
        if (query.IdPrefix is { } prefix)
            path.Append(CultureInfo.InvariantCulture, $"&id={Uri.EscapeDataString(prefix)}");
        if (query.IsArchived)
            path.Append("&archived=true");
        return GetAsync<IReadOnlyList<RunView>>(path.ToString(), cancellationToken);
    }

    /// <summary>Asks a run to stop.</summary>
    public Task<RunStateChanged> CancelAsync(Guid run, CancellationToken cancellationToken) =>
        SendAsync<RunStateChanged>(HttpMethod.Post, $"/api/v1/runs/{run}/cancel", cancellationToken);

    /// <summary>Goes on with a failed or cancelled run.</summary>
    public Task<RunStateChanged> ResumeAsync(Guid run, CancellationToken cancellationToken) =>
        SendAsync<RunStateChanged>(HttpMethod.Post, $"/api/v1/runs/{run}/resume", cancellationToken);

    /// <summary>Lines of a run's log.</summary>
    public Task<IReadOnlyList<RunLogLine>> LogAsync(Guid run, RunLogQuery query, CancellationToken cancellationToken)
    {
        var path = new StringBuilder().Append(
            CultureInfo.InvariantCulture, $"/api/v1/runs/{run}/log?after={query.After}&level={query.Level.ToString().ToLowerInvariant()}");
        if (query.Step is { } step)
            path.Append(CultureInfo.InvariantCulture, $"&step={Uri.EscapeDataString(step)}");
        if (query.Search is { } search)
            path.Append(CultureInfo.InvariantCulture, $"&search={Uri.EscapeDataString(search)}");
        return GetAsync<IReadOnlyList<RunLogLine>>(path.ToString(), cancellationToken);
    }

    /// <summary>Reads a resource.</summary>
    public Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => SendAsync<T>(HttpMethod.Get, path, cancellationToken);

    /// <summary>A run's events after a position, until the run or the connection ends.</summary>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(Guid run, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
            await RefuseAsync(answer, cancellationToken).ConfigureAwait(false);
        var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken).ConfigureAwait(false))
                yield return item;
        }
    }

    /// <summary>Sends a request and reads the answer.</summary>
    /// <exception cref="UserInputException">The server refuses it; the message is its reason.</exception>
    public async Task<T> SendAsync<T>(HttpMethod method, string path, CancellationToken cancellationToken, string? body = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body) };
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException || e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new PlatformUnreachableException($"{_http.BaseAddress} does not answer: {e.Message.TrimEnd('.')}. Is it up? espalier status", e);
        }
        using (answer)
        {
            if (!answer.IsSuccessStatusCode)
                await RefuseAsync(answer, cancellationToken).ConfigureAwait(false);
            return (await answer.Content.ReadFromJsonAsync<T>(WireJson.Options, cancellationToken).ConfigureAwait(false))!;
        }
    }

    public void Dispose() => _http.Dispose();

    private static string QueryOf(IReadOnlyDictionary<string, string> parameters) =>
        string.Concat(parameters.Select(p => $"&param.{Uri.EscapeDataString(p.Key)}={Uri.EscapeDataString(p.Value)}"));

    private static async Task RefuseAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var text = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        var body = text.StartsWith('{') ? JsonSerializer.Deserialize<JsonElement>(text) : default;
        if (answer.StatusCode == HttpStatusCode.UnprocessableEntity && body.ValueKind == JsonValueKind.Object && body.TryGetProperty("problems", out _))
            throw new UserInputException(body.Deserialize<RunRejected>(WireJson.Options)!.Problems);
        var reason = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("detail", out var detail) ? detail.GetString() : null;
        if (answer.StatusCode >= HttpStatusCode.InternalServerError)
            throw new PlatformUnreachableException(reason ?? $"The server answers {(int)answer.StatusCode}; see espalier logs orchestrator.");
        throw new UserInputException(reason ?? $"The server answers {(int)answer.StatusCode} {answer.ReasonPhrase}.");
    }
}

/// <summary>The platform does not answer.</summary>
internal sealed class PlatformUnreachableException(string message, Exception? innerException = null) : Exception(message, innerException);
