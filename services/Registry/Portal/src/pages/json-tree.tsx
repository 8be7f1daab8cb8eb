import type { ReactNode } from 'react';
import { useState } from 'react';

const shownFirst = 50;

/** JSON as a tree that opens: lists and maps say how much is in them. */
export const JsonTree = ({ value }: { value: unknown }) => (
  <div className="json" role="group" aria-label="Content">
    {isBranch(value) ? <Entries value={value} depth={0} /> : <Leaf value={value} />}
  </div>
);

type Branch = unknown[] | Record<string, unknown>;

const isBranch = (value: unknown): value is Branch => typeof value === 'object' && value !== null;

function Entries({ value, depth }: { value: Branch; depth: number }) {
  const [count, setCount] = useState(shownFirst);
  const entries = Object.entries(value);
  return (
    <ul>
      {entries.slice(0, count).map(([name, each]) => (
        <li key={name}>
          <Entry name={name} value={each} depth={depth} />
        </li>
      ))}
      {entries.length > count && (
        <li>
          <button className="quiet" onClick={() => setCount(count * 10)}>
            {entries.length - count} more
          </button>
        </li>
      )}
    </ul>
  );
}

function Entry({ name, value, depth }: { name: string; value: unknown; depth: number }): ReactNode {
  const [isOpen, setIsOpen] = useState(false);
  if (!isBranch(value) || isPlain(value))
    return (
      <>
        <b>{name}</b> <Leaf value={value} />
      </>
    );
  const size = Object.keys(value).length;
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        <b>{name}</b> <span className="minor">{Array.isArray(value) ? `${size} ${size === 1 ? 'item' : 'items'}` : `${size} ${size === 1 ? 'entry' : 'entries'}`}</span>
      </summary>
      {isOpen && <Entries value={value} depth={depth + 1} />}
    </details>
  );
}

/** Short lists of plain values stand in one line. */
const isPlain = (value: Branch) => Array.isArray(value) && value.length <= 8 && value.every((each) => !isBranch(each));

const Leaf = ({ value }: { value: unknown }) => <span className={typeof value === 'number' ? 'figures' : ''}>{Array.isArray(value) ? `[${value.join(', ')}]` : value === null ? 'null' : String(value)}</span>;
