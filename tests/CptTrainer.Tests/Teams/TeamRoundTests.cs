using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.CptTrainer.Training.Teams;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Stages;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests.Teams;

/// <summary>What members exchange.</summary>
public sealed class TeamRoundTests : IDisposable
{
    private static readonly Digest Step = Digest.Of("team"u8);
    private readonly TrainingBench _bench = new();
    private readonly MoeDecoder _decoder = MoeDecoder.Create(ModelConfig.Tiny() with { Layers = 1, Experts = 4 }, 1);

    public void Dispose()
    {
        _decoder.Dispose();
        _bench.Dispose();
    }

    [Fact]
    public async Task Merge_DenseIsTheMeanAndExpertsAreTheirOwners()
    {
        var shares = new ExpertShares(2, [[1, 2, 2, 1]]);
        _decoder.AddSelectionBias();
        var round = await RoundAsync(shares, value: member => member == 1 ? 2f : 5f);

        round.MergeInto(_decoder, new TeamLayout(_decoder));

        First(Find(TensorNames.Embedding)).ShouldBe(3.5f);
        First(Find(TensorNames.Router(0))).ShouldBe(3.5f);
        First(_decoder.SelectionBias(0)!).ShouldBe(3.5f);
        Enumerable.Range(0, 4).Select(FirstOfExpert).ShouldBe([2f, 5f, 5f, 2f]);
    }

    /// <summary>An expert that changes hands takes its moments with it; the dense part keeps each member's own.</summary>
    [Fact]
    public async Task LoadMoments_OtherShares_AreThoseOfWhoTrainedTheExpert()
    {
        var layout = new TeamLayout(_decoder);
        var round = await RoundAsync(new ExpertShares(2, [[1, 1, 2, 2]]), value: member => member);
        var next = new ExpertShares(2, [[2, 1, 1, 2]]);
        using var optimizer = OptimizerChoice.CreateAdamW(_decoder, new TrainOptions(), layout.RangesOf(1, next));

        round.LoadMoments(optimizer, 1, next, layout);

        optimizer.Steps.ShouldBe(8);
        foreach (var piece in layout.TrainedBy(1, next))
        {
            using var values = optimizer.Moments(Moment.Second, piece.Range)!;
            First(values).ShouldBe(piece.Expert is 2 ? 20f : 10f, piece.Name);
        }
        layout.Pieces.Count(piece => optimizer.Moments(Moment.First, piece.Range) is null).ShouldBe(4, "two matrices of each of the two experts of the other");
    }

    // Each member's weights are its value, and its second moments ten times that.
    private async Task<TeamRound> RoundAsync(ExpertShares shares, Func<int, float> value)
    {
        var layout = new TeamLayout(_decoder);
        var rounds = new StepRounds(_bench.Store, Step);
        for (var member = 1; member <= shares.Members; member++)
        {
            Fill(value(member));
            using var optimizer = OptimizerChoice.CreateAdamW(_decoder, new TrainOptions(), layout.RangesOf(member, shares));
            using (no_grad())
                optimizer.SecondMoment.fill_(value(member) * 10);
            optimizer.Steps = 7 + member;
            var trainer = new DecoderTrainer(_decoder, optimizer, new TrainerSettings { Balance = BalanceMethod.None });
            using var made = new TeamMember(member, shares, optimizer, trainer, new TrainingRecord(), [new long[4]]) { Rounds = 1 };
            await rounds.PublishAsync(1, member, await made.SaveAsync(_bench.Store, Step, _decoder, layout, default), default);
        }
        Fill(0);
        return await TeamRound.OpenAsync(_bench.Store, rounds, 1, shares.Members, default);
    }

    private void Fill(float value)
    {
        using var untracked = no_grad();
        _decoder.Buffer.Values.fill_(value);
        _decoder.SelectionBias(0)?.fill_(value);
    }

    private Tensor Find(string name) => _decoder.Parameters.Single(parameter => parameter.Name == name).Value;

    private float FirstOfExpert(int expert)
    {
        using var weights = Find(TensorNames.ExpertsDown(0)).detach().select(0, expert);
        return First(weights);
    }

    private static float First(Tensor values)
    {
        using var flat = values.detach().flatten();
        return flat[0].item<float>();
    }
}
