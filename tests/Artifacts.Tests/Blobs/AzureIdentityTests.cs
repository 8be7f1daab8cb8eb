using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using Espalier.Artifacts.Blobs;
using Espalier.TestKit.Servers;

namespace Espalier.Artifacts.Tests.Blobs;

/// <summary>
/// A store that is opened with a managed identity: the real client asks the identity endpoint of its host, here one of the
/// test, and the real emulator, with TLS and OAuth on, checks the token.
/// </summary>
public sealed class AzureIdentityTests(AzureIdentityTests.SecureAzurite server) : IClassFixture<AzureIdentityTests.SecureAzurite>
{
    private const string EndpointVariable = "IDENTITY_ENDPOINT", HeaderVariable = "IDENTITY_HEADER", Secret = "of-this-host";

    [Fact]
    public async Task Open_UrlWithoutSignature_UsesTheIdentityOfTheProcess()
    {
        var asked = 0;
        using var listener = new HttpListener();
        var endpoint = $"http://127.0.0.1:{AzuriteServer.FreePort()}/token/";
        listener.Prefixes.Add(endpoint);
        listener.Start();
        var answering = AnswerAsync(listener, () => asked++);
        Environment.SetEnvironmentVariable(EndpointVariable, endpoint);
        Environment.SetEnvironmentVariable(HeaderVariable, Secret);
        try
        {
            var name = AzuriteServer.NewContainerName();
            using var trusting = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, certificate, _, _) => certificate!.GetCertHashString() == server.Certificate };
            var options = new BlobClientOptions { Transport = new HttpClientTransport(trusting) };
            await new BlobContainerClient(server.ConnectionString.Replace("http", "https", StringComparison.Ordinal).Replace("Protocol=httpss", "Protocol=https", StringComparison.Ordinal), name, options).CreateAsync();

            var store = AzureBlobStore.Open($"https://127.0.0.1:{server.Port}/devstoreaccount1", name, options);
            var receipt = await store.PutAsync("hello"u8.ToArray(), CancellationToken.None);

            receipt.IsNew.ShouldBeTrue();
            (await store.ExistsAsync(receipt.Digest, CancellationToken.None)).ShouldBeTrue();
            asked.ShouldBe(1, "one token serves until it expires");
        }
        finally
        {
            Environment.SetEnvironmentVariable(EndpointVariable, null);
            Environment.SetEnvironmentVariable(HeaderVariable, null);
            listener.Stop();
            await answering;
        }
    }

    /// <summary>As the identity endpoint of an Azure host answers.</summary>
    private static async Task AnswerAsync(HttpListener listener, Action count)
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            var isRight = context.Request.Headers["X-IDENTITY-HEADER"] == Secret && context.Request.QueryString["resource"] == "https://storage.azure.com";
            context.Response.StatusCode = isRight ? 200 : 400;
            context.Response.ContentType = "application/json";
            count();
            var expires = DateTimeOffset.UtcNow.AddHours(2);
            await context.Response.OutputStream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(new
            {
                access_token = Token(expires), expires_on = $"{expires.ToUnixTimeSeconds()}", resource = "https://storage.azure.com", token_type = "Bearer",
            }));
            context.Response.Close();
        }
    }

    /// <summary>A token as the emulator wants it: it checks issuer, audience and times, and cannot check a signature.</summary>
    private static string Token(DateTimeOffset expires)
    {
        var from = DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeSeconds();
        var claims = new { aud = "https://storage.azure.com", iss = "https://sts.windows.net/00000000-0000-0000-0000-000000000000/", iat = from, nbf = from, exp = expires.ToUnixTimeSeconds() };
        return $"{Part(new { alg = "RS256", typ = "JWT" })}.{Part(claims)}.{Encode("unsigned"u8)}";
    }

    private static string Part(object value) => Encode(JsonSerializer.SerializeToUtf8Bytes(value));

    private static string Encode(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

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
