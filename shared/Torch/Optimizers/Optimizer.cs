using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Algorithms that change parameters along their gradients.</summary>
    public static partial class optim
    {
        /// <summary>What a learning-rate schedule needs to see of an optimizer.</summary>
        public interface ILearningRateController
        {
            /// <summary>The learning rate of the next step.</summary>
            double LearningRate { set; get; }

            /// <summary>The learning rate at the start.</summary>
            double InitialLearningRate { set; get; }
        }

        /// <summary>An optimizer with two decay rates.</summary>
        public interface IBetas
        {
            /// <summary>Decay of the first and of the second moment.</summary>
            (double, double) Betas { get; set; }
        }

        /// <summary>Changes parameters along their gradients.</summary>
        public abstract class Optimizer : IDisposable
        {
            private protected Optimizer()
            {
            }

            /// <summary>Everything that an optimizer remembers, in the order of the parameters.</summary>
            public class StateDictionary
            {
                internal StateDictionary()
                {
                }

                /// <summary>Options of each group.</summary>
                public List<OptimizerOptions> Options { get; } = [];

                /// <summary>State of each parameter.</summary>
                public List<OptimizerState> State { get; } = [];

                /// <summary>For each group the positions of its parameters in <see cref="State"/>.</summary>
                public List<List<int>> StateIndexRef { get; } = [];
            }

            /// <summary>The groups, each with its learning rate.</summary>
            public virtual IEnumerable<ILearningRateController> ParamGroups => _parameter_groups;

            /// <summary>The groups of parameters that share options.</summary>
            protected IList<ParamGroup> _parameter_groups = [];

            /// <summary>Sets all gradients to zero.</summary>
            public virtual void zero_grad()
            {
                foreach (Parameter parameter in parameters())
                {
                    using Tensor? gradient = parameter.grad;
                    gradient?.zero_();
                }
            }

            /// <summary>Changes every parameter that has a gradient.</summary>
            /// <param name="closure">Computes the loss, and its gradients, first.</param>
            /// <returns>What the closure returned.</returns>
            public abstract Tensor? step(Func<Tensor>? closure = null);

            /// <summary>All parameters, group by group.</summary>
            public virtual IEnumerable<Parameter> parameters() => _parameter_groups.SelectMany(group => group.Parameters);

            /// <summary>Adds a group of parameters with options of its own.</summary>
            public abstract void add_param_group(ParamGroup param_group);

            /// <summary>Frees the state; the parameters stay.</summary>
            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            /// <inheritdoc cref="Dispose()"/>
            protected virtual void Dispose(bool disposing)
            {
            }
        }
    }
}
