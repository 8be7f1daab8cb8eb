import { type FormEvent, useEffect, useState } from 'react';
import { useResource } from '../api/client';
import { at } from '../api/place';
import { useEvents, useSoon } from '../api/events';
import type { Run, StepState } from '../api/types';
import { Ago, Card, Live, PageHead, Segments, State } from '../parts/bits';
import { compareRunsPath, mostCompared } from '../parts/compared';
import { OrderedColumn } from '../parts/ordered-column';
import { useMay } from '../parts/role';
import { Empty, Loaded } from '../parts/states';
import { duration, useNow } from '../format';
import { Link, navigate, useAddress } from '../router';

const pageSize = 200;
// What the heads of the table offer, for windows that are too narrow for them.
const orders = { 'created desc': 'Newest first', created: 'Oldest first', 'duration desc': 'Longest first', duration: 'Shortest first', name: 'By name', 'name desc': 'By name, reversed' };
const filters = ['all', 'running', 'queued', 'succeeded', 'failed', 'cancelled'] as const;

/** Every run, newest first or as a column orders them; changes appear as they happen. The server filters and pages; the address says how. */
export function RunsPage() {
  const { query } = useAddress();
  const filter = filters.find((f) => f === query.get('state')) ?? 'all';
  const [pipeline, order, after] = [query.get('pipeline'), query.get('order'), query.get('after') ?? query.get('before')];
  const chosen = { ...(filter === 'all' ? {} : { state: filter }), ...(pipeline ? { pipeline } : {}) };
  const wanted = { ...chosen, ...(order ? { order } : {}) };
  const runs = useResource(at('/api/v1/runs', { limit: pageSize, ...wanted, after: after ?? undefined }));
  const soon = useSoon(runs.reload);
  const connection = useEvents('/api/v1/runs/events', ['run-state-changed', 'step-state-changed'], { take: soon });
  // What happened between the first list and the first event is in the second list.
  useEffect(() => {
    if (connection === 'live') soon();
  }, [connection]);
  const maySubmit = useMay('submitter');
  const [picked, setPicked] = useState<string[]>([]);
  const pick = (run: string) => setPicked((old) => (old.includes(run) ? old.filter((each) => each !== run) : [...old, run].slice(-mostCompared)));
  return (
    <>
      <PageHead title="Runs" lead="What is running on the platform, and what has run.">
        <Live connection={connection} />
        {maySubmit && (
          <Link className="button primary" href="/submit">
            Submit a pipeline
          </Link>
        )}
      </PageHead>
      <div className="list-controls">
        <Segments label="Which runs" options={filters} value={filter} onChange={(each) => navigate(address({ ...wanted, state: each === 'all' ? undefined : each }), true)} />
        <PipelineFilter pipeline={pipeline ?? ''} runs={runs.data ?? []} onFilter={(name) => navigate(address({ ...wanted, pipeline: name || undefined }), true)} />
        <select className="if-narrow" aria-label="Order" value={order ?? 'created desc'} onChange={(event) => navigate(address({ ...chosen, order: event.target.value === 'created desc' ? undefined : event.target.value }), true)}>
          {Object.entries(orders).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <button disabled={picked.length < 2} onClick={() => navigate(compareRunsPath(picked))}>
          {picked.length < 2 ? 'Select two or more to compare' : `Compare ${picked.length} runs`}
        </button>
      </div>
      <Card className="flush">
        <Loaded resource={runs} lines={8}>
          {(page) => (
            <>
              <RunTable runs={page} isFiltered={Object.keys(chosen).length > 0 || after !== null} maySubmit={maySubmit} picked={picked} onPick={pick} order={order ?? undefined} onOrder={(next) => navigate(address({ ...chosen, order: next === 'created desc' ? undefined : next }), true)} />
              <Pages first={after === null} last={page.length === pageSize ? page[page.length - 1] : undefined} wanted={wanted} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}

/** The address of a list of runs. */
function address(wanted: Record<string, string | undefined>): string {
  const query = new URLSearchParams(Object.entries(wanted).filter((each): each is [string, string] => each[1] !== undefined));
  return query.size > 0 ? `/runs?${query}` : '/runs';
}

/** The name of a pipeline, whole: those of the runs on this page are offered. */
function PipelineFilter({ pipeline, runs, onFilter }: { pipeline: string; runs: Run[]; onFilter: (name: string) => void }) {
  const [text, setText] = useState(pipeline);
  useEffect(() => setText(pipeline), [pipeline]);
  const apply = (event: FormEvent) => {
    event.preventDefault();
    onFilter(text.trim());
  };
  return (
    <form className="filter-one" role="search" onSubmit={apply}>
      <input type="search" list="pipeline-names" aria-label="Pipeline" placeholder="Pipeline name" value={text} onChange={(event) => (setText(event.target.value), event.target.value === '' && onFilter(''))} spellCheck={false} />
      <datalist id="pipeline-names">
        {[...new Set(runs.map((run) => run.name))].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <button>Filter</button>
    </form>
  );
}

/** The way to older runs and back; nothing where one page has them all. */
function Pages({ first, last, wanted }: { first: boolean; last?: Run; wanted: Record<string, string> }) {
  const isNewestFirst = wanted.order === undefined;
  if (first && !last) return null;
  return (
    <nav className="actions" aria-label="Pages">
      {!first && (
        <Link className="button" href={address(wanted)}>
          {isNewestFirst ? 'Newest runs' : 'First page'}
        </Link>
      )}
      {last && (
        <Link className="button" href={address({ ...wanted, after: last['run-id'] })}>
          {isNewestFirst ? 'Older runs' : 'Next page'}
        </Link>
      )}
    </nav>
  );
}

interface RunTableProps {
  runs: Run[];
  isFiltered: boolean;
  maySubmit: boolean;
  picked: string[];
  onPick: (run: string) => void;
  order?: string;
  onOrder: (order: string) => void;
}

function RunTable({ runs, isFiltered, maySubmit, picked, onPick, order, onOrder }: RunTableProps) {
  const now = useNow(runs.some((run) => run.state === 'running') ? 1000 : null);
  if (runs.length === 0)
    return isFiltered ? (
      <Empty title="No runs match" />
    ) : (
      <Empty title="Nothing has run yet">
        A pipeline is a YAML file: {maySubmit ? <Link href="/submit">write one here</Link> : 'to submit one you need a submitter’s key'}, or run <code>espalier submit pipelines/tiny.yaml</code>.
      </Empty>
    );
  return (
    <div className="scroll">
      <table className="rows stacked">
        <thead>
          <tr>
            <th aria-label="Compare" />
            <OrderedColumn field="name" name="Run" order={order} onOrder={onOrder} />
            <th>State</th>
            <th className="steps-column">Steps</th>
            <OrderedColumn field="duration" name="Duration" className="number" order={order} onOrder={onOrder} />
            <OrderedColumn field="created" name="Submitted" className="number" order={order} onOrder={onOrder} />
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run['run-id']} onClick={() => navigate(`/runs/${run['run-id']}`)}>
              <td className="pick" onClick={(event) => event.stopPropagation()}>
                <input type="checkbox" aria-label={`Compare ${run.label}`} checked={picked.includes(run['run-id'])} onChange={() => onPick(run['run-id'])} />
              </td>
              <td>
                <Link href={`/runs/${run['run-id']}`} onClick={(event) => event.stopPropagation()}>
                  {run.label}
                </Link>
                {run.cause && <div className="minor clip">started by {run.cause.trigger}</div>}
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

const stepOrder: StepState[] = ['succeeded', 'cached', 'running', 'failed', 'cancelled', 'skipped', 'ready', 'waiting'];

function StepCounts({ counts }: { counts: Partial<Record<StepState, number>> }) {
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const done = (counts.succeeded ?? 0) + (counts.cached ?? 0) + (counts.skipped ?? 0);
  return (
    <span className="step-counts" title={stepOrder.filter((s) => counts[s]).map((s) => `${counts[s]} ${s}`).join(', ')}>
      <span className="strip">
        {stepOrder.map((state) => counts[state] && <i key={state} className={state} style={{ flexGrow: counts[state] }} />)}
      </span>
      {done}/{total}
    </span>
  );
}
