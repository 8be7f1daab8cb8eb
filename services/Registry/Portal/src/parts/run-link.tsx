import { useResource } from '../api/client';
import { at } from '../api/place';
import { Link } from '../router';

/** A run by the name that people call it; by the first digits of its id until that is known, or where the run is gone. */
export function RunLink({ id }: { id: string }) {
  const run = useResource(at('/api/v1/runs/{id}', { id }));
  return <Link href={`/runs/${id}`}>{run.data?.label ?? `run ${id.slice(0, 8)}`}</Link>;
}
