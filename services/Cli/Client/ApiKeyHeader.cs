using System.Net.Http.Headers;
using Espalier.Contracts;

namespace Espalier.Cli.Client;

/// <summary>An API key as a header.</summary>
internal static class ApiKeyHeader
{
    /// <exception cref="UserInputException">The text cannot be a key.</exception>
    public static AuthenticationHeaderValue Of(string key) => key.Length > 0 && key.All(c => c is > ' ' and < '\u007f')
        ? new AuthenticationHeaderValue("Bearer", key)
        : throw new UserInputException("This is not an API key: keys are plain characters without spaces. See espalier keys list.");
}
