import type { Run } from '../api/types';
import { pipelinePath, TriggerLink, triggerPath } from '../parts/trigger-bits';
import { Link } from '../router';

/** Why the run exists: the pipeline that it is a run of, and the event and the triggers that led to it. */
export function RunCause({ run }: { run: Run }) {
  if (!run.pipeline) return null;
  const { cause } = run;
  return (
    <p className="cause" aria-label="Cause">
      <span>
        Version {run['pipeline-version']} of <Link href={pipelinePath(run.pipeline)}>{run.pipeline}</Link>
      </span>
      {cause ? (
        <>
          <span>
            started by <TriggerLink name={cause.trigger} /> for event <Link href={`${triggerPath(cause.trigger)}?event=${cause.event}`}>#{cause.event}</Link> ({cause.kind}) in the name of {run.owner}
          </span>
          {cause.depth > 1 && (
            <span>
              {cause.depth} triggers deep:{' '}
              {cause.chain.map((name, i) => (
                <span key={i}>
                  {i > 0 && ' → '}
                  <TriggerLink name={name} />
                </span>
              ))}
            </span>
          )}
        </>
      ) : (
        <span>started by {run.owner}</span>
      )}
    </p>
  );
}
