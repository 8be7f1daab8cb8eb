import { useState } from 'react';
import { send, useAction } from '../api/client';
import { at } from '../api/place';
import type { Collection } from '../api/types';
import { Bars } from '../charts/bars';
import { Card } from '../parts/bits';
import { Dialog } from '../parts/dialog';
import { ErrorBox } from '../parts/states';
import { bytes, counted } from '../format';

const graces = [
  ['24h', 'a day'],
  ['1h', 'an hour'],
  ['0s', 'none'],
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
      setReport(await send('post', at('/api/v1/storage/gc', {}), { 'dry-run': isDry, grace }));
      if (!isDry) onDone();
    });
  };
  return (
    <Card title="Clean up" aside={<span className="minor">data that no version, result or run needs any more</span>}>
      {report ? (
        <Report report={report} />
      ) : (
        <p className="minor">
          Cleaning up takes two passes. The first marks data that is not needed and older than the grace period; a later pass deletes what is still not needed. Uploading a marked file again keeps it.
        </p>
      )}
      {action.error && <ErrorBox error={action.error} />}
      <div className="actions">
        <label className="inline">
          Grace period
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
          {action.busy ? 'Checking…' : 'Show what would be deleted'}
        </button>
        {report?.['dry-run'] && report['deleted-blobs'] + report['condemned-blobs'] > 0 && (
          <button className="danger" disabled={action.busy} onClick={() => setAsks(true)}>
            Clean up
          </button>
        )}
      </div>
      {asks && report && (
        <Dialog title="Clean up now?" onClose={() => setAsks(false)}>
          <p>
            This deletes {blobs(report['deleted-blobs'], report['deleted-bytes'])} for good and marks {blobs(report['condemned-blobs'], report['condemned-bytes'])} for a later pass.
          </p>
          {grace === '0s' && <p className="notice">Without a grace period everything is deleted immediately, including data of uploads and steps that have not finished. Make sure that nothing is running.</p>}
          <div className="actions">
            <button onClick={() => setAsks(false)}>Cancel</button>
            <button className="danger" onClick={() => void collect(false)}>
              Delete and mark
            </button>
          </div>
        </Dialog>
      )}
    </Card>
  );
}

const blobs = (count: number, size: number) => `${counted(count, 'file')} (${bytes(size)})`;

function Report({ report }: { report: Collection }) {
  const would = report['dry-run'];
  const rows = [
    ['registered', report['registered-bytes'], 'strong', 'versions and what they were made from', undefined],
    ['results', report['cache-bytes'], 'soft', 'results of steps, kept so that nothing is computed twice', undefined],
    ['saved progress', report['position-bytes'], 'soft', 'where unfinished steps continue from', undefined],
    ['recent', report['young-bytes'], 'soft', 'stored within the grace period', report['young-blobs']],
    [would ? 'to be marked' : 'marked', report['condemned-bytes'], 'second', 'not needed; deleted in a later pass', report['condemned-blobs']],
    [would ? 'to be deleted' : 'deleted', report['deleted-bytes'], 'second', 'not needed for longer than the grace period', report['deleted-blobs']],
  ] as const;
  return (
    <>
      <p className={`notice ${would ? 'waiting' : 'succeeded'}`} role="status">
        {would
          ? report['deleted-blobs'] + report['condemned-blobs'] === 0
            ? 'There is nothing to delete.'
            : `Would delete ${blobs(report['deleted-blobs'], report['deleted-bytes'])} and mark ${blobs(report['condemned-blobs'], report['condemned-bytes'])}.`
          : `Deleted ${blobs(report['deleted-blobs'], report['deleted-bytes'])}; ${blobs(report['condemned-blobs'], report['condemned-bytes'])} marked for a later pass.`}
      </p>
      <Bars rows={rows.map(([name, size, tone, title, count]) => ({ key: name, name, parts: [{ value: size, tone, title }], text: <span title={title}>{count === undefined ? bytes(size) : blobs(count, size)}</span> }))} />
    </>
  );
}
