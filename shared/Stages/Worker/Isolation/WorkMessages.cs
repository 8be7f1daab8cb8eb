using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>A line from the worker to the work process: exactly one member is set.</summary>
internal sealed record WorkOrder
{
    /// <summary>Do this.</summary>
    public StepAssignment? Assignment { get; init; }

    /// <summary>The lease lasts this long from now.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>Save the position and stop.</summary>
    public bool? Stop { get; init; }
}

/// <summary>A line from the work process to the worker: exactly one member is set.</summary>
internal sealed record WorkReport
{
    /// <summary>Thinned progress.</summary>
    public StepProgress? Progress { get; init; }

    /// <summary>The last line: how it ended.</summary>
    public WorkOutcome? Outcome { get; init; }
}

/// <summary>How the work ended: with a result, with a failure, or stopped on request when both are missing.</summary>
internal sealed record WorkOutcome
{
    public StageResult? Result { get; init; }

    public FailureClass? Failure { get; init; }

    public string Message { get; init; } = "";

    public Digest? LostBlob { get; init; }

    public bool IsOutage { get; init; }

    public long PeakMemoryBytes { get; init; }
}

/// <summary>One JSON object a line.</summary>
internal static class WorkLine
{
    public static string Write<T>(T message) => JsonSerializer.Serialize(message, WireJson.Options);

    public static T? Read<T>(string line) => JsonSerializer.Deserialize<T>(line, WireJson.Options);
}
