import { type ReactNode, useState } from 'react';

/** Ends of an interval that another metric has already. */
const isEnd = (name: string) => /-(low|high|lower-bound|upper-bound)$/.test(name);

/**
 * Names of metrics in two parts: those of the model itself, and those that its evaluation measured of other models (STEP.metric).
 * A filter looks through all.
 */
export function useMetricNames(all: readonly string[]): { names: string[]; control: ReactNode } {
  const [text, setText] = useState('');
  const [withOthers, setWithOthers] = useState(false);
  const known = all.filter((name) => !isEnd(name)).sort();
  const own = known.filter((name) => !name.includes('.'));
  const others = known.length - own.length;
  const names = text === '' ? (withOthers || own.length === 0 ? known : own) : known.filter((name) => name.includes(text));
  const control = (
    <>
      {others > 0 && own.length > 0 && text === '' && (
        <button className="quiet" aria-pressed={withOthers} onClick={() => setWithOthers(!withOthers)}>
          {withOthers ? 'this model only' : `${others} more, of other models`}
        </button>
      )}
      <input type="search" aria-label="Filter metrics" placeholder="Filter" value={text} onChange={(event) => setText(event.target.value)} />
    </>
  );
  return { names, control };
}
