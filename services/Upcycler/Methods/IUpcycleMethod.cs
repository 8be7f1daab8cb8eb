using Espalier.Stages.Methods;

namespace Espalier.Upcycler.Methods;

/// <summary>A way to grow a model.</summary>
public interface IUpcycleMethod : IStageMethod;
