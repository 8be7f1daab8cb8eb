using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Registry.Gates;
using Espalier.Registry.Search;
using Npgsql;

namespace Espalier.Registry.Api;

/// <summary>Turns what the registry throws into problem details (RFC 9457).</summary>
internal sealed class RefusalFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context).ConfigureAwait(false);
        }
        catch (NotFoundException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status404NotFound);
        }
        catch (GateRefusedException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status409Conflict, extensions: new Dictionary<string, object?> { ["gate"] = e.Gate, ["rule"] = e.Rule, ["failed"] = e.Failed });
        }
        catch (SearchException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest, extensions: new Dictionary<string, object?> { ["position"] = e.Position, ["reason"] = e.Reason });
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.CharacterNotInRepertoire)
        {
            return TypedResults.Problem("A text holds a NUL character.", statusCode: StatusCodes.Status422UnprocessableEntity);
        }
        catch (MissingBlobException e)
        {
            return TypedResults.Problem($"{e.Message} It was registered, but its bytes are gone.", statusCode: StatusCodes.Status410Gone);
        }
        catch (InvalidDataException e) when (e.InnerException is DamagedBlobException)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status410Gone);
        }
        catch (UserInputException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status422UnprocessableEntity);
        }
    }
}

/// <summary>There is no such model, version or file.</summary>
internal sealed class NotFoundException(string message) : Exception(message);
