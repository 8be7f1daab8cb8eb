using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Espalier.Contracts;
using Espalier.Orchestrator.Api;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Resolution;
using Espalier.Registry.Api;
using Espalier.TestKit.Servers;

namespace Espalier.Portal.Tests;

/// <summary>The portal's own description of what it reads (api/types.ts) against what the servers answer: every property that it reads exists.</summary>
[Collection(PortalCollection.Name)]
public sealed partial class TypesTests(PortalSite site)
{
    private static readonly IReadOnlyDictionary<string, Dictionary<string, Read>> Interfaces = ReadInterfaces();
    private static Task<JsonElement>? _document;

    /// <summary>A property as the portal reads it.</summary>
    private sealed record Read(string Type, bool IsOptional);

    public static TheoryData<string, string> Schemas => new()
    {
        { "Model", "ModelView" },
        { "Version", "VersionView" },
        { "VersionDetails", "VersionDetails" },
        { "VersionFile", "FileView" },
        { "Parent", "ParentView" },
        { "VersionStanding", "VersionStanding" },
        { "StandingRow", "StandingRow" },
        { "Lineage", "LineageGraph" },
        { "LineageNode", "LineageVertex" },
        { "AliasMove", "MoveView" },
        { "Comparison", "VersionComparison" },
        { "LayerDifference", "LayerDifference" },
        { "Interval", "Measure" },
        { "Ancestor", "ExpertAncestor" },
        { "Gates", "GatesView" },
        { "Gate", "Gate" },
        { "GateDecision", "GateDecision" },
        { "Approvals", "ApprovalList" },
        { "Approval", "Approval" },
        { "Signatures", "SignatureList" },
        { "Signature", "Signature" },
        { "Verification", "Verification" },
        { "ComparedVersions", "ComparedVersions" },
        { "ComparedVersion", "ComparedVersion" },
        { "ConfigDifference", "ConfigDifference" },
        { "MetricDifference", "MetricDifference" },
        { "ByteOverlap", "ByteOverlap" },
        { "RowCosines", "RowCosines" },
        { "Storage", "StorageView" },
        { "StoredVersion", "StoredVersion" },
        { "Collection", "CollectionReport" },
    };

    public static TheoryData<string, Type> Records => new()
    {
        { "Run", typeof(RunView) },
        { "Step", typeof(StepView) },
        { "Artifact", typeof(ManifestRef) },
        { "PlannedStep", typeof(PlannedStep) },
        { "PlannedInput", typeof(PlannedInput) },
        { "RunPlan", typeof(RunPlanView) },
        { "RunResults", typeof(RunResults) },
        { "ModelRow", typeof(ModelRow) },
        { "LossDifference", typeof(LossDifference) },
        { "RunCosts", typeof(RunCosts) },
        { "StepCost", typeof(StepCost) },
        { "StepEstimate", typeof(StepEstimate) },
        { "StepOutput", typeof(StepOutputView) },
        { "OutputFile", typeof(OutputFileView) },
        { "StepProgress", typeof(StepProgress) },
        { "ProgressPoint", typeof(ProgressPoint) },
        { "RunSource", typeof(RunSource) },
        { "Problem", typeof(Problem) },
        { "ResolvedStep", typeof(ResolvedStep) },
        { "ModelShape", typeof(ModelShape) },
        { "PipelineCheck", typeof(PipelineCheck) },
        { "Worker", typeof(WorkerView) },
        { "Lease", typeof(LeaseView) },
        { "WaitingSteps", typeof(WaitingSteps) },
        { "ComparedRun", typeof(ComparedRun) },
        { "PlatformStatus", typeof(PlatformStatus) },
        { "Queue", typeof(Espalier.Messaging.Broker.QueueState) },
        { "Session", typeof(SessionView) },
        { "RunCause", typeof(RunCause) },
        { "Notice", typeof(NoticeView) },
        { "RunAccepted", typeof(RunAccepted) },
        { "Pipeline", typeof(PipelineView) },
        { "PipelineVersion", typeof(PipelineVersionView) },
        { "Trigger", typeof(TriggerView) },
        { "Firing", typeof(FiringView) },
        { "TriggerEvent", typeof(TriggerEventView) },
        { "TriggerReplay", typeof(TriggerReplay) },
        { "ReplayedEvent", typeof(ReplayedEvent) },
    };

    [Theory]
    [MemberData(nameof(Schemas))]
    public async Task Interface_OfTheRegistry_IsInTheOpenApiDocument(string name, string schema)
    {
        var document = await (_document ??= ReadDocumentAsync());
        var schemas = document.GetProperty("components").GetProperty("schemas");
        var properties = Properties(schemas, schema);

        Interfaces[name].Keys.Except(properties.Keys).ShouldBeEmpty();
        // What the portal takes for granted must always be there.
        Interfaces[name].Where(p => !p.Value.IsOptional && !properties[p.Key] && !IsNullable(document, schema, p.Key)).Select(p => p.Key).ShouldBeEmpty();
        // A number is read as a number, a list as a list.
        var described = schemas.GetProperty(schema).GetProperty("properties");
        Interfaces[name].Where(p => !Fits(p.Value, described.GetProperty(p.Key)))
            .Select(p => $"{p.Key} is read as {p.Value.Type}, and is {described.GetProperty(p.Key)}").ShouldBeEmpty();

        bool Fits(Read read, JsonElement property) =>
            KindOf(read.Type) is not { } kind || Kinds(schemas, property) is not { Count: > 0 } kinds || kinds.Contains(kind);
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Interface_OfTheOrchestrator_IsTheRecordThatItWrites(string name, Type record)
    {
        var properties = record.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(p => p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name ?? JsonNamingPolicy.KebabCaseLower.ConvertName(p.Name));

        Interfaces[name].Keys.Except(properties).ShouldBeEmpty();
    }

    private async Task<JsonElement> ReadDocumentAsync()
    {
        using var client = site.Client("viewer");
        return await client.GetFromJsonAsync<JsonElement>("/openapi/v1.json");
    }

    /// <summary>The kind of JSON value that a type of the portal is; null where any will do.</summary>
    private static string? KindOf(string type) => type.Replace(" | null", "", StringComparison.Ordinal) switch
    {
        "unknown" => null,
        "number" => "number",
        "boolean" => "boolean",
        "string" or "Role" or "RunState" or "StepState" => "string",
        var text when text.StartsWith('\'') => "string",
        var text when text.EndsWith("[]", StringComparison.Ordinal) => "array",
        _ => "object",
    };

    /// <summary>The kinds of JSON value that a schema lets through; none where it says nothing.</summary>
    private static HashSet<string> Kinds(JsonElement schemas, JsonElement schema)
    {
        var kinds = new HashSet<string>();
        if (schema.TryGetProperty("$ref", out var reference))
            kinds.UnionWith(Kinds(schemas, schemas.GetProperty(reference.GetString()!.Split('/')[^1])));
        if (schema.TryGetProperty("oneOf", out var choices))
            kinds.UnionWith(choices.EnumerateArray().SelectMany(choice => Kinds(schemas, choice)));
        if (schema.TryGetProperty("type", out var type))
            kinds.UnionWith(type.ValueKind == JsonValueKind.String ? [type.GetString()!] : type.EnumerateArray().Select(t => t.GetString()!));
        if (schema.TryGetProperty("enum", out _))
            kinds.Add("string");
        kinds.Remove("null");
        return [.. kinds.Select(kind => kind == "integer" ? "number" : kind)];
    }

    /// <summary>Names of a schema's properties, with those that it extends, and whether each is required.</summary>
    private static Dictionary<string, bool> Properties(JsonElement schemas, string name)
    {
        var known = string.Join(", ", schemas.EnumerateObject().Select(s => s.Name));
        schemas.TryGetProperty(name, out var schema).ShouldBeTrue($"the document has no schema {name}; it has {known}");
        var required = schema.TryGetProperty("required", out var list) ? list.EnumerateArray().Select(r => r.GetString()!).ToHashSet() : [];
        return schema.GetProperty("properties").EnumerateObject().ToDictionary(p => p.Name, p => required.Contains(p.Name));
    }

    /// <summary>A property without 'required' that cannot be null is left out only when it has a default, which is written all the same.</summary>
    private static bool IsNullable(JsonElement document, string schema, string property)
    {
        var described = document.GetProperty("components").GetProperty("schemas").GetProperty(schema).GetProperty("properties").GetProperty(property);
        return !described.GetRawText().Contains("null", StringComparison.Ordinal);
    }

    /// <summary>Interfaces of the file and their properties.</summary>
    private static Dictionary<string, Dictionary<string, Read>> ReadInterfaces()
    {
        var text = File.ReadAllText(Repository.PathOf("services/Registry/Portal/src/api/types.ts"));
        return Interface().Matches(text).ToDictionary(
            m => m.Groups["name"].Value,
            m => Property().Matches(m.Groups["body"].Value).ToDictionary(p => p.Groups["name"].Value, Describe));

        static Read Describe(Match property) => new(property.Groups["type"].Value, property.Groups["optional"].Length > 0);
    }

    [GeneratedRegex(@"export interface (?<name>\w+)[^{\n]*\{\n(?<body>(?:  .*\n)*)\}")]
    private static partial Regex Interface();

    [GeneratedRegex(@"^  '?(?<name>[a-z][\w-]*)'?(?<optional>\??): (?<type>.*);$", RegexOptions.Multiline)]
    private static partial Regex Property();
}
