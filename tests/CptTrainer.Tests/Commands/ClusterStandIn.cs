using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>
/// The part of a cluster's interface that Jobs need, as its reference describes it, with pods that are processes of this machine. No
/// cluster runs where these tests do; it shows that the requests fit together, not that a cluster takes them.
/// </summary>
internal sealed class ClusterStandIn : IAsyncDisposable
{
    public const string Namespace = "espalier", Claim = "programs";

    private readonly ConcurrentDictionary<string, JobStandIn> _jobs = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-cluster-");
    private readonly WebApplication _application;

    private ClusterStandIn(WebApplication application) => _application = application;

    /// <summary>The volume of the claim.</summary>
    public string Volume => Directory.CreateDirectory(Path.Combine(_folder.FullName, "volume")).FullName;

    /// <summary>How to reach it.</summary>
    public string Kubeconfig => Path.Combine(_folder.FullName, "kubeconfig");

    /// <summary>Every Job that was made, as it was sent.</summary>
    public ConcurrentQueue<V1Job> Made { get; } = new();

    public ConcurrentQueue<V1Service> Services { get; } = new();

    /// <summary>Answers every request with this, where it is not 0.</summary>
    public volatile int Refusal;

    /// <summary>Whether Jobs cannot be made, while everything else is answered.</summary>
    public bool RefusesJobs { get; set; }

    /// <summary>Why pods do not start; null where they do.</summary>
    public volatile V1ContainerStateWaiting? Waiting;

    /// <summary>Ends logs that are read after so many lines, as a broken connection does; 0 for never.</summary>
    public int BreakLogsAfter { get; set; }

    public bool IsEmpty => _jobs.IsEmpty;

    public static async Task<ClusterStandIn> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var cluster = new ClusterStandIn(builder.Build());
        cluster.Map(cluster._application);
        await cluster._application.StartAsync();
        await File.WriteAllTextAsync(cluster.Kubeconfig, $$"""
            apiVersion: v1
            kind: Config
            current-context: stand-in
            contexts: [{ name: stand-in, context: { cluster: stand-in, user: nobody, namespace: {{Namespace}} } }]
            clusters: [{ name: stand-in, cluster: { server: "{{cluster._application.Urls.Single()}}" } }]
            users: [{ name: nobody, user: { token: stand-in } }]
            """);
        return cluster;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var job in _jobs.Values)
            job.Kill();
        await _application.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void Map(WebApplication application)
    {
        application.Use((context, next) => Refusal == 0 ? next(context) : Status(Refusal, "not now").ExecuteAsync(context));
        const string Jobs = $"/apis/batch/v1/namespaces/{Namespace}/jobs", Pods = $"/api/v1/namespaces/{Namespace}/pods";
        application.MapPost(Jobs, async (HttpRequest request) => Create(KubernetesJson.Deserialize<V1Job>(await TextOf(request))));
        application.MapGet(Jobs + "/{name}", (string name) => Find(name) is { } job ? Json(job.ToJob()) : Status(404, $"jobs \"{name}\" not found"));
        application.MapPatch(Jobs + "/{name}", async (string name, HttpRequest request) => Patch(name, request.ContentType, await TextOf(request)));
        application.MapDelete(Jobs + "/{name}", (string name) => Delete(name));
        application.MapGet(Pods, (HttpRequest request) => Json(new V1PodList
        {
            ApiVersion = "v1", Kind = "PodList",
            Items = [.. _jobs.Values.Where(j => request.Query["labelSelector"] == $"batch.kubernetes.io/job-name={j.Name}").SelectMany(j => j.ToPods())],
        }));
        application.MapGet(Pods + "/{name}/log", (string name, HttpContext context) =>
            _jobs.Values.SelectMany(j => j.Pods).First(p => p.Name == name).WriteLogAsync(context, BreakLogsAfter));
        application.MapPost($"/api/v1/namespaces/{Namespace}/services", async (HttpRequest request) =>
        {
            var service = KubernetesJson.Deserialize<V1Service>(await TextOf(request));
            Services.Enqueue(service);
            return Json(service);
        });
    }

    private JobStandIn? Find(string name)
    {
        if (_jobs.GetValueOrDefault(name) is not { } job)
            return null;
        job.Reconcile(Waiting);
        if (!job.IsGone)
            return job;
        _jobs.TryRemove(name, out _);
        return null;
    }

    private IResult Create(V1Job job)
    {
        if (RefusesJobs)
            return Status(500, "etcdserver: request timed out");
        Made.Enqueue(job);
        var claim = job.Spec.Template.Spec.Volumes.First(v => v.PersistentVolumeClaim is not null).PersistentVolumeClaim.ClaimName;
        var container = job.Spec.Template.Spec.Containers.Single(c => c.Name == "program");
        if (string.IsNullOrEmpty(container.Image))
            return Status(422, "Job.batch is invalid: spec.template.spec.containers[0].image: Required value");
        if (claim != Claim)
            return Status(422, $"persistentvolumeclaim \"{claim}\" not found");
        job.Metadata.Uid = Guid.NewGuid().ToString();
        return _jobs.TryAdd(job.Metadata.Name, new JobStandIn(job, container, Volume)) ? Json(job) : Status(409, "already exists");
    }

    private IResult Patch(string name, string? contentType, string patch)
    {
        if (Find(name) is not { } job)
            return Status(404, "not found");
        if (contentType?.StartsWith("application/merge-patch+json", StringComparison.Ordinal) != true)
            return Status(415, $"the body of the request was in an unknown format: {contentType}");
        job.ActiveDeadlineSeconds = JsonNode.Parse(patch)!["spec"]!["activeDeadlineSeconds"]!.GetValue<long>();
        return Json(job.ToJob());
    }

    private IResult Delete(string name)
    {
        if (Find(name) is not { } job)
            return Status(404, "not found");
        job.Delete();
        return Json(job.ToJob());
    }

    private static async Task<string> TextOf(HttpRequest request)
    {
        using var reader = new StreamReader(request.Body);
        return await reader.ReadToEndAsync();
    }

    private static IResult Json(object value) => Results.Text(KubernetesJson.Serialize(value), "application/json");

    private static IResult Status(int code, string message) => Results.Text(
        JsonSerializer.Serialize(new { kind = "Status", apiVersion = "v1", status = "Failure", message, code }), "application/json", statusCode: code);
}
