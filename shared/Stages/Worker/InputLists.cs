using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Stages.Worker;

/// <summary>Long lists of inputs travel by the store, so that no message grows with the width of a pipeline.</summary>
public static class InputLists
{
    private const long MostBytes = 64L << 20;

    /// <summary>The assignment as it is sent: with its inputs, or with the blob that lists them.</summary>
    public static async Task<StepAssignment> ShrinkAsync(StepAssignment assignment, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        if (assignment.Inputs.Count <= MessageLimits.MostInputs)
            return assignment;
        var blob = await artifacts.Blobs.PutAsync(CanonicalJson.Serialize(assignment.Inputs), cancellationToken).ConfigureAwait(false);
        return assignment with { Inputs = [], InputsBlob = blob.Digest };
    }

    /// <summary>The assignment with all its inputs.</summary>
    /// <exception cref="InvalidDataException">The list is damaged or too long.</exception>
    public static async Task<StepAssignment> FillAsync(StepAssignment assignment, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        if (assignment.InputsBlob is not { } blob)
            return assignment;
        var length = await artifacts.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? 0;
        if (length is 0 or > MostBytes)
            throw new InvalidDataException($"The list of inputs {blob.Short} of step '{assignment.Step.Name}' has {length} bytes.");
        var bytes = new byte[length];
        artifacts.Blobs.ReadExactly(blob, 0, bytes);
        return assignment with { InputsBlob = null, Inputs = JsonSerializer.Deserialize<List<StepInput>>(bytes, WireJson.Options)! };
    }
}
