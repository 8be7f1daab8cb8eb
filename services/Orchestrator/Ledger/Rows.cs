using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A run as the database holds it.</summary>
internal sealed class RunRow
{
    /// <summary>Every column but the file, which may be large, and which only <see cref="RunSources"/> reads.</summary>
    public const string Columns =
        "id, number, ordinal, name, file_name, state, message, open_steps, created_at, started_at, ended_at, cancel_until, submitted_by, reason";

    public string Id { get; init; } = "";
    public long Number { get; init; }
    public long Ordinal { get; init; }
    public string Name { get; init; } = "";
    public string FileName { get; init; } = "";
    public string State { get; set; } = "";
    public string Message { get; set; } = "";
    public int OpenSteps { get; set; }
    public long CreatedAt { get; init; }
    public long? StartedAt { get; init; }
    public long? EndedAt { get; init; }
    public long? CancelUntil { get; set; }
    public string SubmittedBy { get; init; } = "";
    public string Reason { get; init; } = "";

    /// <summary>Why a step of it waits that could otherwise go on; only where the query asks for it.</summary>
    public string? Held { get; init; }

    public Guid RunId => Guid.Parse(Id);
    public RunState Current => EnumText.Parse<RunState>(State);
    public bool IsCancelling => CancelUntil is not null;
}

/// <summary>A step as the database holds it.</summary>
internal sealed class StepRow
{
    public long Id { get; init; }
    public string RunId { get; init; } = "";
    public string Name { get; init; } = "";
    public int Position { get; init; }
    public string Kind { get; init; } = "";
    public string Device { get; init; } = "";
    public string Plan { get; init; } = "";
    public string State { get; set; } = "";
    public int Attempt { get; init; }
    public int Failures { get; init; }
    public int Crashes { get; init; }
    public int Losses { get; init; }
    public int Shrinks { get; init; }
    public string? Worker { get; init; }
    public long NotBefore { get; init; }
    public long? ReadyAt { get; init; }
    public int Priority { get; init; }
    public int WaitingOn { get; init; }
    public string? SameAs { get; init; }
    public long? StartedAt { get; init; }
    public long? EndedAt { get; init; }
    public string? StepKey { get; init; }
    public string? Offer { get; init; }
    public string? Inputs { get; init; }
    public string? Outputs { get; init; }
    public string? Metrics { get; init; }
    public string? Notes { get; init; }
    public long Done { get; init; }
    public long Total { get; init; }
    public string? Failure { get; init; }
    public string Message { get; init; } = "";
    public string? Lost { get; init; }

    /// <summary>Peak memory that it will need, in bytes; null when that is not known.</summary>
    public long? MemoryBytes { get; init; }

    public Guid Run => Guid.Parse(RunId);

    /// <summary>Into how many parts the next attempt splits its work.</summary>
    public int MemoryDivisor => 1 << Math.Min(Shrinks, 10);

    public StepState Current => EnumText.Parse<StepState>(State);

    /// <summary>How often it is tried; the usual where its plan cannot be read, so that a damaged row still comes to an end.</summary>
    public Pipelines.Planning.RetryPolicy ReadRetry()
    {
        try
        {
            return JsonColumn.Read<Pipelines.Planning.PlannedStep>(Plan)?.Retry ?? new();
        }
        catch (JsonException)
        {
            return new();
        }
    }

    public Digest? Key => StepKey is null ? null : Digest.Parse(StepKey);

    public IReadOnlyDictionary<string, ManifestRef> ReadOutputs() => JsonColumn.Read<Dictionary<string, ManifestRef>>(Outputs) ?? [];

    public IReadOnlyDictionary<string, double> ReadMetrics() => JsonColumn.Read<Dictionary<string, double>>(Metrics) ?? [];

    public IReadOnlyList<string> ReadNotes() => JsonColumn.Read<List<string>>(Notes) ?? [];

    /// <summary>Blobs because of which it was done again.</summary>
    public IReadOnlyList<Digest> ReadLost() => JsonColumn.Read<List<Digest>>(Lost) ?? [];

    public IReadOnlyList<StepInput> ReadInputs() => JsonColumn.Read<List<StepInput>>(Inputs) ?? [];
}

/// <summary>A worker as the database holds it.</summary>
internal sealed class WorkerRow
{
    public string Name { get; init; } = "";
    public string Device { get; init; } = "";
    public int Slots { get; init; }
    public long MemoryBytes { get; init; }
    public long SeenAt { get; init; }
    public long Since { get; init; }
    public string? Classes { get; init; }

    /// <summary>What it offers; the one class of the other columns where it does not say more.</summary>
    public IReadOnlyList<DeviceClass> ReadClasses() =>
        JsonColumn.Read<List<DeviceClass>>(Classes) ?? [new() { Name = Device, Slots = Slots, MemoryBytes = MemoryBytes }];
}

/// <summary>Documents inside columns.</summary>
internal static class JsonColumn
{
    public static string Write<T>(T value) => JsonSerializer.Serialize(value, WireJson.Options);

    public static T? Read<T>(string? text) => text is null ? default : JsonSerializer.Deserialize<T>(text, WireJson.Options);
}
