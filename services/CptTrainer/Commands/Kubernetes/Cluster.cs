using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Stages.Worker;
using k8s;
using k8s.Autorest;

namespace Espalier.CptTrainer.Commands.Kubernetes;

/// <summary>The interface of a Kubernetes cluster would not do what it was asked for; its text is for people.</summary>
internal sealed class ClusterException(string message, HttpStatusCode status, Exception inner) : Exception(message, inner)
{
    /// <summary>There is something of that name.</summary>
    public bool IsConflict => status == HttpStatusCode.Conflict;
}

/// <summary>The interface of a Kubernetes cluster, with limits on time, and errors that say what to do.</summary>
internal sealed class Cluster : IDisposable
{
    private static readonly TimeSpan PerRequest = TimeSpan.FromSeconds(30);

    private readonly k8s.Kubernetes _api;

    private Cluster(k8s.Kubernetes api, string name) => (_api, Namespace) = (api, name);

    /// <summary>The namespace that Jobs are made in.</summary>
    public string Namespace { get; }

    /// <summary>The interface itself, for what is read without an end.</summary>
    public k8s.Kubernetes Api => _api;

    /// <summary>Reads who the worker is there, and asks nothing yet.</summary>
    /// <exception cref="StageFailedException">It is nobody.</exception>
    public static Cluster Connect(KubernetesJobOptions settings)
    {
        try
        {
            var configuration = settings.Kubeconfig.Length > 0
                ? KubernetesClientConfiguration.BuildConfigFromConfigFile(settings.Kubeconfig)
                : KubernetesClientConfiguration.BuildDefaultConfig();
            configuration.HttpClientTimeout = Timeout.InfiniteTimeSpan; // logs are read for hours; everything else has a limit of ours
            var name = settings.Namespace.Length > 0 ? settings.Namespace : configuration.Namespace;
            return new Cluster(new k8s.Kubernetes(configuration), name is { Length: > 0 } ? name : "default");
        }
        catch (Exception e) when (e is k8s.Exceptions.KubeConfigException or IOException or UnauthorizedAccessException or YamlDotNet.Core.YamlException)
        {
            throw new StageFailedException(
                FailureClass.Transient,
                $"This worker cannot read how to reach the cluster ({e.GetBaseException().Message}): give its pod a service account, "
                    + "or set worker:jobs:kubeconfig.");
        }
    }

    /// <summary>Asks once.</summary>
    /// <exception cref="UserInputException">What was sent is not as it must be.</exception>
    /// <exception cref="StageFailedException">It cannot be reached, or this worker may not do that.</exception>
    /// <exception cref="ClusterException">Anything else that it says.</exception>
    public async Task<T> AskAsync<T>(Func<k8s.Kubernetes, CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(PerRequest);
        try
        {
            return await request(_api, limit.Token).ConfigureAwait(false);
        }
        catch (HttpOperationException e)
        {
            throw Explain(e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HttpRequestException($"it did not answer within {PerRequest.TotalSeconds:F0} s", e);
        }
    }

    /// <summary>Asks for something that may be gone, again and again while the interface is away.</summary>
    /// <param name="request">The request.</param>
    /// <param name="patience">How long it may be away.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>Null when there is no such thing.</returns>
    public async Task<T?> PollAsync<T>(
        Func<k8s.Kubernetes, CancellationToken, Task<T>> request, TimeSpan patience, CancellationToken cancellationToken) where T : class
    {
        var began = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return await AskAsync(request, cancellationToken).ConfigureAwait(false);
            }
            catch (ClusterException e) when (e.InnerException is HttpOperationException { Response.StatusCode: HttpStatusCode.NotFound })
            {
                return null;
            }
            catch (Exception e) when (e is HttpRequestException || e.InnerException is HttpOperationException { Response.StatusCode: var code } && IsBusy(code))
            {
                if (began.Elapsed > patience)
                {
                    throw new StageFailedException(
                        FailureClass.Transient, $"The cluster has not answered for {patience.TotalSeconds:F0} s: {e.GetBaseException().Message}",
                        isOutage: true);
                }
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public void Dispose() => _api.Dispose();

    private static bool IsBusy(HttpStatusCode code) => code == HttpStatusCode.TooManyRequests || (int)code >= 500;

    private static Exception Explain(HttpOperationException e)
    {
        var code = e.Response.StatusCode;
        var text = MessageOf(e.Response.Content) ?? $"status {(int)code}";
        return code switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new StageFailedException(
                FailureClass.Transient,
                $"The cluster does not let this worker do that: {text}. Its service account needs the role of infra/kubernetes/components/programs."),
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => new UserInputException($"The cluster refuses the Job: {text}", e),
            _ => new ClusterException(text, code, e),
        };
    }

    private static string? MessageOf(string? content)
    {
        try
        {
            using var status = JsonDocument.Parse(content ?? "");
            return status.RootElement.GetProperty("message").GetString();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }
}
