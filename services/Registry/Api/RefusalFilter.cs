using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

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
        catch (MissingBlobException e)
        {
            return TypedResults.Problem($"{e.Message} It was registered, but its bytes are gone.", statusCode: StatusCodes.Status410Gone);
        }
        catch (UserInputException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status422UnprocessableEntity);
        }
    }
}

/// <summary>There is no such model, version or file.</summary>
internal sealed class NotFoundException(string message) : Exception(message);
