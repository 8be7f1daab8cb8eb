import { useEffect } from 'react';
import { useResource } from '../api/client';
import { useEvents, useSoon } from '../api/events';
import type { Run, StepState } from '../api/types';
import { Ago, Card, Live, PageHead, Segments, State } from '../parts/bits';
import { useMay } from '../parts/role';
import { Empty, Loaded } from '../parts/states';
import { duration, useNow } from '../format';
import { Link, navigate, useAddress } from '../router';

const pageSize = 200;
const filters = ['all', 'running', 'queued', 'succeeded', 'failed', 'cancelled'] as const;

/** Every run, newest first; changes appear as they happen. */
export function RunsPage() {
  const { query } = useAddress();
  const filter = filters.find((f) => f === query.get('state')) ?? 'all';
  const before = query.get('before');
  const runs = useResource<Run[]>(`/api/v1/runs?limit=${pageSize}${filter === 'all' ? '' : `&state=${filter}`}${before ? `&before=${encodeURIComponent(before)}` : ''}`);
  const soon = useSoon(runs.reload);
  const connection = useEvents('/api/v1/runs/events', ['run-state-changed', 'step-state-changed'], { take: soon });
  // What happened between the first list and the first event is in the second list.
  useEffect(() => {
    if (connection === 'live') soon();
  }, [connection]);
  const maySubmit = useMay('submitter');
  return (
    <>
      <PageHead title="Runs" lead="What the platform is computing, and what it has computed.">
        <Live connection={connection} />
        {maySubmit && (
          <Link className="button primary" href="/submit">
            Submit a pipeline
          </Link>
        )}
      </PageHead>
      <Segments label="Which runs" options={filters} value={filter} onChange={(each) => navigate(each === 'all' ? '/runs' : `/runs?state=${each}`, true)} />
      <Card className="flush">
        <Loaded resource={runs} lines={8}>
          {(page) => (
            <>
              <RunTable runs={page} isFiltered={filter !== 'all' || before !== null} maySubmit={maySubmit} />
              <Pages first={before === null} last={page.length === pageSize ? page[page.length - 1] : undefined} filter={filter} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}

/** The way to older runs and back; nothing where one page has them all. */
function Pages({ first, last, filter }: { first: boolean; last?: Run; filter: (typeof filters)[number] }) {
  if (first && !last) return null;
  const state = filter === 'all' ? '' : `state=${filter}`;
  return (
    <nav className="actions" aria-label="Pages">
      {!first && (
        <Link className="button" href={state ? `/runs?${state}` : '/runs'}>
          Newest runs
        </Link>
      )}
      {last && (
        <Link className="button" href={`/runs?${state ? `${state}&` : ''}before=${last['run-id']}`}>
          Older runs
        </Link>
      )}
    </nav>
  );
}

function RunTable({ runs, isFiltered, maySubmit }: { runs: Run[]; isFiltered: boolean; maySubmit: boolean }) {
  const now = useNow(runs.some((run) => run.state === 'running') ? 1000 : null);
  if (runs.length === 0)
    return isFiltered ? (
      <Empty title="No run is here" />
    ) : (
      <Empty title="Nothing has run yet">
        A pipeline is one YAML file: {maySubmit ? <Link href="/submit">write one here</Link> : 'ask for a key that may submit'}, or <code>espalier submit pipelines/tiny.yaml</code>.
      </Empty>
    );
  return (
    <div className="scroll">
      <table className="rows">
        <thead>
          <tr>
            <th>Run</th>
            <th>State</th>
            <th className="steps-column">Steps</th>
            <th className="number">Took</th>
            <th className="number">Submitted</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run['run-id']} onClick={() => navigate(`/runs/${run['run-id']}`)}>
              <td>
                <Link href={`/runs/${run['run-id']}`} onClick={(event) => event.stopPropagation()}>
                  {run.name}
                </Link>
                <span className="minor mono"> {run['run-id'].slice(0, 8)}</span>
                {run.cause && <div className="minor clip">by {run.cause.trigger}</div>}
                {run.message && <div className="minor clip">{run.message}</div>}
              </td>
              <td>
                <State state={run.state} />
              </td>
              <td>
                <StepCounts counts={run.counts ?? {}} />
              </td>
              <td className="number">{run.started ? duration(((run.ended ? Date.parse(run.ended) : now) - Date.parse(run.started)) / 1000) : '–'}</td>
              <td className="number">
                <Ago time={run.created} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const order: StepState[] = ['succeeded', 'cached', 'running', 'failed', 'cancelled', 'skipped', 'ready', 'waiting'];

function StepCounts({ counts }: { counts: Partial<Record<StepState, number>> }) {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const done = (counts.succeeded ?? 0) + (counts.cached ?? 0) + (counts.skipped ?? 0);
  return (
    <span className="step-counts" title={order.filter((s) => counts[s]).map((s) => `${counts[s]} ${s}`).join(', ')}>
      <span className="strip">
        {order.map((state) => counts[state] && <i key={state} className={state} style={{ flexGrow: counts[state] }} />)}
      </span>
      {done}/{total}
    </span>
  );
}
