import { useEffect, useRef, useState } from 'react';

/** Round steps for an axis between two values. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** The width that an element has, kept up to date. */
export function useWidth(): [React.RefObject<HTMLDivElement | null>, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watcher.observe(element.current!);
    return () => watcher.disconnect();
  }, []);
  return [element, width];
}

/** At most two points a pixel, lowest and highest: the line looks the same and costs less. */
export function thin(points: [number, number][], width: number): [number, number][] {
  if (points.length <= width * 2) return points;
  const bucket = Math.ceil(points.length / width);
  const result: [number, number][] = [];
  for (let at = 0; at < points.length; at += bucket) {
    let [low, high] = [at, at];
    for (let i = at; i < Math.min(points.length, at + bucket); i++) {
      if (points[i][1] < points[low][1]) low = i;
      if (points[i][1] > points[high][1]) high = i;
    }
    result.push(points[Math.min(low, high)]);
    if (low !== high) result.push(points[Math.max(low, high)]);
  }
  return result;
}
