import { type FormEvent, useState } from 'react';
import { send, useAction } from '../api/client';
import { at } from '../api/place';
import type { Session } from '../api/types';
import { Icon } from '../parts/icon';
import { ErrorBox } from '../parts/states';
import { useTitle } from '../router';

/** The door: a key, or the identity provider when there is one. */
export function SignInPage({ offersOidc, onSignedIn }: { offersOidc: boolean; onSignedIn: (session: Session) => void }) {
  const [key, setKey] = useState('');
  useTitle('Sign in');
  const action = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => onSignedIn(await send('post', at('/api/v1/session', {}), { key })));
  };
  return (
    <main className="sign-in">
      <form onSubmit={submit}>
        <h1 className="brand">
          <Icon name="brand" />
          Espalier
        </h1>
        <p className="lead">Grow, train and prune models, and see every step, version and expert.</p>
        {offersOidc && (
          <>
            <a className="button primary wide" href="/api/v1/session/oidc">
              Sign in with your organisation
            </a>
            <div className="or">or</div>
          </>
        )}
        <label>
          API key
          <input type="password" name="key" autoComplete="current-password" spellCheck={false} autoFocus required value={key} onChange={(event) => setKey(event.target.value)} placeholder="esp_…" />
        </label>
        <button className="primary wide" disabled={action.busy || key.length === 0}>
          {action.busy ? 'Signing in…' : 'Sign in'}
        </button>
        {action.error && <ErrorBox error={action.error} />}
        <p className="hint">
          <code>espalier up</code> prints the administrator’s key; <code>espalier keys create</code> creates more. The browser stores a session, never the key.
        </p>
      </form>
    </main>
  );
}
