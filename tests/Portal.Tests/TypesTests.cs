using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Contracts;
using Espalier.Integration.Tests.Distributed;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Registry.Api;

namespace Espalier.Portal.Tests;

/// <summary>The portal's own description of what it reads (api/types.ts) against what the servers answer: every property that it reads exists.</summary>
[Collection(PortalCollection.Name)]
public sealed partial class TypesTests(PortalSite site)
{
    private static readonly IReadOnlyDictionary<string, Dictionary<string, bool>> Interfaces = Read();

    public static TheoryData<string, string> Schemas => new()
    {
        { "Model", "ModelView" }, { "Version", "VersionView" }, { "VersionDetails", "VersionDetails" }, { "VersionFile", "FileView" }, { "Parent", "ParentView" },
        { "Lineage", "LineageGraph" }, { "LineageNode", "LineageVertex" }, { "AliasMove", "MoveView" }, { "Comparison", "VersionComparison" },
        { "LayerDifference", "LayerDifference" }, { "Interval", "Measure" }, { "Ancestor", "ExpertAncestor" }, { "Gates", "GatesView" }, { "Gate", "Gate" }, { "GateDecision", "GateDecision" },
    };

    public static TheoryData<string, Type> Records => new()
    {
        { "Run", typeof(RunView) }, { "Step", typeof(StepView) }, { "Artifact", typeof(ManifestRef) }, { "StepProgress", typeof(StepProgress) },
        { "ProgressPoint", typeof(ProgressPoint) }, { "RunSource", typeof(RunSource) }, { "Problem", typeof(Problem) }, { "CheckedStep", typeof(CheckedStep) },
        { "PipelineCheck", typeof(PipelineCheck) }, { "Worker", typeof(WorkerView) }, { "Lease", typeof(LeaseView) }, { "PlatformStatus", typeof(PlatformStatus) },
        { "Queue", typeof(Espalier.Messaging.Broker.QueueState) }, { "Session", typeof(SessionView) },
    };

    [Theory]
    [MemberData(nameof(Schemas))]
    public async Task Interface_OfTheRegistry_IsInTheOpenApiDocument(string name, string schema)
    {
        using var client = site.Client("viewer");
        var document = await client.GetFromJsonAsync<JsonElement>("/openapi/v1.json");
        var properties = Properties(document.GetProperty("components").GetProperty("schemas"), schema);

        Interfaces[name].Keys.Except(properties.Keys).ShouldBeEmpty();
        // What the portal takes for granted must always be there.
        Interfaces[name].Where(p => p.Value && properties[p.Key] == false && !IsNullable(document, schema, p.Key)).Select(p => p.Key).ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Interface_OfTheOrchestrator_IsTheRecordThatItWrites(string name, Type record)
    {
        var properties = record.GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => JsonNamingPolicy.KebabCaseLower.ConvertName(p.Name));

        Interfaces[name].Keys.Except(properties).ShouldBeEmpty();
    }

    /// <summary>Names of a schema's properties, with those that it extends, and whether each is required.</summary>
    private static Dictionary<string, bool> Properties(JsonElement schemas, string name)
    {
        schemas.TryGetProperty(name, out var schema).ShouldBeTrue($"the document has no schema {name}; it has {string.Join(", ", schemas.EnumerateObject().Select(s => s.Name))}");
        var required = schema.TryGetProperty("required", out var list) ? list.EnumerateArray().Select(r => r.GetString()!).ToHashSet() : [];
        return schema.GetProperty("properties").EnumerateObject().ToDictionary(p => p.Name, p => required.Contains(p.Name));
    }

    /// <summary>A property without 'required' that cannot be null is left out only when it has a default, which is written all the same.</summary>
    private static bool IsNullable(JsonElement document, string schema, string property) =>
        !document.GetProperty("components").GetProperty("schemas").GetProperty(schema).GetProperty("properties").GetProperty(property).GetRawText().Contains("null", StringComparison.Ordinal);

    /// <summary>Interfaces of the file: their properties, and whether each is taken for granted.</summary>
    private static Dictionary<string, Dictionary<string, bool>> Read()
    {
        var text = File.ReadAllText(Repository.PathOf("services/Registry/Portal/src/api/types.ts"));
        return Interface().Matches(text).ToDictionary(
            m => m.Groups["name"].Value,
            m => Property().Matches(m.Groups["body"].Value).ToDictionary(p => p.Groups["name"].Value, p => p.Groups["optional"].Length == 0));
    }

    [GeneratedRegex(@"export interface (?<name>\w+)[^{\n]*\{\n(?<body>(?:  .*\n)*)\}")]
    private static partial Regex Interface();

    [GeneratedRegex(@"^  '?(?<name>[a-z][\w-]*)'?(?<optional>\??):", RegexOptions.Multiline)]
    private static partial Regex Property();
}
