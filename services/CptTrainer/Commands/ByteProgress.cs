using Espalier.Stages;

namespace Espalier.CptTrainer.Commands;

/// <summary>Bytes done and bytes in all, as progress of one phase.</summary>
internal sealed class ByteProgress(IStageProgress progress, string phase) : IProgress<(long Done, long Total)>
{
    public void Report((long Done, long Total) value) => progress.Report(phase, value.Done, value.Total, "bytes");
}
