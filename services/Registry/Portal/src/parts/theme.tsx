import { useState } from 'react';
import { Segments } from './bits';

type Theme = 'auto' | 'light' | 'dark';
const key = 'espalier-theme';

const stored = (): Theme => {
  const value = localStorage.getItem(key);
  return value === 'light' || value === 'dark' ? value : 'auto';
};

const show = (theme: Theme) => {
  document.documentElement.dataset.theme = theme;
};

show(stored());

/** Light, dark, or as the system says. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState(stored);
  const choose = (next: Theme) => {
    localStorage.setItem(key, next);
    show(next);
    setTheme(next);
  };
  return <Segments className="small" label="Theme" options={['auto', 'light', 'dark']} value={theme} onChange={choose} />;
}
