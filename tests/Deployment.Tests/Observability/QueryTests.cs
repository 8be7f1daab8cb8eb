using System.Text.Json;
using Espalier.Deployment.Tests.Tools;
using Espalier.TestKit.Servers;
using YamlDotNet.Serialization;

namespace Espalier.Deployment.Tests.Observability;

/// <summary>Dashboard and alerts ask for metrics and labels that a running platform hands out, in PromQL.</summary>
public sealed class QueryTests(ScrapedPlatform platform) : IClassFixture<ScrapedPlatform>
{
    /// <summary>What Prometheus adds to every series.</summary>
    private static readonly string[] Added = ["job", "instance"];

    [Fact]
    public void Dashboard_EveryQuery_AsksForWhatThereIs()
    {
        var queries = Panels().SelectMany(p => p.GetProperty("targets").EnumerateArray()).Select(t => t.GetProperty("expr").GetString()!).ToList();

        queries.Count.ShouldBeGreaterThan(10);
        queries.SelectMany(ProblemsOf).ShouldBeEmpty();
    }

    [Fact]
    public void Dashboard_EveryLegend_NamesALabelOfItsQuery() => Panels().SelectMany(p => p.GetProperty("targets").EnumerateArray())
        .Where(t => System.Text.RegularExpressions.Regex.Matches(t.GetProperty("legendFormat").GetString()!, @"\{\{(\w+)\}\}")
            .Any(m => !PromQl.Read(t.GetProperty("expr").GetString()!).Groups.Contains(m.Groups[1].Value)))
        .ShouldBeEmpty();

    [Fact]
    public void Alerts_EveryRule_AsksForWhatThereIs()
    {
        var rules = Rules().ToList();

        rules.Count.ShouldBeGreaterThan(5);
        rules.SelectMany(r => ProblemsOf((string)r["expr"])).ShouldBeEmpty();
        rules.Select(r => r["alert"]).ShouldBeUnique();
        rules.ShouldAllBe(r => r.ContainsKey("labels") && ((Dictionary<object, object>)r["annotations"]).ContainsKey("summary"));
    }

    [Fact]
    public void Metrics_OfThePlatform_AreAllShownOrWatched()
    {
        var asked = Panels().SelectMany(p => p.GetProperty("targets").EnumerateArray()).Select(t => t.GetProperty("expr").GetString()!)
            .Concat(Rules().Select(r => (string)r["expr"])).SelectMany(q => PromQl.Read(q).Metrics).Select(m => Family(m.Name)).ToHashSet();

        // The duration of a step's attempts is that of the work, which is shown by kind, and the orchestrator's part.
        platform.Labels.Keys.Where(m => m.StartsWith("espalier_", StringComparison.Ordinal)).Select(Family).Distinct()
            .Where(m => m != "espalier_step_duration_seconds" && !asked.Contains(m)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("sum(espalier_stepz)", "espalier_stepz")]
    [InlineData("sum by (kinds) (espalier_steps)", "kinds")]
    [InlineData("espalier_steps{status=\"ready\"}", "status")]
    [InlineData("sum(rate(espalier_steps[5m]) x", "PromQL")]
    public void Query_ForWhatThereIsNot_IsFound(string query, string expected) => ProblemsOf(query).ShouldContain(p => p.Contains(expected));

    private IEnumerable<string> ProblemsOf(string text)
    {
        var query = PromQl.Read(text);
        if (query.Problem.Length > 0)
            yield return $"{text} is not PromQL {query.Problem}.";
        var all = query.Metrics.SelectMany(m => platform.Labels.GetValueOrDefault(m.Name, [])).Concat(Added).ToHashSet();
        foreach (var metric in query.Metrics)
        {
            if (!platform.Labels.TryGetValue(metric.Name, out var labels))
                yield return $"{text}: nobody hands out {metric.Name}.";
            else if (metric.Labels.FirstOrDefault(l => !labels.Contains(l) && !Added.Contains(l)) is { } missing)
                yield return $"{text}: {metric.Name} has no label {missing}.";
        }
        foreach (var label in query.Groups.Where(l => !all.Contains(l)))
            yield return $"{text}: none of its metrics has the label {label}.";
    }

    private static string Family(string metric)
    {
        foreach (var part in new[] { "_bucket", "_sum", "_count" })
        {
            if (metric.EndsWith(part, StringComparison.Ordinal))
                return metric[..^part.Length];
        }
        return metric;
    }

    private static IEnumerable<JsonElement> Panels() =>
        JsonDocument.Parse(File.ReadAllText(Repository.PathOf("infra/observability/dashboard.json"))).RootElement.GetProperty("panels").EnumerateArray();

    private static IEnumerable<Dictionary<object, object>> Rules()
    {
        var root = new DeserializerBuilder().Build().Deserialize<Dictionary<string, List<Dictionary<string, object>>>>(
            File.ReadAllText(Repository.PathOf("infra/observability/alerts.yaml")));
        return root["groups"].SelectMany(g => (List<object>)g["rules"]).Cast<Dictionary<object, object>>();
    }
}
