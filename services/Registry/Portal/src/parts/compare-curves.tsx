import { useEffect, useMemo, useState } from 'react';
import { get } from '../api/client';
import { at } from '../api/place';
import type { TrainReport } from '../api/types';
import { LineChart, type Series } from '../charts/line-chart';
import { Card } from './bits';
import { Loading } from './states';

/** A step whose training is drawn. */
export interface CurveSource {
  name: string;
  run: string;
  step: string;
  isRunning?: boolean;
}

type Point = { step: number; tokens: number } & Record<string, number>;

/** Training curves of several steps in one chart; nothing where none of them trained. */
export function CompareCurves({ sources }: { sources: CurveSource[] }) {
  const [curves, setCurves] = useState<Map<string, Point[]>>();
  const [metric, setMetric] = useState('loss');
  const [axis, setAxis] = useState<'tokens' | 'step'>('tokens');
  const key = JSON.stringify(sources);
  useEffect(() => {
    const abort = new AbortController();
    void Promise.all(sources.map(async (source) => [source.name, await read(source, abort.signal)] as const)).then((all) => abort.signal.aborted || setCurves(new Map(all.filter(([, points]) => points.length > 0))));
    return () => abort.abort();
  }, [key]);
  const metrics = useMemo(() => [...new Set([...(curves?.values() ?? [])].flatMap((points) => points.flatMap((point) => Object.keys(point))))].filter((name) => name !== 'step' && name !== 'tokens').sort(), [curves]);
  if (sources.length === 0 || curves?.size === 0) return null;
  const chosen = metrics.includes(metric) ? metric : metrics[0];
  const series: Series[] = [...(curves ?? [])].map(([name, points]) => ({ name, points: points.flatMap((point): [number, number][] => (Number.isFinite(point[chosen]) && Number.isFinite(point[axis]) ? [[point[axis], point[chosen]]] : [])) }));
  return (
    <Card title="Training curves">
      {curves === undefined ? (
        <Loading />
      ) : (
        <>
          <div className="chart-controls">
            <label>
              Metric
              <select value={chosen} onChange={(event) => setMetric(event.target.value)}>
                {metrics.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </label>
            <label>
              Over
              <select value={axis} onChange={(event) => setAxis(event.target.value as 'tokens' | 'step')}>
                <option value="tokens">tokens</option>
                <option value="step">steps</option>
              </select>
            </label>
          </div>
          <LineChart series={series.filter((each) => each.points.length > 0)} xName={axis === 'tokens' ? 'tokens' : 'steps'} yName={chosen} />
        </>
      )}
    </Card>
  );
}

/** What a step measured while it trained: from its report, or as far as it has come. A step that did not train measured nothing. */
async function read({ run, step, isRunning }: CurveSource, signal: AbortSignal): Promise<Point[]> {
  try {
    if (isRunning) return (await get(at('/api/v1/runs/{id}/steps/{step}/progress', { id: run, step }), signal)).map((point, i) => ({ step: i, tokens: point.metrics.tokens ?? point.done, ...point.metrics }));
    return (((await get(at('/api/v1/runs/{id}/steps/{step}/report', { id: run, step }), signal)) as TrainReport).history ?? []) as unknown as Point[];
  } catch {
    return [];
  }
}
