import { useResource } from '../api/client';
import { at } from '../api/place';
import { useEvents, useSoon } from '../api/events';
import type { ComparedRun, Run } from '../api/types';
import { Card, Live, PageHead, State } from '../parts/bits';
import { CompareCurves } from '../parts/compare-curves';
import { CompareTable } from '../parts/compare-table';
import { compareRunsPath } from '../parts/compared';
import { Loaded } from '../parts/states';
import { Ago } from '../parts/bits';
import { between, duration } from '../format';
import { Link, navigate } from '../router';

const isEnded = (run: Run) => run.state === 'succeeded' || run.state === 'failed' || run.state === 'cancelled';

/** Runs side by side: their curves, what they measured, and what they were told to do. */
export function CompareRuns({ runs }: { runs: string[] }) {
  const compared = useResource(at('/api/v1/runs/compare', { run: runs }));
  const soon = useSoon(compared.reload, 1000);
  const isLive = compared.data?.some(({ run }) => !isEnded(run)) ?? false;
  const connection = useEvents(isLive ? '/api/v1/runs/events' : null, ['run-state-changed', 'step-state-changed'], { take: soon });
  return (
    <>
      <PageHead title="Compare runs" lead="The address of this page can be shared.">
        {isLive && <Live connection={connection} />}
      </PageHead>
      <Loaded resource={compared} lines={8}>
        {(data) => {
          const columns = data.map((each) => ({ ...each, key: each.run['run-id'], label: each.run.label }));
          const heads = columns.map(({ key, label, run }) => ({ key, run, name: label, href: `/runs/${key}` }));
          const table = (values: (each: ComparedRun) => Record<string, number | string>) => ({
            columns: heads.map((head, i) => ({ ...head, values: values(data[i]) })),
            names: [...new Set(data.flatMap((each) => Object.keys(values(each))))],
          });
          return (
            <>
              <Card title="Runs" className="flush">
                <div className="scroll">
                  <table>
                    <tbody>
                      {columns.map(({ key, label, run }) => (
                        <tr key={key}>
                          <td>
                            <Link href={`/runs/${key}`}>{label}</Link>
                          </td>
                          <td>
                            <State state={run.state} />
                          </td>
                          <td className="number">{run.started ? duration(between(run.started, run.ended)!) : '–'}</td>
                          <td className="number">
                            <Ago time={run.created} />
                          </td>
                          <td className="number">
                            <button className="quiet" aria-label={`Remove ${label}`} onClick={() => navigate(compareRunsPath(columns.map((each) => each.key).filter((each) => each !== key)))}>
                              Remove
                            </button>
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              </Card>
              <CompareCurves
                sources={columns.flatMap(({ run, label, key }) =>
                  run.steps.filter((step) => step.kind === 'train' && (step.outputs.report !== undefined || step.state === 'running')).map((step) => ({ name: `${label} · ${step.name}`, run: key, step: step.name, isRunning: step.state === 'running' })),
                )}
              />
              <CompareTable title="Metrics" best {...table(({ run }) => Object.fromEntries(run.steps.flatMap((step) => Object.entries(step.metrics).map(([metric, value]) => [`${step.name}.${metric}`, value]))))} empty="Nothing has been measured yet." />
              <CompareTable title="Parameters" onlyDifferent {...table(({ parameters }) => parameters)} empty="None of these runs has parameters." />
              <CompareTable title="Options" onlyDifferent {...table(({ options }) => options)} empty="Options of archived runs are not kept." />
            </>
          );
        }}
      </Loaded>
    </>
  );
}
