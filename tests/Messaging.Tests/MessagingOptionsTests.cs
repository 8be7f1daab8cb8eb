using Espalier.Contracts;

namespace Espalier.Messaging.Tests;

public sealed class MessagingOptionsTests
{
    [Fact]
    public void Validate_Defaults_Pass() => Should.NotThrow(() => new MessagingOptions().Validate());

    [Fact]
    public void Validate_SeveralWrongSettings_NamesEachWithValueAndRange()
    {
        var options = new MessagingOptions { RequestTimeout = TimeSpan.Zero, DeliveryLimit = 1000 };

        var problems = Should.Throw<UserInputException>(options.Validate).Problems;

        problems.Select(p => p.Place).ShouldBe(["messaging:request-timeout", "messaging:delivery-limit"]);
        problems[1].Message.ShouldBe("1000 is out of range: allowed is 1 to 100.");
    }

    [Theory]
    [InlineData("amqp://broker.example:5672/", "messaging:user-name")]
    [InlineData("amqp://a:b@127.0.0.1:5672/", "messaging:broker")]
    [InlineData("http://127.0.0.1/", "messaging:broker")]
    public void Validate_UnsafeOrUnknownBroker_IsRefused(string broker, string place)
    {
        var options = new MessagingOptions { Transport = MessagingTransport.RabbitMq, Broker = new Uri(broker) };

        var problem = Should.Throw<UserInputException>(options.Validate).Problems.ShouldHaveSingleItem();

        problem.Place.ShouldBe(place);
        problem.Message.ShouldNotContain("a:b");
    }
}
