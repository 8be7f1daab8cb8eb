import { useEffect, useMemo, useRef, useState } from 'react';
import { get } from '../api/client';
import { at } from '../api/place';
import type { EvaluationReport, Run, RunCosts, Step, StepProgress } from '../api/types';
import { LineChart, type Series } from '../charts/line-chart';
import { Card, Segments } from '../parts/bits';
import { Empty } from '../parts/states';
import { LoadOverTime } from './expert-load';
import { along, axes, type Axis, beginnings, type Curves, useCurves } from './run-curves';
import { EvaluationCharts } from './run-evaluation';

/** What steps measure while they train, expert load, and what evaluations found; of finished steps from their reports, of running ones live. */
export function RunCharts({ run, progress, selected, costs }: { run: Run; progress: ReadonlyMap<string, StepProgress>; selected?: Step; costs?: RunCosts }) {
  const curves = useCurves(run, progress, costs);
  const reports = useEvaluations(run);
  const loads = [...curves].filter(([, c]) => c.load.length > 0);
  const load = loads.find(([name]) => name === selected?.name) ?? loads[loads.length - 1];
  const evaluation = reports.get(selected?.name ?? '') ?? [...reports.values()].pop();
  return (
    <>
      {[...curves.values()].some((c) => c.points.length > 0) && <TrainingCharts run={run} curves={curves} costs={costs} />}
      {load && (
        <Card title={`Expert load of ${load[0]}`} aside={<span className="minor">share of the tokens; 1 is a fair share</span>}>
          <LoadOverTime frames={load[1].load} />
        </Card>
      )}
      {evaluation && <EvaluationCharts report={evaluation} />}
    </>
  );
}

const notes: Record<string, string> = {
  loss: 'nats per token',
  'balance-loss': 'load-balancing loss',
  'dead-experts': 'share of experts, in the worst layer, with less than a hundredth of their fair share',
  divergence: 'Kullback-Leibler divergence from the teacher, nats per token',
  'expected-final-loss': 'training loss at the end, as the curve so far lets expect',
  'grad-norm': 'norm of the gradient before clipping',
  'held-out-loss': 'nats per token of text that is not trained on',
  'load-entropy': 'of the expert load in the most uneven layer; 1 is even',
  'max-violation': 'how far the busiest expert of any layer is above its fair share',
  'peak-share': 'arithmetic as a share of the machine’s speed on one large product',
  'router-z-loss': 'router z-loss',
};

/** Any metric of the training steps, over tokens, optimizer steps or seconds. */
function TrainingCharts({ run, curves, costs }: { run: Run; curves: ReadonlyMap<string, Curves>; costs?: RunCosts }) {
  const [metric, setMetric] = useState('loss');
  const [axis, setAxis] = useState<Axis>('tokens');
  const [isContinued, setIsContinued] = useState(true);
  const names = useMemo(() => metricNames(curves), [curves]);
  const shown = names.includes(metric) ? metric : (names[0] ?? 'loss');
  const series: Series[] = useMemo(() => {
    const starts = isContinued ? beginnings(run, curves, axis, costs) : new Map<string, number>();
    return [...curves].flatMap(([name, { points }]) => {
      const start = starts.get(name) ?? 0;
      const drawn = points.flatMap((p): [number, number][] => {
        const [x, y] = [along(p, axis), p.metrics[shown]];
        return x === undefined || y === undefined ? [] : [[start + x, y]];
      });
      return drawn.length > 0 ? [{ name, points: drawn }] : [];
    });
  }, [run, curves, costs, shown, axis, isContinued]);
  const hasAncestors = [...beginnings(run, curves, 'tokens').entries()].some(([name, start]) => start > 0 && curves.has(name));
  return (
    <Card title={shown === 'loss' ? 'Training loss' : 'Training'} aside={<span className="minor">{[notes[shown], 'drag to zoom'].filter(Boolean).join('; ')}</span>}>
      <div className="chart-controls">
        <label>
          Metric
          <select value={shown} onChange={(event) => setMetric(event.target.value)}>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <Segments className="small" options={axes} value={axis} onChange={setAxis} label="Horizontal axis" />
        {hasAncestors && (
          <label title="A step that continues another starts where that one ended">
            <input type="checkbox" checked={isContinued} onChange={(event) => setIsContinued(event.target.checked)} />
            continue the parent’s curve
          </label>
        )}
      </div>
      {series.length > 0 ? (
        <LineChart key={`${axis} ${isContinued}`} series={series} xName={axis} yName={shown} />
      ) : (
        <Empty title={`No step has reported ${shown} over ${axis} yet`}>{axis === 'steps' && 'A running step counts tokens; its optimizer steps are in its report once it is done.'}</Empty>
      )}
      {axis === 'seconds' && <p className="minor">For a finished step, its time is spread evenly over its tokens.</p>}
    </Card>
  );
}

/** Loss first, then the others by name. */
function metricNames(curves: ReadonlyMap<string, Curves>): string[] {
  const names = new Set<string>();
  for (const { points } of curves.values()) for (const point of [points[0], points[points.length - 1]]) Object.keys(point?.metrics ?? {}).forEach((name) => names.add(name));
  return [...names].sort((a, b) => Number(b === 'loss') - Number(a === 'loss') || a.localeCompare(b));
}

function useEvaluations(run: Run): ReadonlyMap<string, EvaluationReport> {
  const [reports, setReports] = useState<ReadonlyMap<string, EvaluationReport>>(new Map());
  const asked = useRef(new Set<string>());
  useEffect(() => {
    for (const step of run.steps.filter((s) => s.kind === 'evaluate' && s.outputs.report !== undefined)) {
      if (asked.current.has(step.outputs.report.root)) continue;
      asked.current.add(step.outputs.report.root);
      void get(at('/api/v1/runs/{id}/steps/{step}/report', { id: run['run-id'], step: step.name })).then(
        (report) => setReports((old) => new Map(old).set(step.name, report as EvaluationReport)),
        () => asked.current.delete(step.outputs.report.root),
      );
    }
  }, [run]);
  return reports;
}
