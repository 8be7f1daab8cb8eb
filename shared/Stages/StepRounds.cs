using System.Globalization;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;

namespace Espalier.Stages;

/// <summary>
/// Work on one step that several workers share, in rounds: what each member made in each round, as an artifact that belongs to the step
/// (<see cref="OwnedArtifact"/>), under a record that is created once. The result of a member in a round depends on the round before alone,
/// so it does not matter who computes it, nor how often. A collection keeps what the records name, as it keeps saved positions.
/// </summary>
/// <param name="artifacts">The store.</param>
/// <param name="stepKey">The step.</param>
public sealed class StepRounds(ArtifactStore artifacts, Digest stepKey)
{
    private readonly string _folder = $"cursors/{stepKey.Hex}.rounds/";

    /// <summary>Makes known what a member made in a round. Returns what counts, since somebody else may have been faster.</summary>
    public async Task<ManifestRef> PublishAsync(long round, int member, ManifestRef made, CancellationToken cancellationToken)
    {
        var (record, bytes) = (NameOf(round, member), CanonicalJson.Serialize(made));
        if (await artifacts.Blobs.CreateRecordAsync(record, bytes, cancellationToken).ConfigureAwait(false))
            return made;
        if (await FindAsync(round, member, cancellationToken).ConfigureAwait(false) is not { Root.IsEmpty: false } first)
        {
            await artifacts.Blobs.WriteRecordAsync(record, bytes, cancellationToken).ConfigureAwait(false); // what is there cannot be read
            return made;
        }
        if (first.Root != made.Root)
            await OwnedArtifact.DeleteAsync(artifacts, made.Root, stepKey, first.Root, cancellationToken).ConfigureAwait(false);
        return first;
    }

    /// <summary>What a member made in a round, or null.</summary>
    public async Task<ManifestRef?> FindAsync(long round, int member, CancellationToken cancellationToken) =>
        await ReadAsync<ManifestRef>(NameOf(round, member), cancellationToken).ConfigureAwait(false);

    /// <summary>The last round that all members have done; 0 when there is none.</summary>
    public async Task<long> LastWholeAsync(int members, CancellationToken cancellationToken)
    {
        var done = await ListAsync(cancellationToken).ConfigureAwait(false);
        return done.GroupBy(record => record.Round).Where(round => round.Count() >= members).Max(round => (long?)round.Key) ?? 0;
    }

    /// <summary>Says where a member is now.</summary>
    public Task TellAsync(int member, MemberPosition position, CancellationToken cancellationToken) =>
        artifacts.Blobs.WriteRecordAsync(NameOf(member), CanonicalJson.Serialize(position), cancellationToken);

    /// <summary>What a member said last; null when it never did.</summary>
    public Task<MemberPosition?> AskAsync(int member, CancellationToken cancellationToken) =>
        ReadAsync<MemberPosition>(NameOf(member), cancellationToken);

    /// <summary>Deletes the rounds before one, which nobody needs once that is whole.</summary>
    public async Task DeleteBeforeAsync(long round, CancellationToken cancellationToken)
    {
        foreach (var record in await ListAsync(cancellationToken).ConfigureAwait(false))
        {
            if (record.Round < round)
                await DeleteAsync(NameOf(record.Round, record.Member), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Deletes everything: the step is done, or begins anew.</summary>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        await foreach (var record in artifacts.Blobs.ListRecordsAsync(_folder, cancellationToken).ConfigureAwait(false))
            await DeleteAsync(record, cancellationToken).ConfigureAwait(false);
    }

    private async Task DeleteAsync(string record, CancellationToken cancellationToken)
    {
        var made = await ReadAsync<ManifestRef>(record, cancellationToken).ConfigureAwait(false);
        await artifacts.Blobs.DeleteRecordAsync(record, cancellationToken).ConfigureAwait(false);
        if (made is { Root.IsEmpty: false })
            await OwnedArtifact.DeleteAsync(artifacts, made.Root, stepKey, cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private async Task<List<(long Round, int Member)>> ListAsync(CancellationToken cancellationToken)
    {
        var found = new List<(long, int)>();
        await foreach (var record in artifacts.Blobs.ListRecordsAsync(_folder, cancellationToken).ConfigureAwait(false))
        {
            if (record[_folder.Length..].Split('.') is [var round, var member]
                && long.TryParse(round, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && int.TryParse(member, NumberStyles.None, CultureInfo.InvariantCulture, out var which))
                found.Add((number, which));
        }
        return found;
    }

    // What cannot be read as such is as none: it is done again.
    private async Task<T?> ReadAsync<T>(string record, CancellationToken cancellationToken) where T : class
    {
        if (await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is not { } bytes)
            return null;
        try
        {
            return JsonSerializer.Deserialize<T>(bytes, WireJson.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string NameOf(long round, int member) => string.Create(CultureInfo.InvariantCulture, $"{_folder}{round}.{member}");

    private string NameOf(int member) => string.Create(CultureInfo.InvariantCulture, $"{_folder}member.{member}");
}

/// <summary>Where a member is.</summary>
/// <param name="Time">Counts up while it lives.</param>
/// <param name="Round">The round that it works on or waits for.</param>
/// <param name="Share">The member whose share of the round it works on; 0 while it waits.</param>
/// <param name="Step">Units of work that it has done.</param>
public sealed record MemberPosition(long Time, long Round, int Share, long Step);
