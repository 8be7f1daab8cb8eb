import { useEffect, useMemo, useRef, useState } from 'react';
import { get } from '../api/client';
import type { EvaluationReport, ProgressPoint, Run, Step, StepProgress, TrainReport } from '../api/types';
import { LineChart, type Series } from '../charts/line-chart';
import { Card } from '../parts/bits';
import { EvaluationCharts } from './run-evaluation';
import { type LoadFrame, LoadOverTime } from './expert-load';

interface Curves {
  loss: [number, number][];
  load: LoadFrame[];
}

/** Loss curves and expert load of the steps that train, and what evaluations found; of finished steps from their reports, of running ones live. */
export function RunCharts({ run, progress, selected }: { run: Run; progress: ReadonlyMap<string, StepProgress>; selected?: Step }) {
  const curves = useCurves(run, progress);
  const reports = useEvaluations(run);
  const series: Series[] = useMemo(() => [...curves].filter(([, c]) => c.loss.length > 0).map(([name, c]) => ({ name, points: c.loss })), [curves]);
  const loads = [...curves].filter(([, c]) => c.load.length > 0);
  const load = loads.find(([name]) => name === selected?.name) ?? loads[loads.length - 1];
  const evaluation = reports.get(selected?.name ?? '') ?? [...reports.values()].pop();
  return (
    <>
      {series.length > 0 && (
        <Card title="Training loss" aside={<span className="minor">nats per token; drag to zoom</span>}>
          <LineChart series={series} xName="tokens" yName="loss" />
        </Card>
      )}
      {load && (
        <Card title={`Expert load of ${load[0]}`} aside={<span className="minor">share of the tokens, 1 is fair</span>}>
          <LoadOverTime frames={load[1].load} />
        </Card>
      )}
      {evaluation && <EvaluationCharts report={evaluation} />}
    </>
  );
}

/** Curves by step: history of a finished step from its report, of a running one from the orchestrator, then what the stream brings. */
function useCurves(run: Run, progress: ReadonlyMap<string, StepProgress>): ReadonlyMap<string, Curves> {
  const [past, setPast] = useState<ReadonlyMap<string, Curves & { final: boolean }>>(new Map());
  const [live, setLive] = useState<ReadonlyMap<string, Curves>>(new Map());
  const asked = useRef(new Set<string>());
  const base = `/api/v1/runs/${run['run-id']}/steps`;
  useEffect(() => {
    for (const step of run.steps.filter((s) => s.kind === 'train')) {
      const isDone = step.outputs.report !== undefined;
      const what = `${step.name} ${isDone ? step.outputs.report.root : `${step.state} ${step.attempts}`}`;
      if ((!isDone && step.state !== 'running') || asked.current.has(what)) continue;
      asked.current.add(what);
      const path = `${base}/${encodeURIComponent(step.name)}`;
      const reading = isDone ? get<TrainReport>(`${path}/report`).then(fromReport) : get<ProgressPoint[]>(`${path}/progress`).then(fromProgress);
      void reading.then((curves) => setPast((old) => new Map(old).set(step.name, { ...curves, final: isDone })), () => asked.current.delete(what));
    }
  }, [run]);
  useEffect(() => {
    setLive((old) => {
      const next = new Map(old);
      for (const [name, newest] of progress) {
        if (newest.metrics.loss === undefined) continue;
        const curves = next.get(name) ?? { loss: [], load: [] };
        const last = curves.loss[curves.loss.length - 1];
        if (last && newest.done === last[0]) continue;
        // A step that was tried again goes back to where its position was saved.
        const loss = curves.loss.filter((point) => point[0] < newest.done);
        const load = newest['expert-load'] ? [...curves.load.filter((frame) => frame.at < newest.done), { at: newest.done, layers: newest['expert-load'].map(fairShares) }] : curves.load;
        next.set(name, { loss: [...loss, [newest.done, newest.metrics.loss]], load: load.slice(-400) });
      }
      return next;
    });
  }, [progress]);
  return useMemo(() => {
    const result = new Map<string, Curves>();
    for (const step of run.steps.filter((s) => s.kind === 'train')) {
      const [before, now] = [past.get(step.name), live.get(step.name)];
      if (before?.final || !now) {
        if (before) result.set(step.name, before);
        continue;
      }
      const [firstLoss, firstLoad] = [now.loss[0]?.[0] ?? Infinity, now.load[0]?.at ?? Infinity];
      result.set(step.name, {
        loss: [...(before?.loss.filter((p) => p[0] < firstLoss) ?? []), ...now.loss],
        load: [...(before?.load.filter((f) => f.at < firstLoad) ?? []), ...now.load],
      });
    }
    return result;
  }, [run, past, live]);
}

function useEvaluations(run: Run): ReadonlyMap<string, EvaluationReport> {
  const [reports, setReports] = useState<ReadonlyMap<string, EvaluationReport>>(new Map());
  const asked = useRef(new Set<string>());
  useEffect(() => {
    for (const step of run.steps.filter((s) => s.kind === 'evaluate' && s.outputs.report !== undefined)) {
      if (asked.current.has(step.outputs.report.root)) continue;
      asked.current.add(step.outputs.report.root);
      void get<EvaluationReport>(`/api/v1/runs/${run['run-id']}/steps/${encodeURIComponent(step.name)}/report`).then(
        (report) => setReports((old) => new Map(old).set(step.name, report)),
        () => asked.current.delete(step.outputs.report.root),
      );
    }
  }, [run]);
  return reports;
}

/** Counts of one layer as multiples of a fair share. */
export function fairShares(counts: number[]): number[] {
  const sum = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => (sum > 0 ? (count * counts.length) / sum : 0));
}

const fromReport = (report: TrainReport): Curves => {
  const tokensPerStep = report.history[0] ? report.history[0].tokens / report.history[0].step : 1;
  return {
    loss: report.history.map((point) => [point.tokens, point.loss]),
    load: report.load.map((snapshot) => ({ at: snapshot.step * tokensPerStep, layers: snapshot.layers.map(fairShares) })),
  };
};

const fromProgress = (points: ProgressPoint[]): Curves => {
  const newest = points.filter((point) => point.attempt === points[points.length - 1].attempt);
  return {
    loss: newest.filter((p) => p.metrics.loss !== undefined).map((p) => [p.done, p.metrics.loss]),
    load: newest.filter((p) => p['expert-load']).map((p) => ({ at: p.done, layers: p['expert-load']!.map(fairShares) })),
  };
};
