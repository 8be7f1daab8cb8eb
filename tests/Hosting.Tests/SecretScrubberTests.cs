using Microsoft.Extensions.Configuration;

namespace Espalier.Hosting.Tests;

public sealed class SecretScrubberTests
{
    [Theory]
    [InlineData("connect to amqp://svc:hunter22@broker:5672/x failed", "connect to amqp://***@broker:5672/x failed")]
    [InlineData("Host=db;Username=u;Password=s3cr3t-pw;Port=5", "Host=db;Username=u;Password=***;Port=5")]
    [InlineData("https://a.blob/x?sv=1&sig=abc%2Fdef&se=2", "https://a.blob/x?sv=1&sig=***&se=2")]
    [InlineData("nothing to hide at http://host/path", "nothing to hide at http://host/path")]
    public void Scrub_Credentials_AreHidden(string text, string expected) =>
        new SecretScrubber([]).Scrub(text).ShouldBe(expected);

    [Fact]
    public void Scrub_SettingsThatAreSecret_AreHiddenWhereverTheyShow()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["messaging:password"] = "correct-horse",
            ["orchestrator:connection"] = "Host=db;Password=battery-staple",
            ["messaging:user-name"] = "svc",
        }).Build();

        new SecretScrubber(configuration).Scrub("correct-horse and battery-staple of svc").ShouldBe("*** and *** of svc");
    }
}
