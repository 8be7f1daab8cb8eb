using Espalier.Evaluator.Tasks;
using Espalier.Pipelines.Options;
using Espalier.Stages.Methods;

namespace Espalier.Evaluator.Tests.Tasks;

/// <summary>What every discovered task must do; a new file is covered by being there.</summary>
public sealed class TaskContractTests
{
    [Fact]
    public void Schema_Choices_AreTheDiscoveredTasks() =>
        OptionSchema.For(typeof(EvaluateOptions)).Properties!["tasks"].Items!.Choices.ShouldBe(MethodCatalog<IEvaluationTask>.Names);

    [Fact]
    public void Catalog_HoldsTheServicesTasksAndThatOfTheTests() =>
        MethodCatalog<IEvaluationTask>.Names.ShouldBe(["agreement", "logits", "multiple-choice", "routing", "validation-loss", "vocabulary-use"]);

    [Fact]
    public void Summary_EveryTask_IsASentence() =>
        MethodCatalog<IEvaluationTask>.All.ShouldAllBe(task => task.Summary.Length > 20 && task.Summary.EndsWith('.') && task.ModelsAtOnce >= 1);
}
