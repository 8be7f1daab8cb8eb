import { type FormEvent, useState } from 'react';
import { ApiError, get, send, useAction } from '../api/client';
import { type Place } from '../api/place';
import { Card } from '../parts/bits';
import { Markdown } from '../parts/markdown';
import { useMay } from '../parts/role';
import { ErrorBox } from '../parts/states';

interface TextProps {
  /** Where the text is kept: a model, or a version. */
  place: Place<'/api/v1/models/{name}'> | Place<'/api/v1/models/{name}/versions/{version}'>;
  text: string;
  title: string;
  /** Shown instead of the text where there is none yet. */
  empty: string;
  onSaved: () => void;
}

/** Text that people write about a model or a version, in Markdown: to be read by all, and edited by whoever may. */
export function TextCard({ place, text, title, empty, onSaved }: TextProps) {
  const mayWrite = useMay('submitter');
  const [isEdited, setIsEdited] = useState(false);
  if (!mayWrite && !text) return null;
  return (
    <Card title={title} aside={mayWrite && !isEdited && <button onClick={() => setIsEdited(true)}>{text ? 'Edit' : 'Write'}</button>}>
      {isEdited ? <Editor place={place} text={text} title={title} onSaved={onSaved} onClose={() => setIsEdited(false)} /> : text ? <Markdown text={text} /> : <p className="minor">{empty}</p>}
    </Card>
  );
}

function Editor({ place, text, title, onSaved, onClose }: { place: TextProps['place']; text: string; title: string; onSaved: () => void; onClose: () => void }) {
  const [draft, setDraft] = useState(text);
  const [isPreview, setIsPreview] = useState(false);
  const action = useAction();
  const save = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      const now = await get(place);
      if (now.description !== text) throw new ApiError(409, 'Somebody else has changed this text since you opened it. Copy your text, close the editor, and edit the new one.');
      await send('patch', place, { description: draft });
      onSaved();
      onClose();
    });
  };
  return (
    <form className="stack" onSubmit={save}>
      {isPreview ? <Markdown text={draft} /> : <textarea className="mono notes" value={draft} onChange={(event) => setDraft(event.target.value)} aria-label={`${title}, Markdown`} rows={12} autoFocus />}
      {action.error && <ErrorBox error={action.error} />}
      <div className="actions">
        <button type="button" className="quiet" onClick={() => setIsPreview(!isPreview)}>
          {isPreview ? 'Go on writing' : 'Preview'}
        </button>
        <button type="button" onClick={onClose}>
          Discard
        </button>
        <button className="primary" disabled={action.busy || draft === text}>
          Save
        </button>
      </div>
    </form>
  );
}
