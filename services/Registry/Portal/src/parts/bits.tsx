import { type KeyboardEvent, type ReactNode, useState } from 'react';
import type { Connection } from '../api/events';
import type { RunState, StepState } from '../api/types';
import { moment, ago, useNow } from '../format';
import { useTitle } from '../router';

/** A state as a word with its colour; the dot of what runs breathes. */
export const State = ({ state }: { state: RunState | StepState }) => (
  <span className={`state ${state}`}>
    <i />
    {state}
  </span>
);

export const Tag = ({ children, tone }: { children: ReactNode; tone?: 'accent' | 'warn' }) => <span className={`tag ${tone ?? ''}`}>{children}</span>;

/** Title of a page; `named` is what the browser calls it where the title is more than text. */
export function PageHead({ title, named, lead, children }: { title: ReactNode; named?: string; lead?: ReactNode; children?: ReactNode }) {
  useTitle(named ?? String(title));
  return (
    <div className="page-head">
      <div>
        <h1>{title}</h1>
        {lead && <p className="lead">{lead}</p>}
      </div>
      <div className="actions">{children}</div>
    </div>
  );
}

export function Card({ title, aside, children, className }: { title?: ReactNode; aside?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`card ${className ?? ''}`}>
      {(title || aside) && (
        <header>
          <h2>{title}</h2>
          {aside && <div className="aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Name and value, one a line. */
export const Facts = ({ facts }: { facts: [string, ReactNode][] }) => (
  <dl className="facts">
    {facts
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
);

/** A long name cut short; a click copies all of it. */
export function Digest({ value, length = 12 }: { value: string; length?: number }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1200);
    });
  return (
    <button className="digest" title={`${value}\nClick to copy`} onClick={copy}>
      {copied ? 'copied' : value.slice(0, length)}
    </button>
  );
}

export function Ago({ time }: { time: string }) {
  const now = useNow(5000);
  return (
    <time dateTime={time} title={moment(time)}>
      {ago(time, now)}
    </time>
  );
}

export const Live = ({ connection }: { connection: Connection }) => (
  <span className={`live ${connection}`} role="status">
    <i />
    {connection === 'live' ? 'live' : connection === 'broken' ? 'reconnecting' : 'connecting'}
  </span>
);

export const Bar = ({ share, tone, label = 'Progress' }: { share: number; tone?: string; label?: string }) => (
  <span className={`bar ${tone ?? ''}`} role="progressbar" aria-label={label} aria-valuenow={Math.round(share * 100)} aria-valuemin={0} aria-valuemax={100}>
    <i style={{ width: `${Math.min(100, Math.max(0, share * 100))}%` }} />
  </span>
);

/** One tab stop; the arrow keys go from tab to tab. */
export function Tabs<T extends string>({ tabs, value, onChange, label }: { tabs: readonly (readonly [T, string])[]; value: T; onChange: (tab: T) => void; label: string }) {
  return (
    <div className="tabs" role="tablist" aria-label={label} onKeyDown={walk}>
      {tabs.map(([tab, name]) => (
        <button key={tab} role="tab" aria-selected={tab === value} tabIndex={tab === value ? 0 : -1} onClick={() => onChange(tab)}>
          {name}
        </button>
      ))}
    </div>
  );
}

/** One of a few, side by side: one tab stop, arrow keys choose. */
export function Segments<T extends string>({ options, value, onChange, label, className }: { options: readonly T[]; value: T; onChange: (option: T) => void; label: string; className?: string }) {
  return (
    <div className={`segments ${className ?? ''}`} role="radiogroup" aria-label={label} onKeyDown={walk}>
      {options.map((option) => (
        <button key={option} type="button" role="radio" aria-checked={option === value} tabIndex={option === value ? 0 : -1} onClick={() => onChange(option)}>
          {option}
        </button>
      ))}
    </div>
  );
}

/** Left and right choose the neighbour of what has the focus. */
function walk(event: KeyboardEvent<HTMLElement>) {
  const all = [...event.currentTarget.querySelectorAll<HTMLElement>('button')];
  const at = all.indexOf(document.activeElement as HTMLElement);
  const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || next === undefined) return;
  event.preventDefault();
  const chosen = all[(next + all.length) % all.length];
  chosen.focus();
  chosen.click();
}
