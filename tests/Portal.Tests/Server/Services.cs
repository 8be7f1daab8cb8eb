using Microsoft.Extensions.DependencyInjection;

namespace Espalier.Portal.Tests.Server;

/// <summary>What results need to write themselves.</summary>
internal static class Services
{
    public static IServiceProvider Problems { get; } = new ServiceCollection().AddLogging().AddProblemDetails().BuildServiceProvider();
}
