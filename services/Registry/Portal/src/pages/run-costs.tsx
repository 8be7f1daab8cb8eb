import { useState } from 'react';
import type { Run, RunCosts, StepCost } from '../api/types';
import { Card } from '../parts/bits';
import { bytes, counted, duration } from '../format';

const shownFirst = 30;

/** What the run took, step by step, beside what was expected when it was submitted. */
export function RunCostsCard({ run, costs }: { run: Run; costs: RunCosts }) {
  const [isWhole, setIsWhole] = useState(false);
  const isEstimated = costs.steps.some((s) => s.estimate);
  const states = new Map(run.steps.map((s) => [s.name, s.state]));
  const steps = isWhole ? costs.steps : costs.steps.slice(0, shownFirst);
  const totals = [
    `${duration(costs.seconds)} of computing`,
    costs['saved-seconds'] > 0 && `${duration(costs['saved-seconds'])} saved by the cache`,
    `${bytes(costs['new-bytes'])} new in the store`,
    costs['peak-memory-bytes'] > 0 && `memory up to ${bytes(costs['peak-memory-bytes'])}`,
  ].filter(Boolean);
  return (
    <Card title="Costs" aside={<span className="minor figures">{totals.join(', ')}</span>}>
      <div className="scroll" tabIndex={0} role="region" aria-label="Costs of the steps">
        <table aria-label="Costs">
          <thead>
            <tr>
              <th>Step</th>
              <th className="number">Time</th>
              {isEstimated && <th className="number">Expected</th>}
              <th className="number">New in the store</th>
              {isEstimated && <th className="number">Expected</th>}
              <th className="number">Outputs</th>
              <th className="number">Memory</th>
              {isEstimated && <th className="number">Expected</th>}
            </tr>
          </thead>
          <tbody>
            {steps.map((cost) => (
              <tr key={cost.name}>
                <td>{cost.name}</td>
                <td className="number">{time(cost, states.get(cost.name))}</td>
                {isEstimated && <td className="number minor">{cost.estimate?.decision === 'cached' ? 'from the cache' : amount(cost.estimate?.seconds, duration)}</td>}
                <td className="number">{amount(cost['new-bytes'], bytes)}</td>
                {isEstimated && <td className="number minor">{amount(cost.estimate?.['new-bytes'], bytes)}</td>}
                <td className="number">{amount(cost['stored-bytes'], bytes)}</td>
                <td className="number">{amount(cost['peak-memory-bytes'], bytes)}</td>
                {isEstimated && <td className="number minor">{amount(cost.estimate?.['memory-bytes'], bytes)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {costs.steps.length > shownFirst && (
        <button className="quiet" onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? 'fewer' : `all ${costs.steps.length} steps`}
        </button>
      )}
      {costs['is-partial'] && <p className="minor">Only the first {counted(costs.steps.length, 'step')} are counted.</p>}
      {isEstimated && <p className="minor">Expected when the run was submitted, from the most similar work done before; – where there was none.</p>}
    </Card>
  );
}

const amount = (value: number | undefined, text: (value: number) => string) => (value === undefined ? '–' : text(value));

function time(cost: StepCost, state?: string) {
  if (cost['saved-seconds'] !== undefined) return <span className="minor">cached, {duration(cost['saved-seconds'])} before</span>;
  return cost.seconds === undefined ? <span className="minor">{state ?? '–'}</span> : duration(cost.seconds);
}
