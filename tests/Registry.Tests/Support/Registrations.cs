using System.Text;
using Espalier.Contracts;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Support;

/// <summary>Registrations and requests as nearly every test needs them.</summary>
internal static class Registrations
{
    /// <summary>Registers a checkpoint of the server's store; its root is the step key.</summary>
    public static async Task<ModelVersion> RegisterAsync(this RegistryServer server, string model, ManifestRef checkpoint) =>
        (await server.RegisterAsync(new Registration { Model = model, Checkpoint = checkpoint, StepKey = checkpoint.Root })).Version;

    /// <summary>Registers a checkpoint of the server's store.</summary>
    public static Task<(ModelVersion Version, bool IsNew)> RegisterAsync(this RegistryServer server, Registration registration) =>
        server.Get<VersionRegistrar>().RegisterAsync(server.Store, registration, default);

    /// <summary>A request with a text as its body; without a body for an empty text.</summary>
    public static HttpRequestMessage Request(string method, string path, string body, string type = "application/json") =>
        new(new HttpMethod(method), path) { Content = body.Length == 0 ? null : new StringContent(body, Encoding.UTF8, type) };
}
