import { useEffect, useRef, useState } from 'react';
import { get } from '../api/client';
import { type Place } from '../api/place';
import { useSoon } from '../api/events';
import { Card } from '../parts/bits';
import { clock, moment } from '../format';

interface LogLine {
  id: number;
  at: string;
  step: string;
  attempt: number;
  text: string;
  level: Level;
}

type Level = 'info' | 'warning' | 'error';

const mostLines = 2000;
const levels: Record<Level, string> = { info: 'everything', warning: 'warnings and errors', error: 'errors' };

/**
 * The end of the log, with time, step and level; it follows what is added unless somebody scrolled up to read.
 * `beat` changes when there may be more.
 */
export function RunLog({ place, beat, step, onAll }: { place: Place<'/api/v1/runs/{id}'>; beat: number; step?: string; onAll: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const [level, setLevel] = useState<Level>('info');
  const [search, setSearch] = useState('');
  const query = new URLSearchParams({ level, ...(search && { search }), ...(step && { step }) });
  const { lines, failed } = useLog(place, query, beat);
  useEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follows]);
  return (
    <Card
      title={step ? `Log of ${step}` : 'Log'}
      aside={
        <>
          {step && (
            <button className="quiet" onClick={onAll}>
              all steps
            </button>
          )}
          {!follows && (
            <button className="quiet" onClick={() => setFollows(true)}>
              follow
            </button>
          )}
          <a className="button quiet" href={`${place.url}/log?${query}&format=text`} download>
            Download
          </a>
        </>
      }
    >
      <div className="log-choice">
        <input type="search" aria-label="Search in the log" placeholder="Search" value={search} onChange={(event) => setSearch(event.target.value)} spellCheck={false} />
        <select aria-label="Lowest level shown" value={level} onChange={(event) => setLevel(event.target.value as Level)}>
          {Object.entries(levels).map(([each, name]) => (
            <option key={each} value={each}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <div
        className="log"
        role="log"
        aria-label={step ? `Log of ${step}` : 'Log'}
        tabIndex={0}
        ref={box}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollows(scrollHeight - scrollTop - clientHeight < 30);
        }}
      >
        {failed && <span className="minor">The log cannot be read: {failed}</span>}
        {!failed && lines?.length === 0 && <span className="minor">{search || level !== 'info' ? 'No line matches.' : 'Nothing has been written yet.'}</span>}
        {lines?.map((line, i) => (
          <div key={i} className={line.level}>
            <time dateTime={line.at} title={moment(line.at)}>
              {clock(line.at)}
            </time>
            <b title={line.attempt > 1 ? `attempt ${line.attempt}` : undefined}>
              {line.step || 'run'}
              {line.attempt > 1 && `#${line.attempt}`}
            </b>
            <span>{line.text}</span>
          </div>
        ))}
      </div>
    </Card>
  );
}

/** The last lines that match, and those that come. */
function useLog(place: Place<'/api/v1/runs/{id}'>, query: URLSearchParams, beat: number): { lines?: LogLine[]; failed?: string } {
  const [state, setState] = useState<{ key: string; lines?: LogLine[]; failed?: string }>({ key: '' });
  const key = `${place.url} ${query}`;
  const reading = useRef({ key: '', after: 0, isBusy: false, isAgain: false });
  const read = async () => {
    const now = reading.current;
    if (now.isBusy) {
      now.isAgain = true;
      return;
    }
    now.isBusy = true;
    const isFirst = now.after === 0;
    try {
      const more = await get(place.under('/log', { ...Object.fromEntries(query), ...(isFirst ? { last: mostLines } : { after: now.after }) }));
      if (reading.current !== now) return;
      now.after = more.at(-1)?.id ?? now.after;
      if (isFirst || more.length > 0) setState((old) => ({ key: now.key, lines: [...(isFirst ? [] : (old.lines ?? [])), ...more].slice(-mostLines) }));
    } catch (error) {
      if (reading.current === now) setState((old) => ({ ...old, key: now.key, failed: (error as Error).message }));
    } finally {
      now.isBusy = false;
      if (now.isAgain && reading.current === now) {
        now.isAgain = false;
        void read();
      }
    }
  };
  const soon = useSoon(() => void read(), 150);
  useEffect(() => {
    reading.current = { key, after: 0, isBusy: false, isAgain: false };
    soon();
  }, [key]);
  useEffect(soon, [beat]);
  return state.key === key ? state : {};
}
