import { useSyncExternalStore } from 'react';

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** 1,234,567 */
export const whole = (value: number) => plain.format(value);

/** `1 step`, `1,200 steps`. */
export const counted = (count: number, noun: string) => `${plain.format(count)} ${noun}${count === 1 ? '' : 's'}`;

/** 3 significant digits and a unit: 12.4 MiB */
export function bytes(value: number): string {
  let unit = 0;
  let size = value;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`;
}

/** 1.28 M, 7.02 B: counts of weights and tokens */
export function short(value: number): string {
  const scales: [number, string][] = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']];
  for (const [scale, unit] of scales) if (Math.abs(value) >= scale) return `${(value / scale).toPrecision(3)} ${unit}`;
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** A measured value with as many digits as it is worth. */
export function measure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(2);
  if (size >= 1e6) return short(value);
  if (size >= 1000) return plain.format(value);
  return Number.isInteger(value) ? String(value) : value.toFixed(size >= 100 ? 1 : size >= 10 ? 2 : 4);
}

export const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;

/** 1 h 04 min, 3 min 12 s, 8.4 s */
export function duration(seconds: number): string {
  if (seconds < 0) seconds = 0;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours === 0) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, '0')} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const between = (from?: string, to?: string) => (from ? ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000 : undefined);

export function ago(time: string, now: number): string {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return seconds < 86400 * 30 ? `${Math.floor(seconds / 86400)} d ago` : time.slice(0, 10);
}

export const clock = (time: string) => new Date(time).toLocaleTimeString('en-GB');
export const moment = (time: string) => new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/**
 * The current time, in steps of some milliseconds; null stands still. All clocks of a page hang on one timer and step together: two that
 * show the same time never differ.
 */
export const useNow = (milliseconds: number | null): number => useSyncExternalStore(onSecond, () => (milliseconds === null ? 0 : Math.floor(time() / milliseconds) * milliseconds));

const clocks = new Set<() => void>();
let second = 0;
let timer: number | undefined;

const time = () => (timer === undefined ? Date.now() : second);

function onSecond(step: () => void) {
  clocks.add(step);
  if (timer === undefined) {
    second = Date.now();
    timer = window.setTimeout(tick, 1000 - (second % 1000));
  }
  return () => {
    clocks.delete(step);
    if (clocks.size > 0) return;
    window.clearTimeout(timer);
    timer = undefined;
  };
}

function tick() {
  second = Date.now();
  timer = window.setTimeout(tick, 1000 - (second % 1000));
  clocks.forEach((step) => step());
}
