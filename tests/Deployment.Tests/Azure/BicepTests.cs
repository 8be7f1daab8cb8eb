using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Deployment.Tests.Manifests;
using Espalier.Deployment.Tests.Tools;
using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;
using k8s.Models;

namespace Espalier.Deployment.Tests.Azure;

/// <summary>The Bicep files compile without a warning, and make what the Azure overlay expects to find.</summary>
public sealed partial class BicepTests : IDisposable
{
    private static readonly string Bicep =
        typeof(BicepTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "Bicep").Value!;

    private static readonly Lazy<string> Compiled = new(() => Compile(Repository.PathOf("infra/azure/main.bicep")));
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bicep-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Template_OfTheFiles_MakesWhatTheOverlayExpects() => ProblemsOf(Compiled.Value, Overlay.Render("azure")).ShouldBeEmpty();

    [Theory]
    [InlineData("\"upcycler\"", "\"upcicler\"", "no identity for upcycler")]
    [InlineData("system:serviceaccount:", "system:serviceaccounts:", "federated")]
    [InlineData("\"espalier.dev/device\": \"cuda\"", "\"espalier.dev/device\": \"gpu\"", "no nodes of class cuda")]
    [InlineData("administrator-key", "admin-key", "no secret administrator-key")]
    [InlineData("\"KEY_VAULT\":", "\"VAULT\":", "no output KEY_VAULT")]
    [InlineData("\"allowSharedKeyAccess\": false", "\"allowSharedKeyAccess\": true", "keys")]
    public void Template_Wrong_IsFound(string right, string wrong, string expected)
    {
        Compiled.Value.ShouldContain(right);

        ProblemsOf(Compiled.Value.Replace(right, wrong, StringComparison.Ordinal), Overlay.Render("azure")).ShouldContain(p => p.Contains(expected));
    }

    [Fact]
    public void Compile_PropertyThatDoesNotExist_IsRefused()
    {
        var file = Path.Combine(_folder.FullName, "main.bicep");
        File.WriteAllText(file, File.ReadAllText(Repository.PathOf("infra/azure/modules/store.bicep")).Replace("accessTier", "accesTier"));

        Should.Throw<InvalidOperationException>(() => Compile(file)).Message.ShouldContain("accesTier");
    }

    /// <summary>Warnings are errors.</summary>
    private static string Compile(string file)
    {
        var (code, output, errors) = Tool.TryRun(Bicep, ["build", file, "--stdout"]);
        return code == 0 && !errors.Contains("Warning", StringComparison.Ordinal) ? output : throw new InvalidOperationException(errors);
    }

    private static IEnumerable<string> ProblemsOf(string template, Overlay overlay)
    {
        var root = JsonDocument.Parse(template).RootElement;
        var variables = root.GetProperty("variables");
        var services = variables.GetProperty("services").EnumerateArray().Select(s => s.GetString()!).ToList();
        foreach (var account in ServiceAccounts.All.Select(a => a.Name).Except(services))
            yield return $"There is no identity for {account}.";
        var withIdentity = overlay.Of<V1ServiceAccount>().Where(a => a.Metadata.Annotations?.ContainsKey("azure.workload.identity/client-id") == true)
            .Select(a => a.Metadata.Name);
        if (!withIdentity.Order().SequenceEqual(services.Append("rabbitmq").Order()))
            yield return "The overlay's service accounts with an identity are not those of the template.";
        if (variables.GetProperty("namespace").GetString() != "espalier" || !template.Contains("system:serviceaccount:", StringComparison.Ordinal))
            yield return "The federated credentials are for other service accounts.";

        foreach (var device in new[] { "cpu", "cuda" })
        {
            if (!template.Contains($"\"espalier.dev/device\": \"{device}\"", StringComparison.Ordinal))
                yield return $"There are no nodes of class {device}.";
        }
        var outputs = root.GetProperty("outputs").EnumerateObject().Select(o => o.Name).ToHashSet();
        foreach (var line in File.ReadLines(Repository.PathOf("infra/kubernetes/overlays/azure/values.env")).Select(l => l.Split('=')[0]))
        {
            if (!outputs.Contains(line) && !services.Append("rabbitmq").Any(s => line == $"CLIENT_ID_{s.ToUpperInvariant().Replace('-', '_')}"))
                yield return $"There is no output {line}.";
        }
        var secrets = services.Select(s => $"broker-password-{s}").Concat(Name().Matches(template).Select(m => m.Groups[1].Value)).ToHashSet();
        foreach (var read in overlay.Of<SecretProviderClass>().SelectMany(c => c.Spec.SecretObjects).SelectMany(s => s.Data).Select(d => d.ObjectName))
        {
            if (!secrets.Contains(read) && !(read.StartsWith("database-", StringComparison.Ordinal) && services.Contains(read["database-".Length..])))
                yield return $"There is no secret {read}.";
        }
        if (!template.Contains("\"allowSharedKeyAccess\": false", StringComparison.Ordinal))
            yield return "The store can be opened with keys.";
    }

    [GeneratedRegex("\"value\": \"([a-z]+-key)\"", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
