import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';
import { useWidth } from './scale';

/** Values around 1: below is cool, above is warm, 1 has no colour. */
export interface HeatMapProps {
  rows: number[][];
  rowName: (row: number) => string;
  describe: (row: number, column: number, value: number) => string;
  columnsName: string;
  label: string;
  /** For values from 0 to 1: no colour at 0. */
  fromZero?: boolean;
  maximumCell?: number;
}

const left = 66;

/** One cell a value, on a canvas: tens of thousands of cells stay cheap. The arrow keys walk over the cells, as the pointer does. */
export function HeatMap({ rows, rowName, describe, columnsName, label, fromZero, maximumCell = 56 }: HeatMapProps) {
  const [box, width] = useWidth();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<[number, number] | null>(null);
  const theme = useTheme();
  const columns = Math.max(1, ...rows.map((row) => row.length));
  const cell = Math.min(maximumCell, (width - left - 4) / columns);
  const rowHeight = Math.min(26, Math.max(6, 400 / rows.length));
  const height = rows.length * rowHeight;
  useEffect(() => {
    const element = canvas.current;
    if (!element || width === 0) return;
    const scale = devicePixelRatio || 1;
    element.width = Math.round((width - left) * scale);
    element.height = Math.round(height * scale);
    const style = getComputedStyle(element);
    const [cool, warm, none] = ['--cool', '--warm', '--cell'].map((name) => style.getPropertyValue(name));
    const paint = element.getContext('2d')!;
    paint.scale(scale, scale);
    const gap = cell > 5 ? 1 : 0;
    rows.forEach((row, r) =>
      row.forEach((value, c) => {
        const [x, y, w, h] = [c * cell, r * rowHeight, Math.max(0.6, cell - gap), rowHeight - (rowHeight > 8 ? 1 : 0)];
        paint.globalAlpha = 1;
        paint.fillStyle = none;
        paint.fillRect(x, y, w, h);
        paint.globalAlpha = Math.min(1, fromZero ? value : value > 1 ? Math.log2(value) / 2 : 1 - value);
        paint.fillStyle = fromZero || value > 1 ? warm : cool;
        paint.fillRect(x, y, w, h);
      }),
    );
  }, [rows, width, height, cell, rowHeight, fromZero, theme]);
  const find = (event: PointerEvent<HTMLCanvasElement>) => {
    const bounds = event.currentTarget.getBoundingClientRect();
    const [row, column] = [Math.floor((event.clientY - bounds.top) / rowHeight), Math.floor((event.clientX - bounds.left) / cell)];
    setAt(rows[row]?.[column] === undefined ? null : [row, column]);
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === 'Escape') setAt(null);
    if (!step) return;
    event.preventDefault();
    const next = at ? [at[0] + step[0], at[1] + step[1]] : [0, 0];
    if (rows[next[0]]?.[next[1]] !== undefined) setAt([next[0], next[1]]);
  };
  const shown = at && rows[at[0]]?.[at[1]] !== undefined ? at : null;
  const every = Math.ceil(13 / rowHeight);
  return (
    <div className="chart heat" ref={box}>
      <div className="heat-body">
        <div className="heat-rows" style={{ width: left - 8, height }} aria-hidden="true">
          {rows.map((_, r) => r % every === 0 && <span key={r} style={{ top: r * rowHeight, lineHeight: `${rowHeight}px` }}>{rowName(r)}</span>)}
        </div>
        <div className="heat-cells">
          <canvas
            ref={canvas}
            style={{ width: Math.max(0, width - left), height }}
            role="img"
            aria-label={label}
            tabIndex={0}
            onPointerMove={find}
            onPointerLeave={() => setAt(null)}
            onKeyDown={press}
            onBlur={() => setAt(null)}
          />
          {shown && <i className="heat-at" style={{ left: shown[1] * cell, top: shown[0] * rowHeight, width: Math.max(3, cell - 1), height: rowHeight - 1 }} />}
        </div>
      </div>
      <div className="heat-foot">
        <span aria-live="polite">{shown ? describe(shown[0], shown[1], rows[shown[0]][shown[1]]) : columnsName}</span>
        <span className={`heat-scale ${fromZero ? 'zero' : ''}`} aria-hidden="true">
          {fromZero ? '0' : 'idle'}
          <i />
          {fromZero ? '1' : '4 × fair'}
        </span>
      </div>
    </div>
  );
}

/** Changes when the colours do: a canvas does not follow the style sheet by itself. */
function useTheme(): string {
  const [theme, setTheme] = useState('');
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const read = () => setTheme(`${document.documentElement.dataset.theme} ${dark.matches}`);
    const watcher = new MutationObserver(read);
    watcher.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', read);
    read();
    return () => {
      watcher.disconnect();
      dark.removeEventListener('change', read);
    };
  }, []);
  return theme;
}
