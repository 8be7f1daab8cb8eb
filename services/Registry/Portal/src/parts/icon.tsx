// One stroke, 20 x 20. Each path is one icon.
const paths = {
  brand: 'M10 18V3M10 15H6.5A2.5 2.5 0 0 1 4 12.5V10M10 15h3.5a2.5 2.5 0 0 0 2.5-2.5V10M10 9H8.5A1.5 1.5 0 0 1 7 7.5V6M10 9h1.5A1.5 1.5 0 0 0 13 7.5V6',
  runs: 'M4 5h4v4H4zM12 11h4v4h-4zM8 7h2.5a1.5 1.5 0 0 1 1.5 1.5V11M4 15h4',
  submit: 'M10 14V4M6 8l4-4 4 4M4 16h12',
  pipelines: 'M4 4h12v3.5H4zM4 12.5h12V16H4zM10 7.5v5M7.8 10.6 10 12.5l2.2-1.9',
  triggers: 'M11 3 5 11h4.5L9 17l6-8h-4.5z',
  models: 'M10 3l6.5 3.5L10 10 3.5 6.5zM3.5 10 10 13.5 16.5 10M3.5 13.5 10 17l6.5-3.5',
  compare: 'M6 4v12M14 4v12M6 8h8M6 12h8',
  workers: 'M4 5h12v4H4zM4 11h12v4H4zM7 7h.01M7 13h.01',
  storage: 'M4 6c0-1.7 2.7-3 6-3s6 1.3 6 3-2.7 3-6 3-6-1.3-6-3zM4 6v8c0 1.7 2.7 3 6 3s6-1.3 6-3V6M4 10c0 1.7 2.7 3 6 3s6-1.3 6-3',
  reference: 'M4 4.5C6 3.5 8 3.5 10 5c2-1.5 4-1.5 6-.5V16c-2-1-4-1-6 .5-2-1.5-4-1.5-6-.5zM10 5v11.5',
  crash: 'M4 4h3v3H4zM8.5 4h3v3h-3zM13 4h3v3h-3zM4 8.5h3v3H4zM8.5 8.5h3v3h-3zM13 8.5h3v3h-3zM4 13h3v3H4zM8.5 13h3v3h-3zM13 13l3 3M16 13l-3 3',
};

export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
  <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);
