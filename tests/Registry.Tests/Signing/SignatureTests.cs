using System.Net;
using Espalier.Contracts;
using Espalier.Registry.Signing;
using Espalier.Registry.Tests.Support;
using Espalier.TestKit.Services.Registry;

namespace Espalier.Registry.Tests.Signing;

/// <summary>Signatures over manifest roots, and verification of bytes.</summary>
public sealed class SignatureTests : IAsyncLifetime
{
    private RegistryServer _server = null!;
    private ModelVersion _version = null!;

    public async Task InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        var checkpoint = await TinyCheckpoints.CreateAsync(_server.Store, new() { Hidden = 64, ExpertSize = 300 });
        _version = await _server.RegisterAsync("demo", checkpoint);
    }

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public void Sign_ThenVerify_HoldsForThisRootAndKeyOnly()
    {
        using var key = SigningKey.Create();
        using var other = SigningKey.Create();
        var root = Digest.Of("a"u8);

        var signature = key.Sign(root);

        using var restored = SigningKey.Parse(key.PublicPem);
        restored.Verify(root, signature).ShouldBeTrue();
        restored.Verify(Digest.Of("b"u8), signature).ShouldBeFalse();
        other.Verify(root, signature).ShouldBeFalse();
        restored.Id.ShouldBe(key.Id);
        Should.Throw<UserInputException>(() => restored.Sign(root));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")]
    [InlineData("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----")]
    public void Parse_NoKey_IsRefused(string pem) => Should.Throw<UserInputException>(() => SigningKey.Parse(pem));

    [Fact]
    public async Task Put_SignatureByTrustedKey_ShowsInListAndVerify()
    {
        using var key = SigningKey.Create();
        using var admin = _server.Client();
        var trusted = new Dictionary<string, string> { ["name"] = "ada's key", ["public-key"] = key.PublicPem };
        await admin.SendJsonAsync(HttpMethod.Post, "/api/v1/signing-keys", trusted);

        var (status, _) = await admin.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/versions/1/signatures", Body(key, _version.Root));

        status.ShouldBe(HttpStatusCode.OK);
        var signatures = await admin.GetJsonAsync("/api/v1/models/demo/versions/1/signatures");
        signatures.GetProperty("items")[0].GetProperty("trusted-as").GetString().ShouldBe("ada's key");
        (await admin.GetJsonAsync("/api/v1/models/demo/versions/1")).GetProperty("signed").GetBoolean().ShouldBeTrue();
        var (_, verified) = await admin.SendJsonAsync(HttpMethod.Post, "/api/v1/models/demo/versions/1/verify");
        var (count, counted) = (verified.GetProperty("signatures").GetInt32(), verified.GetProperty("trusted").GetInt32());
        (verified.GetProperty("ok").GetBoolean(), count, counted).ShouldBe((true, 1, 1));
    }

    [Fact]
    public async Task Put_SignatureOfAnotherRoot_IsRefused()
    {
        using var key = SigningKey.Create();
        using var admin = _server.Client();

        var (status, _) = await admin.SendJsonAsync(HttpMethod.Put, "/api/v1/models/demo/versions/1/signatures", Body(key, Digest.Of("other"u8)));

        status.ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await admin.GetJsonAsync("/api/v1/models/demo/versions/1/signatures")).GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Verify_DamagedBlob_SaysWhichTensor()
    {
        var manifest = await _server.Store.ReadAsync(_version.Root, default);
        var tensor = manifest.Tensors.First(t => t.Name.Contains("experts.2.up_proj", StringComparison.Ordinal));
        var file = Path.Combine(((Artifacts.Blobs.FileBlobStore)_server.Store.Blobs).Root, "blobs", tensor.Blob.Hex[..2], tensor.Blob.Hex[2..]);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (var stream = File.OpenWrite(file))
            stream.WriteByte(99);

        var found = await _server.Get<VersionVerifier>().VerifyAsync(_server.Store, _version, default);

        found.Ok.ShouldBeFalse();
        found.Problem!.ShouldContain("damaged");
    }

    private static Dictionary<string, string> Body(SigningKey key, Digest root) =>
        new() { ["public-key"] = key.PublicPem, ["signature"] = Convert.ToBase64String(key.Sign(root)) };
}
