import { useEffect, useState } from 'react';
import { ApiError, get, send, useAction } from '../api/client';
import { at } from '../api/place';
import type { Pipeline } from '../api/types';
import { Dialog } from '../parts/dialog';
import { ErrorBox, Loading } from '../parts/states';
import { pipelinePath } from '../parts/trigger-bits';
import { navigate } from '../router';

/** The name that the text gives its pipeline; a file that cannot be planned yet may still be added. */
export const nameIn = (text: string) => /^name:[ \t]*["']?([a-z][a-z0-9-]*)["']?[ \t]*(?:#.*)?$/m.exec(text)?.[1];

export const hasTriggers = (text: string) => /^on:/m.test(text);

/** Adds the text under its name, or as a further version of what has that name. */
export function AddDialog({ name, text, onAdded, onClose }: { name: string; text: string; onAdded: () => void; onClose: () => void }) {
  const place = at('/api/v1/pipelines/{name}', { name });
  const [known, setKnown] = useState<Pipeline | 'none'>();
  const [added, setAdded] = useState<Pipeline>();
  const look = useAction();
  const action = useAction();
  useEffect(() => {
    void look.run(async () => {
      setKnown(
        await get(place).catch((error: ApiError) => {
          if (error.status === 404) return 'none' as const;
          throw error;
        }),
      );
    });
  }, [name]);
  const open = () => navigate(pipelinePath(name));
  const add = () =>
    action.run(async () => {
      const answer = await send('put', place.with({ file: `${name}.yaml` }), text);
      onAdded();
      if (answer.warnings?.length) setAdded(answer);
      else open();
    });
  if (added)
    return (
      <Dialog title={`${name} is version ${added.version}`} onClose={open}>
        {added.warnings!.map((warning) => (
          <p key={warning} className="notice">
            {warning}
          </p>
        ))}
        <div className="actions">
          <button className="primary" onClick={open}>
            Open the pipeline
          </button>
        </div>
      </Dialog>
    );
  const isNew = known === 'none';
  return (
    <Dialog title={isNew || known === undefined ? `Add ${name}?` : `Replace ${name}?`} onClose={onClose}>
      {known === undefined && !look.error && <Loading lines={2} />}
      {known !== undefined && (
        <p>
          {isNew
            ? `It will be kept under this name, by which it can be run.`
            : `This text replaces version ${known.version} by ${known.owner}; older versions can still be read. A trigger that is off stays off.`}{' '}
          {hasTriggers(text) ? 'Its triggers, under “on”, act from now on, in your name.' : 'It has no triggers under “on”, so it runs only when somebody starts it.'}
        </p>
      )}
      {look.error && <ErrorBox error={look.error} />}
      {action.error && <ErrorBox error={action.error} />}
      <div className="actions">
        <button onClick={onClose}>Cancel</button>
        <button className="primary" disabled={known === undefined || action.busy} onClick={() => void add()}>
          {isNew || known === undefined ? 'Add it' : 'Replace it'}
        </button>
      </div>
    </Dialog>
  );
}
