import { useState } from 'react';
import { send, useAction } from '../api/client';
import type { Collection } from '../api/types';
import { Bars } from '../charts/bars';
import { Card } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { ErrorBox } from '../parts/states';
import { bytes, whole } from '../format';

const graces = [
  ['24h', 'a day'],
  ['1h', 'an hour'],
  ['0s', 'no time'],
] as const;

/** Garbage collection: what it would delete, always before deleting it. */
export function Collector({ onDone }: { onDone: () => void }) {
  const [report, setReport] = useState<Collection>();
  const [grace, setGrace] = useState<string>('24h');
  const [asks, setAsks] = useState(false);
  const action = useAction();
  const collect = (isDry: boolean) => {
    setAsks(false);
    return action.run(async () => {
      setReport(await send<Collection>('POST', '/api/v1/storage/gc', { 'dry-run': isDry, grace }));
      if (!isDry) onDone();
    });
  };
  return (
    <Card title="Garbage" aside={<span className="minor">bytes that no version, result or run holds any more</span>}>
      {report ? (
        <Report report={report} />
      ) : (
        <p className="minor">
          Deleting takes two passes. The first marks what nothing needs and what is older than the grace period; a later one deletes what is still not needed. Uploading a marked blob again keeps it.
        </p>
      )}
      {action.error && <ErrorBox error={action.error} />}
      <div className="actions">
        <label className="inline">
          Grace
          <select
            value={grace}
            onChange={(event) => {
              setGrace(event.target.value);
              setReport(undefined);
            }}
          >
            {graces.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <button disabled={action.busy} onClick={() => void collect(true)}>
          {action.busy ? 'Looking…' : 'Show what would be deleted'}
        </button>
        {report?.['dry-run'] && report['deleted-blobs'] + report['condemned-blobs'] > 0 && (
          <button className="danger" disabled={action.busy} onClick={() => setAsks(true)}>
            Collect
          </button>
        )}
      </div>
      {asks && report && (
        <Dialog title="Collect the garbage?" onClose={() => setAsks(false)}>
          <p>
            {blobs(report['deleted-blobs'], report['deleted-bytes'])} are deleted for good; {blobs(report['condemned-blobs'], report['condemned-bytes'])} are condemned and go with a later collection.
          </p>
          {grace === '0s' && <p className="notice">Without a grace period everything goes at once, including what an upload or a running step has stored but not yet named. Make sure that nothing is running.</p>}
          <div className="actions">
            <button onClick={() => setAsks(false)}>Leave it</button>
            <button className="danger" onClick={() => void collect(false)}>
              Delete and condemn
            </button>
          </div>
        </Dialog>
      )}
    </Card>
  );
}

const blobs = (count: number, size: number) => `${whole(count)} blob${count === 1 ? '' : 's'} (${bytes(size)})`;

function Report({ report }: { report: Collection }) {
  const would = report['dry-run'];
  const rows = [
    ['registered', report['registered-bytes'], 'strong', 'versions and what they were made from', undefined],
    ['results', report['cache-bytes'], 'soft', 'results of steps, kept so that nothing is computed twice', undefined],
    ['positions', report['position-bytes'], 'soft', 'saved positions of unfinished steps', undefined],
    ['young', report['young-bytes'], 'soft', 'put within the grace', report['young-blobs']],
    [would ? 'to condemn' : 'condemned', report['condemned-bytes'], 'second', 'needed by nothing; waits for its end', report['condemned-blobs']],
    [would ? 'to delete' : 'deleted', report['deleted-bytes'], 'second', 'needed by nothing for long enough', report['deleted-blobs']],
  ] as const;
  return (
    <>
      <p className={`notice ${would ? 'waiting' : 'succeeded'}`} role="status">
        {would
          ? report['deleted-blobs'] + report['condemned-blobs'] === 0
            ? 'Nothing would be deleted.'
            : `Would delete ${blobs(report['deleted-blobs'], report['deleted-bytes'])} and condemn ${blobs(report['condemned-blobs'], report['condemned-bytes'])}.`
          : `Deleted ${blobs(report['deleted-blobs'], report['deleted-bytes'])}; ${blobs(report['condemned-blobs'], report['condemned-bytes'])} are marked for a later pass.`}
      </p>
      <Bars rows={rows.map(([name, size, tone, title, count]) => ({ key: name, name, parts: [{ value: size, tone, title }], text: <span title={title}>{count === undefined ? bytes(size) : blobs(count, size)}</span> }))} />
    </>
  );
}
