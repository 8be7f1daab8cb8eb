using TorchSharp.Modules;

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            /// <inheritdoc cref="Modules.AdamW(IEnumerable{Parameter}, double, double, double, double, double, bool, bool)"/>
            public static AdamW AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            /// <inheritdoc cref="Modules.AdamW(IEnumerable{Parameter}, double, double, double, double, double, bool, bool)"/>
            public static AdamW AdamW(IEnumerable<(string name, Parameter parameter)> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters.Select(named => named.parameter), lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            /// <inheritdoc cref="Modules.AdamW(IEnumerable{Parameter}, double, double, double, double, double, bool, bool)"/>
            public static AdamW AdamW(IEnumerable<AdamW.ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
        }
    }
}

namespace TorchSharp.Modules
{
    /// <summary>
    /// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101):
    /// <c>p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + lr decay p</c>, where m and v are the decaying means
    /// of the gradient and of its square.
    /// </summary>
    public class AdamW : OptimizerHelper, torch.optim.IBetas
    {
        private readonly Options _defaults;

        /// <summary>An optimizer of these parameters.</summary>
        public AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, beta1, beta2, eps, weight_decay, amsgrad, maximize)
        {
        }

        /// <summary>An optimizer of these groups; what a group leaves open is taken from the other arguments.</summary>
        public AdamW(IEnumerable<ParamGroup> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
        {
            Require(lr >= 0, nameof(lr), lr);
            Require(eps >= 0, nameof(eps), eps);
            Require(beta1 is >= 0 and < 1, nameof(beta1), beta1);
            Require(beta2 is >= 0 and < 1, nameof(beta2), beta2);
            Require(weight_decay >= 0, nameof(weight_decay), weight_decay);

            _defaults = new Options
            {
                LearningRate = lr, InitialLearningRate = lr, beta1 = beta1, beta2 = beta2, eps = eps,
                weight_decay = weight_decay, amsgrad = amsgrad, maximize = maximize,
            };
            foreach (ParamGroup group in parameters)
                add_param_group(group);
        }

        /// <summary>Decay of the first and of the second moment.</summary>
        public (double, double) Betas
        {
            get => (_defaults.beta1!.Value, _defaults.beta2!.Value);
            set => (_defaults.beta1, _defaults.beta2) = value;
        }

        /// <inheritdoc/>
        public override void add_param_group(Modules.ParamGroup param_group)
        {
            param_group.Options ??= new Options();
            var options = (Options)param_group.Options;
            options.LearningRate ??= _defaults.LearningRate;
            options.beta1 ??= _defaults.beta1;
            options.beta2 ??= _defaults.beta2;
            options.eps ??= _defaults.eps;
            options.weight_decay ??= _defaults.weight_decay;
            options.amsgrad ??= _defaults.amsgrad;
            options.maximize ??= _defaults.maximize;
            options.InitialLearningRate = options.LearningRate!.Value;

            param_group.Parameters = [.. param_group.Parameters];
            _parameter_groups.Add(param_group);
            foreach (Parameter parameter in param_group.Parameters)
            {
                var state = new State(parameter);
                state.Initialize(options);
                States.Add(state);
            }
        }

        /// <inheritdoc/>
        public override torch.Tensor? step(Func<torch.Tensor>? closure = null)
        {
            torch.Tensor? loss = null;
            if (closure is not null)
            {
                using IDisposable recording = torch.enable_grad();
                loss = closure();
            }

            using IDisposable mode = torch.no_grad();
            using DisposeScope scope = torch.NewDisposeScope();
            int next = 0;
            foreach (Modules.ParamGroup group in _parameter_groups)
            {
                foreach (Parameter parameter in group.Parameters)
                    Update(parameter, (State)States[next++], (Options)group.Options);
            }
            return loss;
        }

        private static void Update(Parameter parameter, State state, Options options)
        {
            torch.Tensor? gradient = parameter.grad;
            if (gradient is null)
                return;
            if (options.maximize == true)
                gradient = gradient.neg();

            double rate = options.LearningRate!.Value, beta1 = options.beta1!.Value, beta2 = options.beta2!.Value;
            state.step++;
            parameter.mul_(1 - rate * options.weight_decay!.Value);
            state.exp_avg.mul_(beta1).add_(gradient, 1 - beta1);
            state.exp_avg_sq.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);

            torch.Tensor second = state.exp_avg_sq;
            if (state.max_exp_avg_sq is { } largest)
                second = largest.copy_(largest.maximum(second));
            torch.Tensor denominator = second.sqrt().div_(Math.Sqrt(1 - Math.Pow(beta2, state.step))).add_(options.eps!.Value);
            parameter.addcdiv_(state.exp_avg, denominator, -rate / (1 - Math.Pow(beta1, state.step)));
        }

        /// <inheritdoc/>
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            if (!disposing)
                return;
            foreach (State state in States.Cast<State>())
                state.Dispose();
        }

        private static void Require(bool condition, string name, double value)
        {
            if (!condition)
                throw new ArgumentException($"Invalid {name}: {value}");
        }

        /// <summary>Options of AdamW; null takes the value of the optimizer.</summary>
        public class Options : OptimizerOptions
        {
            /// <summary>Decay of the first moment.</summary>
            public double? beta1;

            /// <summary>Decay of the second moment.</summary>
            public double? beta2;

            /// <summary>Share of a parameter that goes with each step, times the learning rate.</summary>
            public double? weight_decay;

            /// <summary>Keeps the denominator away from zero.</summary>
            public double? eps;

            /// <summary>Use the largest second moment so far.</summary>
            public bool? amsgrad;

            /// <summary>Go up instead of down.</summary>
            public bool? maximize;
        }

        /// <summary>Parameters that share options.</summary>
        public class ParamGroup : ParamGroup<Options>, torch.optim.IBetas
        {
            /// <summary>An empty group.</summary>
            public ParamGroup()
            {
            }

            /// <summary>A group with these options.</summary>
            public ParamGroup(IEnumerable<Parameter> parameters, Options options) : base(parameters, options)
            {
            }

            /// <summary>A group with these options.</summary>
            public ParamGroup(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0, bool amsgrad = false, bool maximize = false)
                : base(parameters, new Options { LearningRate = lr, beta1 = beta1, beta2 = beta2, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad, maximize = maximize })
            {
            }

            /// <summary>Decay of the first and of the second moment.</summary>
            public (double, double) Betas
            {
                get => (Options.beta1!.Value, Options.beta2!.Value);
                set => (Options.beta1, Options.beta2) = value;
            }
        }

        /// <summary>The moments of one parameter.</summary>
        public sealed class State : OptimizerState, IDisposable
        {
            /// <summary>Steps made.</summary>
            public long step;

            /// <summary>First moment.</summary>
            public torch.Tensor exp_avg = null!;

            /// <summary>Second moment.</summary>
            public torch.Tensor exp_avg_sq = null!;

            /// <summary>Largest second moment so far; null unless asked for.</summary>
            public torch.Tensor? max_exp_avg_sq;

            /// <summary>The state of a parameter.</summary>
            public State(Parameter parameter) : base(parameter)
            {
            }

            /// <inheritdoc/>
            public override void Initialize(OptimizerOptions options)
            {
                Dispose();
                step = 0;
                exp_avg = torch.zeros_like(_parameter).DetachFromDisposeScope();
                exp_avg_sq = torch.zeros_like(_parameter).DetachFromDisposeScope();
                max_exp_avg_sq = ((Options)options).amsgrad == true ? torch.zeros_like(_parameter).DetachFromDisposeScope() : null;
            }

            /// <inheritdoc/>
            public override void to(torch.Device device)
            {
                exp_avg = exp_avg.to(device, disposeAfter: true).DetachFromDisposeScope();
                exp_avg_sq = exp_avg_sq.to(device, disposeAfter: true).DetachFromDisposeScope();
                max_exp_avg_sq = max_exp_avg_sq?.to(device, disposeAfter: true).DetachFromDisposeScope();
            }

            /// <summary>Frees the moments.</summary>
            public void Dispose()
            {
                exp_avg?.Dispose();
                exp_avg_sq?.Dispose();
                max_exp_avg_sq?.Dispose();
            }
        }
    }
}
