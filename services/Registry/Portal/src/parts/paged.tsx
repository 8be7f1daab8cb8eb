import { type ReactNode, useEffect, useState } from 'react';
import { useAction } from '../api/client';
import type { Page } from '../api/types';
import { ErrorBox } from './states';

/** A list that has more behind a cursor. */
export function Paged<T>({ first, read, children }: { first: Page<T>; read: (cursor: string) => Promise<Page<T>>; children: (items: T[]) => ReactNode }) {
  const [more, setMore] = useState<Page<T>>();
  const action = useAction();
  // What follows a list that has changed does not follow it any more.
  const state = JSON.stringify(first);
  useEffect(() => setMore(undefined), [state]);
  const items = more ? [...first.items, ...more.items] : first.items;
  const next = more ? more.next : first.next;
  const readMore = () =>
    action.run(async () => {
      const page = await read(next!);
      setMore((old) => ({ items: [...(old?.items ?? []), ...page.items], next: page.next }));
    });
  return (
    <div className="scroll">
      {children(items)}
      {next && (
        <button className="quiet wide" disabled={action.busy} onClick={() => void readMore()}>
          {action.busy ? 'Reading…' : 'Show more'}
        </button>
      )}
      {action.error && <ErrorBox error={action.error} />}
    </div>
  );
}
