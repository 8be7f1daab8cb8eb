using System.Data.Common;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Text;
using Npgsql;

namespace Espalier.Orchestrator.Api;

/// <summary>
/// Answers bad requests with what is wrong with them, and what is away with 503 and its reason (RFC 9457): an answer of 500 is a fault
/// of the program, and of nothing else.
/// </summary>
internal sealed class RefusalFilter(LedgerDatabase database) : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (Hostile(context.HttpContext.Request) is { } found)
            return Problem($"The request's address holds {found}.", StatusCodes.Status400BadRequest);
        try
        {
            return await next(context).ConfigureAwait(false);
        }
        catch (BadHttpRequestException e)
        {
            return Problem(e.Message, e.StatusCode);
        }
        catch (UserInputException e)
        {
            return Problem(e.Message, StatusCodes.Status422UnprocessableEntity);
        }
        catch (RunIdTakenException e)
        {
            return Problem(e.Message, StatusCodes.Status409Conflict);
        }
        catch (MissingBlobException e)
        {
            return Problem($"{e.Message} It was made, but its bytes are gone.", StatusCodes.Status410Gone);
        }
        catch (InvalidDataException e)
        {
            return Problem($"What the store has of it is damaged: {e.Message}", StatusCodes.Status502BadGateway);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter)
        {
            return Problem("A text holds a character that the database cannot keep.", StatusCodes.Status422UnprocessableEntity);
        }
        catch (DbException e) when (database.Dialect.IsUnavailable(e))
        {
            return Problem("The ledger does not answer: try again soon.", StatusCodes.Status503ServiceUnavailable);
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            return Problem(StoreFailure.Describe(e), StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static string? Hostile(HttpRequest request) =>
        request.RouteValues.Values.OfType<string>()
            .Concat(request.Query.Select(q => q.Key)).Concat(request.Query.SelectMany(q => q.Value).OfType<string>())
            .Select(text => HostileText.Find(text)).FirstOrDefault(found => found is not null);

    private static IResult Problem(string message, int status) => TypedResults.Problem(message, statusCode: status);
}
