import type { ModelShape, PipelineCheck, ResolvedStep } from '../api/types';
import { bytes, duration, short } from '../format';
import { Card } from '../parts/bits';

const words = { cached: 'cached', runs: 'runs', conditional: 'runs if', skipped: 'skipped', refused: 'refused' };

/** What each step would make and cost, and why its result is not there yet. */
export function Costs({ plan, isStale }: { plan: NonNullable<PipelineCheck['plan']>; isStale: boolean }) {
  const totals = [
    plan['new-bytes'] > 0 && `${bytes(plan['new-bytes'])} new`,
    plan['memory-bytes'] > 0 && `memory up to ${bytes(plan['memory-bytes'])}`,
    plan.seconds > 0 && `about ${duration(plan.seconds)}`,
  ].filter(Boolean);
  return (
    <Card title="Costs" className={isStale ? 'stale' : ''} aside={<span className="minor figures">{totals.join(', ')}</span>}>
      <div className="scroll" tabIndex={0} role="region" aria-label="Costs of the steps">
        <table aria-label="Costs">
          <thead>
            <tr>
              <th>Step</th>
              <th>Decision</th>
              <th>Model</th>
              <th className="number">Weights</th>
              <th className="number">New</th>
              <th className="number">Shared</th>
              <th className="number">Memory</th>
              <th className="number">Time</th>
            </tr>
          </thead>
          <tbody>
            {plan.steps.map((step) => (
              <tr key={step.name}>
                <td>{step.name}</td>
                <td className="prose">
                  {words[step.outlook]}
                  {step.outlook !== 'cached' && <div className="minor">{step.reason}</div>}
                </td>
                <td>{change(step, (s) => (s.experts > 0 ? `${s.experts} × ${s['expert-size']}, top ${s['experts-per-token']}` : 'dense'))}</td>
                <td className="number">{change(step, (s) => short(s['total-parameters']))}</td>
                <td className="number">{amount(step['new-bytes'], bytes)}</td>
                <td className="number">{amount(step['shared-bytes'], bytes)}</td>
                <td className="number">{amount(step['memory-bytes'], bytes)}</td>
                <td className="number">{amount(step.seconds, duration)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

const amount = (value: number | undefined, text: (value: number) => string) => (value ? text(value) : '');

/** `before → after` where they differ. */
function change({ before, after }: ResolvedStep, text: (shape: ModelShape) => string): string {
  const [from, to] = [before && text(before), after && text(after)];
  return from && to && from !== to ? `${from} → ${to}` : (to ?? from ?? '');
}
