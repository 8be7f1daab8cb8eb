using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>Models and versions with MLflow's field names.</summary>
internal static class MlflowViews
{
    /// <summary>Anonymous types below are spelt as the protocol spells them.</summary>
    public static JsonSerializerOptions Json { get; } = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public static object Of(ModelSummary model, ModelVersion? latest) => new
    {
        name = model.Name,
        creation_timestamp = Milliseconds(model.Created),
        last_updated_timestamp = Milliseconds(model.Updated),
        description = model.Description,
        latest_versions = latest is null ? [] : new[] { Of(latest) },
        tags = Tags(model.Tags),
        aliases = model.Aliases.Select(a => new { alias = a.Key, version = Text(a.Value) }),
    };

    public static object Of(ModelVersion version) => new
    {
        name = version.Model,
        version = Text(version.Version),
        creation_timestamp = Milliseconds(version.CreatedAt),
        last_updated_timestamp = Milliseconds(version.CreatedAt),
        current_stage = "None",
        description = version.Description,
        source = SourceOf(version),
        run_id = version.RunId == Guid.Empty ? "" : version.RunId.ToString("N"),
        status = "READY",
        status_message = "",
        tags = Tags(version.Tags),
        aliases = version.Aliases,
    };

    /// <summary>What model-versions/create takes as a source, and what versions show as theirs.</summary>
    public static string SourceOf(ModelVersion version) => MlflowSource.Scheme + version.Root.Hex;

    private static IEnumerable<object> Tags(IReadOnlyDictionary<string, string> tags) => tags.Select(t => new { key = t.Key, value = t.Value });

    private static string Text(int version) => version.ToString(CultureInfo.InvariantCulture);

    private static long Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();
}
