using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Stages.Worker;
using k8s;
using k8s.Models;

namespace Espalier.CptTrainer.Commands.Kubernetes;

/// <summary>
/// Runs programs as Jobs. A Job has a lease: its <c>activeDeadlineSeconds</c>, which the worker moves on as long as it watches, so that the
/// cluster itself ends the Job of a worker that died or was cut off. Not run on a cluster yet, only against a stand-in of its interface.
/// </summary>
internal sealed class JobRunner(KubernetesJobOptions settings, TimeSpan grace, TimeSpan poll) : IProgramRunner
{
    private static readonly TimeSpan PullPatience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan EndPatience = TimeSpan.FromMinutes(2);

    public string Root => settings.Folder;

    public async Task EndEarlierAsync(string stepKey, CancellationToken cancellationToken)
    {
        using var cluster = Cluster.Connect(settings);
        await DeleteAsync(cluster, JobManifest.NameOf(stepKey), cancellationToken).ConfigureAwait(false);
    }

    public async Task<ProgramEnd> RunAsync(ProgramRun run, ProgramReports reports, CancellationToken cancellationToken)
    {
        try
        {
            return await RunJobAsync(run, reports, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is ClusterException or HttpRequestException)
        {
            throw new StageFailedException(FailureClass.Transient, $"The cluster did not run the Job: {e.Message}", isOutage: e is HttpRequestException);
        }
    }

    private async Task<ProgramEnd> RunJobAsync(ProgramRun run, ProgramReports reports, CancellationToken cancellationToken)
    {
        using var cluster = Cluster.Connect(settings);
        var name = JobManifest.NameOf(Path.GetFileName(run.Folder.Path));
        var job = JobManifest.Create(run, name, settings, ReadTemplate(), Path.GetRelativePath(settings.Folder, run.Folder.Path));
        job.Spec.Template.Spec.TerminationGracePeriodSeconds ??= JobManifest.Seconds(grace);
        var age = Stopwatch.StartNew();
        job = await cluster.AskAsync((api, token) => api.BatchV1.CreateNamespacedJobAsync(job, cluster.Namespace, cancellationToken: token), cancellationToken)
            .ConfigureAwait(false);
        reports.Note($"Job {cluster.Namespace}/{name}, {run.Options.Nodes} node(s) with {run.Options.Gpus} GPU(s) each");
        try
        {
            if (run.Options.Nodes > 1)
                await CreateServiceAsync(cluster, job, cancellationToken).ConfigureAwait(false);
            var end = await WatchAsync(cluster, run.Options, name, age, reports, cancellationToken).ConfigureAwait(false);
            if (end.Code == 0)
                await DeleteAsync(cluster, name, cancellationToken).ConfigureAwait(false); // a failed one stays for an hour, for whoever looks
            return end;
        }
        catch (Exception e) when (e is not StageFailedException { Failure: FailureClass.Transient } || cancellationToken.IsCancellationRequested)
        {
            await DeleteAsync(cluster, name, CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    private static async Task CreateServiceAsync(Cluster cluster, V1Job job, CancellationToken cancellationToken)
    {
        try
        {
            await cluster.AskAsync(
                (api, token) => api.CoreV1.CreateNamespacedServiceAsync(JobManifest.CreateService(job), cluster.Namespace, cancellationToken: token),
                cancellationToken).ConfigureAwait(false);
        }
        catch (ClusterException e) when (e.IsConflict)
        {
            // That of an earlier attempt leads to the same names; the cluster removes it when it sees that its Job is gone.
            await cluster.AskAsync(
                (api, token) => api.CoreV1.DeleteNamespacedServiceAsync(job.Metadata.Name, cluster.Namespace, cancellationToken: token), cancellationToken)
                .ConfigureAwait(false);
            await cluster.AskAsync(
                (api, token) => api.CoreV1.CreateNamespacedServiceAsync(JobManifest.CreateService(job), cluster.Namespace, cancellationToken: token),
                cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ProgramEnd> WatchAsync(
        Cluster cluster, CommandOptions options, string name, Stopwatch age, ProgramReports reports, CancellationToken cancellationToken)
    {
        var log = new PodLog(cluster, reports.Add);
        var (renewed, stuck) = (TimeSpan.Zero, Stopwatch.StartNew());
        var said = "";
        while (true)
        {
            var job = await cluster.PollAsync(
                (api, token) => api.BatchV1.ReadNamespacedJobAsync(name, cluster.Namespace, cancellationToken: token), settings.Lease, cancellationToken)
                .ConfigureAwait(false)
                ?? throw new StageFailedException(FailureClass.Transient, $"The Job '{name}' is gone: somebody deleted it while it ran.");
            var pods = await PodsAsync(cluster, name, cancellationToken).ConfigureAwait(false);
            if (pods.FirstOrDefault(p => JobPods.IndexOf(p) == 0 && JobPods.HasBegun(p)) is { } first)
                log.Follow(first.Metadata.Name, cancellationToken);
            if (JobPods.Has(job, "Complete") || JobPods.Has(job, "Failed"))
            {
                await log.EndAsync(grace).ConfigureAwait(false);
                return JobPods.Has(job, "Complete") ? new ProgramEnd(0) : DescribeFailure(job, pods, options, reports);
            }

            var waiting = JobPods.WaitingOf(pods, options.Nodes);
            if (waiting.Number == 0 || !waiting.IsAboutTheImage)
                stuck.Restart();
            if (waiting.Number > 0)
                reports.Wait(waiting.Number, options.Nodes);
            if (waiting.Reason.Length > 0 && waiting.Reason != said)
                reports.Note(said = waiting.Reason);
            if (waiting.IsHopeless || stuck.Elapsed > PullPatience)
                throw new UserInputException($"The cluster cannot start the image '{options.Image}': {waiting.Reason}. Name another in 'image'.");

            // The Job's age is counted from its start, which was not before ours: no clock of another machine is asked.
            if (job.Status?.StartTime is null)
                (age, renewed) = (Stopwatch.StartNew(), TimeSpan.Zero);
            if (age.Elapsed - renewed > settings.Lease / 4)
            {
                renewed = age.Elapsed;
                await RenewAsync(cluster, name, age.Elapsed + settings.Lease, cancellationToken).ConfigureAwait(false);
            }
            await Task.Delay(poll, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RenewAsync(Cluster cluster, string name, TimeSpan until, CancellationToken cancellationToken)
    {
        var change = JsonSerializer.Serialize(new { spec = new { activeDeadlineSeconds = JobManifest.Seconds(until) } });
        await cluster.PollAsync(
            (api, token) => api.BatchV1.PatchNamespacedJobAsync(
                new V1Patch(change, V1Patch.PatchType.MergePatch), name, cluster.Namespace, cancellationToken: token), settings.Lease, cancellationToken)
            .ConfigureAwait(false);
    }

    private ProgramEnd DescribeFailure(V1Job job, IReadOnlyList<V1Pod> pods, CommandOptions options, ProgramReports reports)
    {
        var condition = job.Status.Conditions.First(c => c is { Type: "Failed", Status: "True" });
        if (condition.Reason == "DeadlineExceeded")
        {
            throw new StageFailedException(
                FailureClass.Transient, $"The cluster ended the Job: this worker had not renewed its lease of {settings.Lease.TotalSeconds:F0} s.");
        }
        // The first one that failed; the others are ended because it did.
        var failed = pods.Select(p => (Pod: p, End: JobPods.EndOf(p)))
            .Where(p => p.End is { ExitCode: not 0 }).OrderBy(p => p.End!.FinishedAt).FirstOrDefault();
        if (failed.End is not { } end)
        {
            var lost = pods.FirstOrDefault(p => p.Status?.Phase == "Failed")?.Status;
            throw new StageFailedException(
                FailureClass.Transient,
                $"The cluster ended a pod of the Job: {lost?.Reason ?? condition.Reason}: {lost?.Message ?? condition.Message ?? "it does not say why"}");
        }
        var index = JobPods.IndexOf(failed.Pod);
        if (index != 0 && end.Message is { } last)
            last.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToList().ForEach(reports.Add);
        return new ProgramEnd(end.ExitCode, end.Reason == "OOMKilled", options.Nodes > 1 ? $"on node {index} of {options.Nodes}" : null);
    }

    private static async Task DeleteAsync(Cluster cluster, string name, CancellationToken cancellationToken)
    {
        var began = Stopwatch.StartNew();
        while (true)
        {
            var job = await cluster.PollAsync(
                (api, token) => api.BatchV1.ReadNamespacedJobAsync(name, cluster.Namespace, cancellationToken: token), EndPatience, cancellationToken)
                .ConfigureAwait(false);
            if (job is not null && job.Metadata.DeletionTimestamp is null)
            {
                // In the foreground: the Job is gone when its pods are.
                await cluster.PollAsync(
                    (api, token) => api.BatchV1.DeleteNamespacedJobAsync(
                        name, cluster.Namespace, new V1DeleteOptions { PropagationPolicy = "Foreground" }, cancellationToken: token),
                    EndPatience, cancellationToken).ConfigureAwait(false);
            }
            else if (job is null && (await PodsAsync(cluster, name, cancellationToken).ConfigureAwait(false)).Count == 0)
            {
                return;
            }
            if (began.Elapsed > EndPatience)
            {
                throw new StageFailedException(
                    FailureClass.Transient,
                    $"The Job '{name}' of an earlier attempt has not ended within {EndPatience.TotalSeconds:F0} s after it was deleted.");
            }
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<IReadOnlyList<V1Pod>> PodsAsync(Cluster cluster, string job, CancellationToken cancellationToken)
    {
        var pods = await cluster.PollAsync(
            (api, token) => api.CoreV1.ListNamespacedPodAsync(
                cluster.Namespace, labelSelector: string.Create(CultureInfo.InvariantCulture, $"{JobManifest.JobLabel}={job}"), cancellationToken: token),
            EndPatience, cancellationToken).ConfigureAwait(false);
        return [.. pods?.Items ?? []];
    }

    private V1PodTemplateSpec ReadTemplate()
    {
        if (settings.Template.Length == 0)
            return new V1PodTemplateSpec();
        try
        {
            return KubernetesYaml.Deserialize<V1PodTemplateSpec>(File.ReadAllText(settings.Template), strict: true) ?? new V1PodTemplateSpec();
        }
        catch (Exception e) when (e is YamlDotNet.Core.YamlException or IOException or UnauthorizedAccessException)
        {
            throw new StageFailedException(
                FailureClass.Transient,
                $"This worker's template of Jobs (worker:jobs:template) cannot be read: {settings.Template}: {e.GetBaseException().Message}");
        }
    }
}
