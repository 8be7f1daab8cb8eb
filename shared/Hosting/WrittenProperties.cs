using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace Espalier.Hosting;

/// <summary>
/// Makes a document say what the servers write: a property that is null is left out, so none is null; one that cannot be null is always there,
/// except in what a client sends, where its default may stand in for it.
/// </summary>
internal static class WrittenProperties
{
    public static void Describe(OpenApiDocument document)
    {
        var sent = new HashSet<string>(StringComparer.Ordinal);
        var operations = document.Paths.Values.SelectMany(path => path.Operations?.Values.ToList() ?? []);
        foreach (var body in operations.Select(o => o.RequestBody).OfType<IOpenApiRequestBody>())
        {
            foreach (var schema in body.Content?.Values.Select(c => c.Schema).ToList() ?? [])
                Collect(schema, sent);
        }
        foreach (var (name, schema) in document.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        {
            if (schema is OpenApiSchema { Enum: { } words } choice)
                choice.Enum = [.. words.OfType<JsonNode>()];
            if (schema is OpenApiSchema { Properties: { } properties } described)
                Describe(described, properties, isSent: sent.Contains(name));
        }
    }

    private static void Describe(OpenApiSchema schema, IDictionary<string, IOpenApiSchema> properties, bool isSent)
    {
        schema.Required ??= new HashSet<string>();
        foreach (var (name, property) in properties.ToList())
        {
            if (WithoutNull(property) is { } some)
            {
                properties[name] = some;
                schema.Required.Remove(name);
            }
            else if (!isSent)
            {
                schema.Required.Add(name);
            }
        }
    }

    /// <summary>The schema of a property that may be null, without null; null for one that may not.</summary>
    private static IOpenApiSchema? WithoutNull(IOpenApiSchema schema)
    {
        if (schema is not OpenApiSchema own)
            return null;
        if (own.Type is { } type && type.HasFlag(JsonSchemaType.Null) && type != JsonSchemaType.Null)
        {
            own.Type = type & ~JsonSchemaType.Null;
            return own;
        }
        var others = own.OneOf?.Where(s => s.Type != JsonSchemaType.Null).ToList();
        return others is [var other] && own.OneOf!.Count == 2 ? other : null;
    }

    private static void Collect(IOpenApiSchema? schema, HashSet<string> names)
    {
        if (schema is null || schema is OpenApiSchemaReference { Reference.Id: { } id } && !names.Add(id))
            return;
        foreach (var part in (schema.Properties?.Values.ToList() ?? []).Concat(schema.OneOf ?? []).Concat(schema.AnyOf ?? []).Concat(schema.AllOf ?? []))
            Collect(part, names);
        Collect(schema.Items, names);
        Collect(schema.AdditionalProperties, names);
    }
}
