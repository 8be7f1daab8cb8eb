using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Messaging;
using Espalier.Orchestrator;
using Espalier.Registry;
using Espalier.Registry.Api;
using Espalier.Stages.Worker;
using Microsoft.Extensions.Configuration;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>Reads the environment of a service as the service reads it, and says what it would refuse or never look at.</summary>
internal static class ServiceSettings
{
    private static readonly string[] Alone = ["http:url", "telemetry:endpoint", "telemetry:protocol"];

    /// <summary>Sections that the orchestrator looks into when it needs them.</summary>
    private static readonly string[] Named = ["secrets", "notify", "smtp"];

    public static IEnumerable<string> ProblemsOf(string service, IReadOnlyDictionary<string, string> environment)
    {
        var settings = environment.Where(v => v.Key.StartsWith(ServiceHost.EnvironmentPrefix, StringComparison.Ordinal))
            .ToDictionary(v => SettingOf(v.Key), v => (string?)v.Value);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var sections = SectionsOf(service);
        foreach (var name in settings.Keys.Where(n => !Alone.Contains(n) && !sections.ContainsKey(n.Split(':')[0])))
        {
            if (service != "orchestrator" || (name != "orchestrator_api:key" && !Named.Contains(name.Split(':')[0])))
                yield return $"{service} does not read {name}.";
        }
        foreach (var read in sections.Values)
        {
            if (Refusal(() => read(configuration)) is { } refusal)
                yield return $"{service}: {refusal}";
        }
    }

    private static string SettingOf(string variable) =>
        variable[ServiceHost.EnvironmentPrefix.Length..].Replace("__", ":", StringComparison.Ordinal).ToLowerInvariant();

    private static Dictionary<string, Action<IConfiguration>> SectionsOf(string service)
    {
        var sections = new Dictionary<string, Action<IConfiguration>>
        {
            ["messaging"] = c => Settings.Read<MessagingOptions>(c, MessagingOptions.Section).Validate(),
            ["store"] = c => ArtifactStoreServiceCollectionExtensions.Check(Settings.Read<StoreOptions>(c, StoreOptions.Section)),
        };
        if (service == "orchestrator")
            sections["orchestrator"] = c => Settings.Read<OrchestratorOptions>(c, OrchestratorOptions.Section).Validate();
        else
            sections["worker"] = c => Settings.Read<StageWorkerOptions>(c, StageWorkerOptions.Section).Validate();
        if (service == "registry")
        {
            sections["registry"] = c => Settings.Read<RegistryOptions>(c, RegistryOptions.Section);
            sections["portal"] = c => Settings.Read<PortalOptions>(c, PortalOptions.Section).Validate();
        }
        return sections;
    }

    private static string? Refusal(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (UserInputException e)
        {
            return e.Message;
        }
    }
}
