using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;

namespace Espalier.Surgery.Checkpoints;

/// <summary>What loaders that know only the published family of a model get wrong about it, see <see cref="FamilyGap"/>. Reads headers only.</summary>
public static class ModelNotes
{
    private const string ConfigFile = "config.json";

    /// <summary>Notes on a stored checkpoint; none on an artifact that is not a model.</summary>
    public static async Task<IReadOnlyList<string>> OfAsync(ArtifactStore store, Digest root, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(store, root, cancellationToken).ConfigureAwait(false);
        return reader.HasFile(ConfigFile) ? Of(reader.ReadFile(ConfigFile), reader.Names) : [];
    }

    /// <summary>Notes on a Hugging Face directory.</summary>
    /// <exception cref="UserInputException">It is not one.</exception>
    public static IReadOnlyList<string> OfDirectory(string path)
    {
        using var directory = HuggingFaceDirectory.Open(path);
        return Of(directory.ReadFile(ConfigFile), directory.NamesInStore());
    }

    private static IReadOnlyList<string> Of(byte[] config, IReadOnlyCollection<string> names)
    {
        try
        {
            return [.. FamilyGap.Of(ModelConfig.Parse(config), names).Select(gap => gap.Note)];
        }
        catch (InvalidModelException e)
        {
            return [$"This platform cannot run the model itself: {e.Message.Split(Environment.NewLine)[0]}"]; // whoever made it may
        }
    }
}
