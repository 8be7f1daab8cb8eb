using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Hosting;
using Espalier.Orchestrator;
using Espalier.Orchestrator.Api;
using Espalier.TestKit.Servers;
using Espalier.TestKit.Services.Registry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using NJsonSchema.CodeGeneration.CSharp;
using NSwag;
using NSwag.CodeGeneration.CSharp;
using NSwag.CodeGeneration.OperationNameGenerators;

namespace Espalier.Cli.Tests.Client;

/// <summary>
/// The documents of both APIs and the client that is made from them, as they are kept in the sources: what the servers say now. With
/// <c>ESPALIER_WRITE_CLIENT=1</c> the files are written anew instead.
/// </summary>
public sealed class ApiDocumentTests : IDisposable
{
    private const string Page = "PageOf", Session = "/api/v1/session";
    private static readonly bool Writes = Environment.GetEnvironmentVariable("ESPALIER_WRITE_CLIENT") == "1";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Orchestrator_DocumentAndClient_AreThoseInTheSources()
    {
        string[] args =
        [
            $"--orchestrator:connection=Data Source={_cli.PathOf("ledger.db")}", $"--store:location=file:{_cli.PathOf("store")}",
            "--orchestrator-api:key=esp_0123456789abcdef",
        ];
        await using var app = ServiceHost.Build("orchestrator", args, builder =>
        {
            builder.AddOrchestratorService();
            builder.Logging.ClearProviders();
        }, routes => routes.MapRunsApi());
        await app.StartAsync();
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };

        await IsKeptAsync("services/Orchestrator/openapi.json", await ReadAsync(client));
        await ClientIsMadeFromItAsync(
            "Orchestrator", "Espalier.Messaging.Broker", "Espalier.Orchestrator.Api", "Espalier.Orchestrator.Ledger", "Espalier.Orchestrator.Results",
            "Espalier.Orchestrator.Scheduling", "Espalier.Orchestrator.Triggers", "Espalier.Pipelines.Reference");
        await app.StopAsync();
    }

    [Fact]
    public async Task Registry_DocumentAndClient_AreThoseInTheSources()
    {
        await using var server = await RegistryServer.StartAsync();
        using var client = server.Client();

        await IsKeptAsync("services/Registry/openapi.json", await ReadAsync(client));
        await ClientIsMadeFromItAsync(
            "Registry", "Espalier.Artifacts.Uploads", "Espalier.Registry", "Espalier.Registry.Api", "Espalier.Registry.Comparisons",
            "Espalier.Registry.Datasets", "Espalier.Registry.Gates", "Espalier.Registry.Lineages", "Espalier.Registry.Queries",
            "Espalier.Registry.Signing", "Espalier.Registry.Storage",
            "Verification = Espalier.Registry.Signing.Verification");
    }

    private static async Task ClientIsMadeFromItAsync(string service, params string[] namespaces)
    {
        var document = await OpenApiDocument.FromJsonAsync(await File.ReadAllTextAsync(Repository.PathOf($"services/{service}/openapi.json")));
        foreach (var (path, item) in document.Paths.ToList())
        {
            foreach (var (method, operation) in item.Where(o => path == Session || !IsCalled(o.Value)).ToList())
                item.Remove(method);
            if (item.Count == 0)
                document.Paths.Remove(path);
        }
        var pages = document.Definitions.Keys.Where(name => name.StartsWith(Page, StringComparison.Ordinal))
            .Select(name => $"{name} = Espalier.Registry.Queries.Page<Espalier.Registry.Api.{name[Page.Length..]}>");
        var settings = new CSharpClientGeneratorSettings
        {
            ClassName = $"{service}Api",
            GenerateDtoTypes = false, // the records of the services themselves
            GenerateExceptionClasses = false,
            OperationNameGenerator = new SingleClientFromOperationIdOperationNameGenerator(),
            AdditionalNamespaceUsages = ["System.Text.Json", "Espalier.Contracts", .. namespaces, .. pages],
            GenerateOptionalParameters = true,
            ResponseArrayType = "IReadOnlyList",
            ParameterArrayType = "IEnumerable",
        };
        settings.CSharpGeneratorSettings.Namespace = "Espalier.Cli.Client.Generated";
        settings.CSharpGeneratorSettings.JsonLibrary = CSharpJsonLibrary.SystemTextJson;
        settings.CSharpGeneratorSettings.GenerateNullableReferenceTypes = true;
        settings.CSharpGeneratorSettings.TemplateDirectory = Repository.PathOf("tests/Cli.Tests/Client/Templates");
        var code = new CSharpClientGenerator(document, settings).GenerateFile().ReplaceLineEndings("\n");

        await IsKeptAsync($"services/Cli/Client/Generated/{service}Api.g.cs", code);
    }

    /// <summary>What answers in bytes or as a stream of events is read otherwise, and sessions are for browsers.</summary>
    private static bool IsCalled(OpenApiOperation operation) =>
        operation.OperationId is not null
        && (operation.RequestBody is null || operation.RequestBody.Content.Keys.All(type => type is "application/json" or "application/yaml"))
        && operation.Responses.Any(r => r.Key.StartsWith('2') && (r.Key == "204" || r.Value.Content.ContainsKey("application/json")));

    private static async Task<string> ReadAsync(HttpClient client)
    {
        var document = JsonNode.Parse(await client.GetStringAsync("/openapi/v1.json"))!;
        return document.ToJsonString(Indented) + "\n";
    }

    private static async Task IsKeptAsync(string file, string expected)
    {
        var path = Repository.PathOf(file);
        if (Writes)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, expected);
        }
        (await File.ReadAllTextAsync(path)).ShouldBe(expected, $"{file} is not what the servers say: run these tests once with ESPALIER_WRITE_CLIENT=1");
    }
}
