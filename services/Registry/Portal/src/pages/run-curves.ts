import { useEffect, useMemo, useRef, useState } from 'react';
import { get } from '../api/client';
import { at } from '../api/place';
import type { ProgressPoint, Run, RunCosts, Step, StepProgress, TrainReport } from '../api/types';
import type { LoadFrame } from './expert-load';

/** One place of a training curve: how far the step was, and what it measured there. */
export interface CurvePoint {
  tokens: number;
  /** Optimizer steps done; unknown while the step runs. */
  step?: number;
  /** Since the step began. */
  seconds?: number;
  metrics: Record<string, number>;
}

export interface Curves {
  points: CurvePoint[];
  load: LoadFrame[];
}

export const axes = ['tokens', 'steps', 'seconds'] as const;
export type Axis = (typeof axes)[number];

/** Where a point stands on an axis. */
export const along = (point: CurvePoint, axis: Axis) => (axis === 'tokens' ? point.tokens : axis === 'steps' ? point.step : point.seconds);

/** Curves by step: history of a finished step from its report, of a running one from the orchestrator, then what the stream brings. */
export function useCurves(run: Run, progress: ReadonlyMap<string, StepProgress>, costs?: RunCosts): ReadonlyMap<string, Curves> {
  const [past, setPast] = useState<ReadonlyMap<string, Curves & { final: boolean }>>(new Map());
  const [live, setLive] = useState<ReadonlyMap<string, Curves>>(new Map());
  const asked = useRef(new Set<string>());
  const training = run.steps.filter((s) => s.kind === 'train');
  const begun = useRef(new Map<string, string | undefined>());
  for (const step of training) begun.current.set(step.name, step.started);
  useEffect(() => {
    for (const step of training) {
      const isDone = step.outputs.report !== undefined;
      const what = `${step.name} ${isDone ? step.outputs.report.root : `${step.state} ${step.attempts}`}`;
      if ((!isDone && step.state !== 'running') || asked.current.has(what)) continue;
      asked.current.add(what);
      const place = { id: run['run-id'], step: step.name };
      const reading = isDone ? get(at('/api/v1/runs/{id}/steps/{step}/report', place)).then((report) => fromReport(report as TrainReport)) : get(at('/api/v1/runs/{id}/steps/{step}/progress', place)).then((points) => fromProgress(points, step));
      void reading.then((curves) => setPast((old) => new Map(old).set(step.name, { ...curves, final: isDone })), () => asked.current.delete(what));
    }
  }, [run]);
  useEffect(() => {
    setLive((old) => {
      const next = new Map(old);
      for (const [name, newest] of progress) {
        if (!begun.current.has(name) || newest.unit !== 'tokens' || Object.keys(newest.metrics).length === 0) continue;
        const curves = next.get(name) ?? { points: [], load: [] };
        if (curves.points[curves.points.length - 1]?.tokens === newest.done) continue;
        const started = begun.current.get(name);
        const point = { tokens: newest.done, seconds: started ? (Date.now() - Date.parse(started)) / 1000 : undefined, metrics: newest.metrics };
        // A step that was tried again goes back to where its position was saved.
        const points = [...curves.points.filter((p) => p.tokens < newest.done), point];
        const load = newest['expert-load'] ? [...curves.load.filter((frame) => frame.at < newest.done), { at: newest.done, layers: newest['expert-load'].map(fairShares) }] : curves.load;
        next.set(name, { points, load: load.slice(-400) });
      }
      return next;
    });
  }, [progress]);
  return useMemo(() => {
    const result = new Map<string, Curves>();
    for (const step of training) {
      const [before, now] = [past.get(step.name), live.get(step.name)];
      if (before?.final) result.set(step.name, timed(before, step, costs));
      else if (!now) {
        if (before) result.set(step.name, before);
      } else {
        const [firstPoint, firstLoad] = [now.points[0]?.tokens ?? Infinity, now.load[0]?.at ?? Infinity];
        result.set(step.name, {
          points: [...(before?.points.filter((p) => p.tokens < firstPoint) ?? []), ...now.points],
          load: [...(before?.load.filter((f) => f.at < firstLoad) ?? []), ...now.load],
        });
      }
    }
    return result;
  }, [run, past, live, costs]);
}

/** Reports are the same wherever they are made, so they tell no times: the step's own time is spread evenly over its tokens. */
function timed(curves: Curves, step: Step, costs?: RunCosts): Curves {
  const cost = costs?.steps.find((s) => s.name === step.name);
  const seconds = cost?.seconds ?? cost?.['saved-seconds'];
  const last = curves.points[curves.points.length - 1];
  if (!seconds || !last) return curves;
  return { ...curves, points: curves.points.map((p) => ({ ...p, seconds: (seconds * p.tokens) / last.tokens })) };
}

/**
 * How far along an axis each step begins when what its model was made from counts: the end of the longest of its ancestors. The time of
 * steps that do not train counts, too.
 */
export function beginnings(run: Run, curves: ReadonlyMap<string, Curves>, axis: Axis, costs?: RunCosts): ReadonlyMap<string, number> {
  const [starts, ends] = [new Map<string, number>(), new Map<string, number>()];
  for (const step of run.steps) {
    const start = Math.max(0, ...step.needs.map((need) => ends.get(need) ?? 0));
    const points = curves.get(step.name)?.points;
    const last = points?.[points.length - 1];
    const cost = costs?.steps.find((s) => s.name === step.name);
    const own = (last && along(last, axis)) ?? (axis === 'seconds' && step.kind !== 'evaluate' ? (cost?.seconds ?? cost?.['saved-seconds']) : undefined) ?? 0;
    starts.set(step.name, start);
    ends.set(step.name, start + own);
  }
  return starts;
}

/** Counts of one layer as multiples of a fair share. */
export function fairShares(counts: number[]): number[] {
  const sum = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => (sum > 0 ? (count * counts.length) / sum : 0));
}

const fromReport = (report: TrainReport): Curves => {
  const tokensPerStep = report.history[0] ? report.history[0].tokens / report.history[0].step : 1;
  return {
    points: report.history.map(({ step, tokens, ...metrics }) => ({ step, tokens, metrics })),
    load: report.load.map((snapshot) => ({ at: snapshot.step * tokensPerStep, layers: snapshot.layers.map(fairShares) })),
  };
};

const fromProgress = (points: ProgressPoint[], step: Step): Curves => {
  const newest = points.filter((point) => point.attempt === points[points.length - 1].attempt);
  const started = step.started ? Date.parse(step.started) : undefined;
  return {
    points: newest.map((p) => ({ tokens: p.done, seconds: started === undefined ? undefined : (Date.parse(p.at) - started) / 1000, metrics: p.metrics })),
    load: newest.filter((p) => p['expert-load']).map((p) => ({ at: p.done, layers: p['expert-load']!.map(fairShares) })),
  };
};
