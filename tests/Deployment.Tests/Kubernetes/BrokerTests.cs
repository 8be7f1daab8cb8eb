using System.Text;
using System.Text.RegularExpressions;
using Espalier.Deployment.Tests.Manifests;
using Espalier.Messaging.Broker;
using Espalier.TestKit.Servers;
using k8s.Models;

namespace Espalier.Deployment.Tests.Kubernetes;

/// <summary>The broker in the cluster gets the definitions and a password for every account, the one that the service logs in with.</summary>
public sealed partial class BrokerTests
{
    [Fact]
    public void Accounts_OfTheScript_AreThoseOfTheServices() => Loop().Match(Script).Groups[1].Value.Split(' ')
        .ShouldBe(ServiceAccounts.All.Select(a => a.Name), ignoreOrder: true);

    [Fact]
    public void Files_OfTheScript_AreMounted()
    {
        var overlay = Overlay.Render("kind");
        var broker = overlay.Pods.Single(p => p.Name == "rabbitmq");
        var mounts = broker.Container.VolumeMounts;
        var (definitions, script) = (mounts.Single(m => m.SubPath is not null), broker.Container.Command[^1]);
        var files = overlay.Of<V1ConfigMap>().Single(m => m.Metadata.Name == broker.Spec.Volumes.Single(v => v.Name == "accounts").ConfigMap.Name);

        Definitions().Match(Script).Groups[1].Value.ShouldBe(definitions.MountPath);
        script.ShouldStartWith(mounts.Single(m => m.Name == "accounts" && m.SubPath is null).MountPath);
        files.Data.Keys.ShouldBe([Path.GetFileName(script), definitions.SubPath], ignoreOrder: true);
    }

    [Fact]
    public void Passwords_OfTheBroker_AreThoseOfTheServices()
    {
        var overlay = Overlay.Render("kind");
        var given = overlay.EnvironmentOf(overlay.Pods.Single(p => p.Name == "rabbitmq"));

        foreach (var service in overlay.Pods.Where(p => p.Component is "service" or "worker"))
        {
            var own = overlay.EnvironmentOf(service);
            own["ESPALIER__MESSAGING__USER_NAME"].ShouldBe(service.Service);
            own["ESPALIER__MESSAGING__PASSWORD"].ShouldBe(given[$"PASSWORD_{service.Service.ToUpperInvariant().Replace('-', '_')}"]);
        }
    }

    private static string Script => File.ReadAllText(Repository.PathOf("infra/rabbitmq/accounts.sh"), Encoding.UTF8);

    [GeneratedRegex("^for account in (.*); do$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Loop();

    [GeneratedRegex(@"import_definitions (\S+)$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Definitions();
}
