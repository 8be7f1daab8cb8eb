import type { ReactNode } from 'react';

export interface BarRow {
  name: ReactNode;
  key: string;
  parts: { value: number; tone: string; title: string }[];
  text: ReactNode;
}

/** Horizontal bars on one scale; a bar may have parts. */
export function Bars({ rows, maximum }: { rows: BarRow[]; maximum?: number }) {
  const most = maximum ?? Math.max(1e-12, ...rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0)));
  return (
    <div className="bars">
      {rows.map((row) => (
        <div key={row.key} className="bar-row">
          <span className="bar-name">{row.name}</span>
          <span className="bar-track">
            {row.parts.map((part) => (
              <i key={part.title} className={part.tone} title={part.title} style={{ width: `${(100 * part.value) / most}%` }} />
            ))}
          </span>
          <span className="bar-text">{row.text}</span>
        </div>
      ))}
    </div>
  );
}
