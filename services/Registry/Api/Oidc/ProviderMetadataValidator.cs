using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;

namespace Espalier.Registry.Api.Oidc;

/// <summary>Accepts an identity provider's metadata when it is the issuer's own and every endpoint is encrypted or on this machine.</summary>
internal sealed class ProviderMetadataValidator(string issuer) : IConfigurationValidator<OpenIdConnectConfiguration>
{
    public ConfigurationValidationResult Validate(OpenIdConnectConfiguration configuration)
    {
        string?[] endpoints = [configuration.AuthorizationEndpoint, configuration.TokenEndpoint, configuration.JwksUri];
        var error = configuration.Issuer != issuer ? $"The issuer calls itself '{configuration.Issuer}', not '{issuer}'."
            : endpoints.FirstOrDefault(address => !IsSecure(address)) is { } insecure ? $"The issuer's endpoint '{insecure}' is not an https address."
            : null;
        return new ConfigurationValidationResult { Succeeded = error is null, ErrorMessage = error };
    }

    private static bool IsSecure(string? address) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttps || uri.IsLoopback);
}
