using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Which steps may run as Jobs of a Kubernetes cluster, and what they must say.</summary>
internal static class ClusterRules
{
    public static void Check(StepDraft step, ProblemList problems)
    {
        if (step.Stage is not { } stage)
            return;
        var isJob = step.Envelope.Device == DeviceNames.Kubernetes;
        var place = step.Body.Find("device") ?? step.Body;
        var options = step.Body.Find("with");
        if (stage.Traits.Clusters is not { } clusters)
        {
            if (isJob)
                problems.Add(place, $"'{stage.Kind}' does not run as a Job of a cluster: use {DeviceNames.Cpu} or {DeviceNames.Cuda}");
            return;
        }
        if (isJob && options?.Find(clusters.Required) is null)
            problems.Add(place, $"a step on {DeviceNames.Kubernetes} needs '{clusters.Required}' in 'with'");
        if (!isJob && clusters.Only.Select(o => options?.Find(o)).FirstOrDefault(o => o is not null) is { } option)
            problems.Add(option, $"{string.Join(", ", clusters.Only)} are for Jobs of a cluster: add 'device: {DeviceNames.Kubernetes}' to the step");
    }
}
