using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Espalier.Registry.Api;

/// <summary>What <c>/openapi/v1.json</c> says about the whole API.</summary>
internal static class RegistryDocument
{
    public static void Describe(OpenApiOptions options) => options.AddDocumentTransformer((document, _, _) =>
    {
        document.Info = new OpenApiInfo
        {
            Title = "Espalier registry",
            Version = "v1",
            Description = "Models, versions, aliases, lineage. Keys go into the header: Authorization: Bearer KEY.",
        };
        document.Servers = null; // the document's own address may be behind a proxy
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        document.Components.SecuritySchemes["key"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("key", document)] = [] }];
        return Task.CompletedTask;
    });
}
