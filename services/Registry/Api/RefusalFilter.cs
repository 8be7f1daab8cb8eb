using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Registry.Gates;
using Espalier.Registry.Search;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>Turns what the registry throws into problem details (RFC 9457).</summary>
internal sealed class RefusalFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            RequestText.Check(context.HttpContext.Request);
            return await next(context).ConfigureAwait(false);
        }
        catch (NotFoundException e)
        {
            return Refuse(e.Message, StatusCodes.Status404NotFound);
        }
        catch (GateRefusedException e)
        {
            return Refuse(e.Message, StatusCodes.Status409Conflict, new() { ["gate"] = e.Gate, ["rule"] = e.Rule, ["failed"] = e.Failed });
        }
        catch (SearchException e)
        {
            return Refuse(e.Message, StatusCodes.Status400BadRequest, new() { ["position"] = e.Position, ["reason"] = e.Reason });
        }
        catch (MissingBlobException e)
        {
            return Refuse($"{e.Message} It was registered, but its bytes are gone.", StatusCodes.Status410Gone);
        }
        catch (InvalidDataException e) when (e.InnerException is DamagedBlobException)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status410Gone);
        }
        catch (UserInputException e)
        {
            return Refuse(e.Message, StatusCodes.Status422UnprocessableEntity);
        }
    }

    private static ProblemHttpResult Refuse(string reason, int status, Dictionary<string, object?>? more = null) =>
        TypedResults.Problem(reason, statusCode: status, extensions: more);
}

/// <summary>There is no such model, version or file.</summary>
internal sealed class NotFoundException(string message) : Exception(message);
