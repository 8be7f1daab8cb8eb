using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Puts steps into an order in which each stands after what it needs, and otherwise as in the file.</summary>
internal static class StepOrder
{
    /// <summary>The ordered steps; a circle is reported and its steps left out.</summary>
    public static List<StepDraft> Sort(IReadOnlyList<StepDraft> steps, ProblemList problems)
    {
        var byName = steps.ToDictionary(s => s.Name);
        var result = new List<StepDraft>();
        var state = new Dictionary<string, bool>(); // false: on the path, true: done
        var path = new List<string>();
        foreach (var step in steps)
            Visit(step);
        return result;

        // Depth is bounded by the number of steps; an explicit stack keeps long chains off the thread's own.
        void Visit(StepDraft root)
        {
            if (state.ContainsKey(root.Name))
                return;
            var stack = new Stack<(StepDraft Step, int Next)>();
            Enter(root);
            while (stack.TryPop(out var frame))
            {
                if (frame.Next == frame.Step.Needs.Count)
                {
                    state[frame.Step.Name] = true;
                    path.RemoveAt(path.Count - 1);
                    result.Add(frame.Step);
                    continue;
                }
                stack.Push((frame.Step, frame.Next + 1));
                if (!byName.TryGetValue(frame.Step.Needs[frame.Next], out var need))
                    continue;
                if (!state.TryGetValue(need.Name, out var done))
                    Enter(need);
                else if (!done)
                {
                    var circle = path.SkipWhile(n => n != need.Name).Append(need.Name);
                    problems.Add(
                        frame.Step.Body.Find("needs") ?? frame.Step.Body, $"steps need each other in a circle: {string.Join(" -> ", circle)}");
                }
            }

            void Enter(StepDraft step)
            {
                state[step.Name] = false;
                path.Add(step.Name);
                stack.Push((step, 0));
            }
        }
    }
}
