using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.TestKit.Servers;

namespace Espalier.Artifacts.Tests.Blobs;

/// <summary>
/// A store that is opened with a managed identity: the real client asks the identity endpoint of its host, here one of the
/// test, and the real emulator, with TLS and OAuth on, checks the token.
/// </summary>
public sealed class AzureIdentityTests(AzureIdentityTests.SecureAzurite server) : IClassFixture<AzureIdentityTests.SecureAzurite>
{
    private const string EndpointVariable = "IDENTITY_ENDPOINT", HeaderVariable = "IDENTITY_HEADER", Secret = "of-this-host";

    /// <summary>The endpoint of the test refuses them, and no token of another test is in the library's cache for them.</summary>
    private static readonly TokenRequestContext Refused = new(["https://refused.example/.default"]), Unanswered = new(["https://unanswered.example/.default"]);

    [Fact]
    public async Task Open_UrlWithoutSignature_UsesTheIdentityOfTheProcess()
    {
        await using var endpoint = IdentityEndpoint.Start();
        using var _ = Variables((EndpointVariable, endpoint.Address), (HeaderVariable, Secret));
        var name = AzuriteServer.NewContainerName();
        using var trusting = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate!.GetCertHashString() == server.Certificate,
        };
        var options = new BlobClientOptions { Transport = new HttpClientTransport(trusting) };
        await new BlobContainerClient(
            server.ConnectionString.Replace("http", "https", StringComparison.Ordinal).Replace("Protocol=httpss", "Protocol=https", StringComparison.Ordinal),
            name, options).CreateAsync();

        var store = AzureBlobStore.Open($"https://127.0.0.1:{server.Port}/devstoreaccount1", name, options);
        var receipt = await store.PutAsync("hello"u8.ToArray(), CancellationToken.None);

        receipt.IsNew.ShouldBeTrue();
        (await store.ExistsAsync(receipt.Digest, CancellationToken.None)).ShouldBeTrue();
        endpoint.Asked.ShouldBe(1, "one token serves until it expires");
    }

    [Fact]
    public async Task Open_NoIdentity_SaysWhatToDoWithinSeconds()
    {
        using var _ = Variables(("AZURE_TOKEN_CREDENTIALS", "prod"), ("AZURE_POD_IDENTITY_AUTHORITY_HOST", $"http://127.0.0.1:{ServerProcess.FreePort()}"));
        var store = AzureBlobStore.Open("https://127.0.0.1:1/account", "container");

        var problem = await Should.ThrowAsync<UserInputException>(
            () => store.ExistsAsync(Digest.Of("x"u8), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(25)));

        problem.Message.ShouldContain("https://127.0.0.1:1/account");
        problem.Message.ShouldContain("AZURE_CLIENT_ID");
    }

    [Fact]
    public async Task GetToken_IdentityIsRefused_SaysSo()
    {
        await using var endpoint = IdentityEndpoint.Start();
        using var _ = Variables(("AZURE_TOKEN_CREDENTIALS", "prod"), (EndpointVariable, endpoint.Address), (HeaderVariable, Secret));

        var problem = await Should.ThrowAsync<IOException>(
            async () => await new ProcessIdentity(new Uri("https://account"), TimeSpan.FromSeconds(60)).GetTokenAsync(Refused, default));

        problem.Message.ShouldContain("was refused");
    }

    [Fact]
    public async Task GetToken_EndpointNeverAnswers_EndsAtTheLimit()
    {
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        using var _ = Variables(("AZURE_TOKEN_CREDENTIALS", "prod"), (EndpointVariable, $"http://{silent.LocalEndpoint}/token/"), (HeaderVariable, Secret));

        var identity = new Counted(new ProcessIdentity(new Uri("https://account"), TimeSpan.FromSeconds(2)), Unanswered);
        var store = new AzureBlobStore(new BlobContainerClient(new Uri("https://127.0.0.1:1/account/container"), identity));
        var problem = await Should.ThrowAsync<TimeoutException>(() => store.ExistsAsync(Digest.Of("x"u8), CancellationToken.None));

        problem.Message.ShouldContain("did not answer within 2 s");
        identity.Calls.ShouldBe(1, "the storage client asks again after an IOException, each time as long");
    }

    /// <summary>Sets environment variables until it is disposed.</summary>
    private static Restored Variables(params (string Name, string Value)[] variables)
    {
        foreach (var (name, value) in variables)
            Environment.SetEnvironmentVariable(name, value);
        return new Restored([.. variables.Select(v => v.Name)]);
    }

    private sealed class Restored(string[] names) : IDisposable
    {
        public void Dispose()
        {
            foreach (var name in names)
                Environment.SetEnvironmentVariable(name, null);
        }
    }

    /// <summary>Asks for <paramref name="context"/> whatever the client asks for, and counts.</summary>
    private sealed class Counted(TokenCredential inner, TokenRequestContext context) : TokenCredential
    {
        public int Calls { get; private set; }

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new NotSupportedException("the store only asks asynchronously");

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken)
        {
            Calls++;
            return inner.GetTokenAsync(context, cancellationToken);
        }
    }

    /// <summary>Answers as the identity endpoint of an Azure host does.</summary>
    private sealed class IdentityEndpoint : IAsyncDisposable
    {
        private readonly HttpListener _listener = new();
        private Task _answering = Task.CompletedTask;

        public string Address { get; } = $"http://127.0.0.1:{ServerProcess.FreePort()}/token/";

        public int Asked { get; private set; }

        public static IdentityEndpoint Start()
        {
            var endpoint = new IdentityEndpoint();
            endpoint._listener.Prefixes.Add(endpoint.Address);
            endpoint._listener.Start();
            endpoint._answering = endpoint.AnswerAsync();
            return endpoint;
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _answering;
            _listener.Close();
        }

        private async Task AnswerAsync()
        {
            try
            {
                while (true)
                    await AnswerAsync(await _listener.GetContextAsync());
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // The listener was stopped: while it waited, or between an answer's last byte and the end of its closing.
            }
        }

        private async Task AnswerAsync(HttpListenerContext context)
        {
            Asked++;
            var isRight = context.Request.Headers["X-IDENTITY-HEADER"] == Secret && context.Request.QueryString["resource"] == "https://storage.azure.com";
            context.Response.StatusCode = isRight ? 200 : 400;
            context.Response.ContentType = "application/json";
            var expires = DateTimeOffset.UtcNow.AddHours(2);
            await context.Response.OutputStream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new
            {
                access_token = Token(expires), expires_on = $"{expires.ToUnixTimeSeconds()}", resource = "https://storage.azure.com", token_type = "Bearer",
            }));
            context.Response.Close();
        }

        /// <summary>A token as the emulator wants it: it checks issuer, audience and times, and cannot check a signature.</summary>
        private static string Token(DateTimeOffset expires)
        {
            var from = DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeSeconds();
            var claims = new
            {
                aud = "https://storage.azure.com",
                iss = "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
                iat = from,
                nbf = from,
                exp = expires.ToUnixTimeSeconds(),
            };
            return $"{Part(new { alg = "RS256", typ = "JWT" })}.{Part(claims)}.{Encode("unsigned"u8)}";
        }

        private static string Part(object value) => Encode(JsonSerializer.SerializeToUtf8Bytes(value));

        private static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
    }

    /// <summary>Azurite with a certificate of its own and OAuth.</summary>
    public sealed class SecureAzurite : AzuriteServer
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("azurite-tls-");

        /// <summary>Hash of the certificate.</summary>
        public string Certificate { get; private set; } = "";

        protected override IEnumerable<string> Arguments()
        {
            using var key = RSA.Create(2048);
            var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddDays(1));
            Certificate = certificate.GetCertHashString();
            var (cert, secret) = (Path.Combine(_folder.FullName, "cert.pem"), Path.Combine(_folder.FullName, "key.pem"));
            File.WriteAllText(cert, certificate.ExportCertificatePem(), Encoding.ASCII);
            File.WriteAllText(secret, key.ExportPkcs8PrivateKeyPem(), Encoding.ASCII);
            return ["--oauth", "basic", "--cert", cert, "--key", secret];
        }
    }
}
