/** How many runs or versions stand beside each other at most: the servers take no more. */
export const mostCompared = 12;

/** The address that shows versions beside each other, to be shared. */
export const comparePath = (versions: string[]) => `/compare?${new URLSearchParams(versions.map((version) => ['version', version]))}`;

/** The same for runs, by their ids. */
export const compareRunsPath = (runs: string[]) => `/compare?${new URLSearchParams(runs.map((run) => ['run', run]))}`;

/** Every value within an object by its path: what two objects differ in is what their paths differ in. */
export function flat(value: unknown, path = ''): [string, string][] {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object' || Array.isArray(value)) return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
  return Object.entries(value).flatMap(([name, each]) => flat(each, path === '' ? name : `${path}.${name}`));
}
