import { type ReactNode, useState } from 'react';
import { measure } from '../format';
import { Link } from '../router';
import { Card } from './bits';
import { Empty } from './states';

/** What stands in a column. */
export interface Compared {
  key: string;
  name: string;
  href: string;
  values: Record<string, number | string | undefined>;
}

type Order = { by: string; isDescending: boolean };

/** Rows by name, a column for each that is compared; a filter looks through the names, a click on a head orders by that column. */
export function CompareTable({ title, columns, names, onlyDifferent, empty, best }: { title: string; columns: Compared[]; names: string[]; onlyDifferent?: boolean; empty: ReactNode; best?: boolean }) {
  const [filter, setFilter] = useState('');
  const [isWhole, setIsWhole] = useState(!onlyDifferent);
  const [order, setOrder] = useState<Order>({ by: '', isDescending: false });
  const isDifferent = (name: string) => new Set(columns.map((column) => column.values[name])).size > 1;
  const shown = names.filter((name) => name.toLowerCase().includes(filter.toLowerCase()) && (isWhole || isDifferent(name)));
  const by = columns.find((column) => column.key === order.by);
  const sorted = [...shown].sort((a, b) => (by ? compare(by.values[a], by.values[b]) : compare(a, b)) * (order.isDescending ? -1 : 1));
  const sortOf = (key: string) => (order.by === key ? (order.isDescending ? 'descending' : 'ascending') : undefined);
  const sortBy = (key: string) => setOrder({ by: key, isDescending: order.by === key && !order.isDescending });
  return (
    <Card
      title={title}
      className="flush"
      aside={
        <>
          {onlyDifferent && (
            <label className="inline">
              <input type="checkbox" checked={isWhole} onChange={() => setIsWhole(!isWhole)} /> show equal values
            </label>
          )}
          <input type="search" aria-label={`Filter ${title.toLowerCase()}`} placeholder="Filter" value={filter} onChange={(event) => setFilter(event.target.value)} />
        </>
      }
    >
      {sorted.length === 0 ? (
        <Empty title={filter ? 'No name contains this' : names.length === 0 ? 'There is nothing to compare' : 'All are equal'}>{filter || names.length > 0 ? undefined : empty}</Empty>
      ) : (
        <div className="scroll">
          <table className="compared" aria-label={title}>
            <thead>
              <tr>
                <th aria-sort={sortOf('')}>
                  <button className="column" onClick={() => sortBy('')}>
                    Name
                  </button>
                </th>
                {columns.map(({ key, name, href }) => (
                  <th key={key} className="number" aria-sort={sortOf(key)}>
                    <Link href={href}>{name}</Link>
                    <button className="column order" onClick={() => sortBy(key)} aria-label={`Order by ${name}`}>
                      {order.by === key ? '' : '↕'}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sorted.map((name) => {
                const numbers = columns.map((column) => column.values[name]).filter((value) => typeof value === 'number');
                const leads = best && numbers.length > 1 && /loss|perplexity|bits-per-byte/.test(name) ? Math.min(...numbers) : undefined;
                return (
                  <tr key={name}>
                    <td>{name}</td>
                    {columns.map((column) => (
                      <td key={column.key} className={`number ${leads !== undefined && column.values[name] === leads ? 'clear' : ''}`}>
                        <Value value={column.values[name]} />
                      </td>
                    ))}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

/** A value; a long one opens. */
function Value({ value }: { value: number | string | undefined }) {
  if (value === undefined) return <span className="minor">–</span>;
  if (typeof value === 'number') return <>{measure(value)}</>;
  if (value.length <= 40) return <span className="mono">{value}</span>;
  return (
    <details>
      <summary className="mono">{value.slice(0, 32)}…</summary>
      <pre className="block">{value}</pre>
    </details>
  );
}

function compare(a: number | string | undefined, b: number | string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
}
