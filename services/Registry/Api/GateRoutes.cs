using Espalier.Contracts;
using Espalier.Registry.Gates;
using Espalier.Registry.Queries;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>Gates of a model, and approvals of its versions.</summary>
internal static class GateRoutes
{
    private const int MostDecisions = 50;
    private const string Approvals = "/models/{name}/versions/{version:int}/approvals";

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder promoter, RouteGroupBuilder admin)
    {
        viewer.MapGet("/models/{name}/gates", ListAsync)
            .WithName("listGates").WithSummary("The gates of a model's aliases, and what they said lately.");
        admin.MapPut("/models/{name}/gates", ReplaceAsync).WithName("replaceGates").WithSummary("Replaces the gates of a model.");
        viewer.MapGet(Approvals, ApprovalsAsync).WithName("listApprovals").WithSummary("Who approved or rejected the version for which alias.");
        promoter.MapPost(Approvals, ApproveAsync).WithName("approve").WithSummary("Approves or rejects the version for an alias.");
    }

    private static async Task<Ok<GatesView>> ListAsync(string name, PromotionGates gates, ModelQueries queries, CancellationToken cancellationToken)
    {
        await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false);
        var items = await gates.ListAsync(name, cancellationToken).ConfigureAwait(false);
        var decisions = await gates.DecisionsAsync(name, MostDecisions, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new GatesView(items, decisions));
    }

    private static async Task<Ok<GatesView>> ReplaceAsync(
        string name, GateRules body, PromotionGates gates, ModelQueries queries, HttpContext http, CancellationToken cancellationToken)
    {
        await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false);
        await gates.ReplaceAsync(name, body.Items ?? [], http.Actor(), cancellationToken).ConfigureAwait(false);
        return await ListAsync(name, gates, queries, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Ok<ApprovalList>> ApprovalsAsync(
        string name, int version, PromotionGates gates, ModelRegistry registry, CancellationToken cancellationToken)
    {
        await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new ApprovalList(await gates.ApprovalsAsync(name, version, cancellationToken).ConfigureAwait(false)));
    }

    private static async Task<Ok<ApprovalList>> ApproveAsync(
        string name, int version, Verdict body, PromotionGates gates, ModelRegistry registry, HttpContext http, CancellationToken cancellationToken)
    {
        await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var approve = body.Approves ?? throw new UserInputException("The verdict is 'approve' or 'reject'.");
        await gates.ApproveAsync(name, version, body.Alias ?? "", approve, body.Reason ?? "", http.Actor(), cancellationToken).ConfigureAwait(false);
        return await ApprovalsAsync(name, version, gates, registry, cancellationToken).ConfigureAwait(false);
    }
}

/// <summary>Gates and the newest decisions.</summary>
public sealed record GatesView(IReadOnlyList<Gate> Items, IReadOnlyList<GateDecision> Decisions);

/// <summary>Approvals and rejections.</summary>
public sealed record ApprovalList(IReadOnlyList<Approval> Items);

/// <summary>Gates to set.</summary>
public sealed record GateRules(IReadOnlyList<Gate>? Items);

/// <summary>A verdict: <c>approve</c> or <c>reject</c>.</summary>
public sealed record Verdict(string? Alias, [property: System.Text.Json.Serialization.JsonPropertyName("verdict")] string? Word, string? Reason)
{
    internal bool? Approves => Word switch { "approve" or "approved" => true, "reject" or "rejected" => false, _ => null };
}
