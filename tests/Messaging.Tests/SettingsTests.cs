using Espalier.Contracts;
using Microsoft.Extensions.Configuration;

namespace Espalier.Messaging.Tests;

public sealed class SettingsTests
{
    [Fact]
    public void Read_AnySpelling_IsTheSameSetting()
    {
        var options = Read(("messaging:transport", "rabbit-mq"), ("messaging:request_timeout", "00:00:07"), ("messaging:USERNAME", "svc"));

        (options.Transport, options.RequestTimeout, options.UserName).ShouldBe((MessagingTransport.RabbitMq, TimeSpan.FromSeconds(7), "svc"));
    }

    [Fact]
    public void Read_UnknownSetting_NamesItAndWhatThereIs()
    {
        var problem = Should.Throw<UserInputException>(() => Read(("messaging:brocker", "x"))).Problems.ShouldHaveSingleItem();

        problem.Place.ShouldBe("messaging:brocker");
        problem.Message.ShouldContain("broker");
    }

    [Fact]
    public void Read_ValueOfTheWrongKind_IsRefused() =>
        Should.Throw<UserInputException>(() => Read(("messaging:delivery-limit", "many"))).Message.ShouldContain("many");

    private static MessagingOptions Read(params (string Key, string Value)[] values) =>
        Settings.Read<MessagingOptions>(
            new ConfigurationBuilder().AddInMemoryCollection(values.ToDictionary(v => v.Key, v => (string?)v.Value)).Build(), MessagingOptions.Section);
}
