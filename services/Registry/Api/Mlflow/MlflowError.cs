using Espalier.Contracts;
using Espalier.Registry.Gates;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>An error as MLflow's clients read it: a code and a message.</summary>
internal sealed class MlflowException(string code, int status, string message) : Exception(message)
{
    public string Code { get; } = code;

    public int Status { get; } = status;

    public static MlflowException Missing(string message) => new("RESOURCE_DOES_NOT_EXIST", StatusCodes.Status404NotFound, message);

    public static MlflowException Exists(string message) => new("RESOURCE_ALREADY_EXISTS", StatusCodes.Status400BadRequest, message);

    public static MlflowException Invalid(string message) => new("INVALID_PARAMETER_VALUE", StatusCodes.Status400BadRequest, message);
}

/// <summary>Turns what the registry throws into MLflow's errors.</summary>
internal sealed class MlflowErrorFilter : IEndpointFilter
{
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            RequestText.Check(context.HttpContext.Request);
            return await next(context).ConfigureAwait(false) switch
            {
                // Refused before it came here: no key, a wrong one, too many, or a role that is not enough.
                ProblemHttpResult refused => Answer(CodeOf(refused.StatusCode), refused.StatusCode, refused.ProblemDetails.Detail ?? ""),
                var answer => answer,
            };
        }
        catch (MlflowException e)
        {
            return Answer(e.Code, e.Status, e.Message);
        }
        catch (GateRefusedException e)
        {
            return Answer("INVALID_STATE", StatusCodes.Status409Conflict, $"The alias did not move: {e.Message}");
        }
        catch (UserInputException e)
        {
            return Answer("INVALID_PARAMETER_VALUE", StatusCodes.Status400BadRequest, e.Message);
        }
    }

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "UNAUTHENTICATED",
        StatusCodes.Status403Forbidden => "PERMISSION_DENIED",
        StatusCodes.Status429TooManyRequests => "REQUEST_LIMIT_EXCEEDED",
        StatusCodes.Status503ServiceUnavailable => "TEMPORARILY_UNAVAILABLE",
        _ => "BAD_REQUEST",
    };

    private static JsonHttpResult<object> Answer(string code, int status, string message) =>
        TypedResults.Json<object>(new { error_code = code, message }, MlflowViews.Json, statusCode: status);
}
