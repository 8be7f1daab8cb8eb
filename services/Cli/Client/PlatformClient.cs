using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Espalier.Cli.Client.Generated;
using Espalier.Cli.Contexts;
using Espalier.Cli.Terminals;
using Espalier.Contracts;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Client;

/// <summary>The orchestrator's HTTP API.</summary>
internal sealed class PlatformClient : IApiTransport, IDisposable
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
        Api = new OrchestratorApi(this);
    }

    /// <summary>Where it is.</summary>
    public CommandContext Context { get; }

    /// <summary>Its operations.</summary>
    public OrchestratorApi Api { get; }

    /// <summary>Starts a run.</summary>
    public Task<RunAccepted> SubmitAsync(
        string pipeline, string file, IReadOnlyDictionary<string, string> parameters, string? reason, CancellationToken cancellationToken) =>
        SubmitAsync(new ApiRequest(HttpMethod.Post, "/api/v1/runs").Query("file", file).Body(pipeline), parameters, reason, cancellationToken);

    /// <summary>Starts a run of a registered pipeline.</summary>
    public Task<RunAccepted> SubmitAsync(
        string name, IReadOnlyDictionary<string, string> parameters, string? reason, CancellationToken cancellationToken) =>
        SubmitAsync(new ApiRequest(HttpMethod.Post, "/api/v1/pipelines/{name}/runs").Path("name", name), parameters, reason, cancellationToken);

    /// <summary>What a pipeline file would do, or what is wrong with it; nothing is started.</summary>
    public Task<PipelineCheck> CheckAsync(string pipeline, string file, IReadOnlyDictionary<string, string> parameters, CancellationToken cancellationToken)
    {
        var request = new ApiRequest(HttpMethod.Post, "/api/v1/pipelines/check").Query("file", file).Body(pipeline);
        return SendAsync<PipelineCheck>(WithParameters(request, parameters), cancellationToken);
    }

    /// <summary>The run of this name, with this id, or with an id that begins so.</summary>
    /// <exception cref="UserInputException">There is none, or there are several.</exception>
    public async Task<Guid> FindIdAsync(string text, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(text, out var id))
            return id;
        return await RunIds.ChooseAsync(text, query => ListAsync(query, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Runs, in the order of the query.</summary>
    public Task<IReadOnlyList<RunView>> ListAsync(RunQuery query, CancellationToken cancellationToken) => Api.ListRunsAsync(
        query.Limit, query.Before, query.State is { } state ? Terminal.Word(state) : null, query.Name, query.IdPrefix, query.IsArchived ? true : null,
        query.Ordinal, order: query.Order == RunOrder.Newest ? null : query.Order.ToString(), cancellationToken: cancellationToken);

    /// <summary>Lines of a run's log.</summary>
    public Task<IReadOnlyList<RunLogLine>> LogAsync(Guid run, RunLogQuery query, CancellationToken cancellationToken) =>
        Api.ReadRunLogAsync(run, query.Step, query.After, Terminal.Word(query.Level), query.Search, cancellationToken: cancellationToken);

    /// <summary>A run's events after a position, until the run or the connection ends.</summary>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(Guid run, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events");
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
            throw await RefusalAsync(answer, cancellationToken).ConfigureAwait(false);
        var stream = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken).ConfigureAwait(false))
                yield return item;
        }
    }

    public async Task<T> SendAsync<T>(ApiRequest request, CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(request, cancellationToken).ConfigureAwait(false);
        return (await answer.Content.ReadFromJsonAsync<T>(WireJson.Options, cancellationToken).ConfigureAwait(false))!;
    }

    public async Task SendAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        using var answer = await AskAsync(request, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> AskAsync(ApiRequest request, CancellationToken cancellationToken)
    {
        using var message = request.ToMessage();
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(message, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException || e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new PlatformUnreachableException($"{_http.BaseAddress} does not answer: {e.Message.TrimEnd('.')}. Is it up? espalier status", e);
        }
        if (answer.IsSuccessStatusCode)
            return answer;
        using (answer)
            throw await RefusalAsync(answer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The id is chosen here, so that a retry after a lost answer does not start a second run.</summary>
    private Task<RunAccepted> SubmitAsync(
        ApiRequest request, IReadOnlyDictionary<string, string> parameters, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RunAccepted>(WithParameters(request.Query("id", Guid.CreateVersion7()).Query("reason", reason), parameters), cancellationToken);

    private static ApiRequest WithParameters(ApiRequest request, IReadOnlyDictionary<string, string> parameters) =>
        parameters.Aggregate(request, (all, parameter) => all.Query($"param.{parameter.Key}", parameter.Value));

    private static async Task<Exception> RefusalAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        var text = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        var body = text.StartsWith('{') ? JsonSerializer.Deserialize<JsonElement>(text) : default;
        if (answer.StatusCode == HttpStatusCode.UnprocessableEntity && body.ValueKind == JsonValueKind.Object && body.TryGetProperty("problems", out _))
            return new UserInputException(body.Deserialize<RunRejected>(WireJson.Options)!.Problems);
        var reason = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("detail", out var detail) ? detail.GetString() : null;
        if (answer.StatusCode >= HttpStatusCode.InternalServerError)
            return new PlatformUnreachableException(reason ?? $"The server answers {(int)answer.StatusCode}; see espalier logs orchestrator.");
        return new UserInputException(reason ?? $"The server answers {(int)answer.StatusCode} {answer.ReasonPhrase}.");
    }
}

/// <summary>The platform does not answer.</summary>
internal sealed class PlatformUnreachableException(string message, Exception? innerException = null) : Exception(message, innerException);
