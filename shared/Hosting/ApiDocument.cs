using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace Espalier.Hosting;

/// <summary>What <c>/openapi/v1.json</c> says about an API. The typed clients of the command line and of the portal are made from it.</summary>
public static class ApiDocument
{
    private const string Scheme = "key", Problem = "application/problem+json";

    /// <summary>Adds the document.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="title">What the API is called.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="texts">Types whose values are written as text, and the pattern of it: their converters cannot tell.</param>
    public static IServiceCollection AddApiDocument(
        this IServiceCollection services, string title, string description, IReadOnlyDictionary<Type, string> texts) =>
        services.AddOpenApi("v1", options => options
            .AddDocumentTransformer((document, _, _) =>
            {
                document.Info = new OpenApiInfo { Title = title, Version = "v1", Description = description };
                document.Servers = null; // the document's own address may be behind a proxy
                document.Components ??= new OpenApiComponents();
                document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
                document.Components.SecuritySchemes[Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer" };
                document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
                WrittenProperties.Describe(document);
                return Task.CompletedTask;
            })
            .AddSchemaTransformer((schema, context, _) =>
            {
                var own = context.JsonTypeInfo.Type;
                if (texts.TryGetValue(Nullable.GetUnderlyingType(own) ?? own, out var pattern))
                    (schema.Type, schema.Pattern) = (JsonSchemaType.String, pattern);
                // The generator looks at setters, and takes what has none for something that may be null.
                if (context.JsonPropertyInfo is { Set: null, IsGetNullable: false } && schema.Type is { } type)
                    schema.Type = type & ~JsonSchemaType.Null;
                return Task.CompletedTask;
            })
            .AddOperationTransformer((operation, _, _) =>
            {
                operation.Responses ??= [];
                operation.Responses["default"] = new OpenApiResponse
                {
                    Description = "Refused: detail is the reason (RFC 9457).",
                    Content = new Dictionary<string, OpenApiMediaType> { [Problem] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.Object } } },
                };
                return Task.CompletedTask;
            }));

    /// <summary>Maps the document.</summary>
    public static void MapApiDocument(this IEndpointRouteBuilder routes) => routes.MapOpenApi("/openapi/{documentName}.json");

    /// <summary>Names an operation, as clients call it, says in a sentence what it is for, and what it answers.</summary>
    public static RouteHandlerBuilder Describe<T>(this RouteHandlerBuilder route, string name, string summary, int status = StatusCodes.Status200OK) =>
        route.WithName(name).WithSummary(summary).Produces<T>(status);

    /// <summary>Describes the body as text of this media type; any other is taken as well, since tools send what they like.</summary>
    public static RouteHandlerBuilder WithTextBody(this RouteHandlerBuilder route, string mediaType, string description) =>
        route.AddOpenApiOperationTransformer((operation, _, _) =>
        {
            operation.RequestBody = new OpenApiRequestBody
            {
                Required = true,
                Description = description,
                Content = new Dictionary<string, OpenApiMediaType> { [mediaType] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.String } } },
            };
            return Task.CompletedTask;
        });
}
