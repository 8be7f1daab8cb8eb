import type { ReactNode } from 'react';
import type { ApiError, Resource } from '../api/client';
import type { Problem } from '../api/types';

/** What went wrong, in the server's words, and the way on. */
export function ErrorBox({ error, retry }: { error: ApiError; retry?: () => void }) {
  const failed = Array.isArray(error.body.failed) ? (error.body.failed as unknown[]) : [];
  const problems = Array.isArray(error.body.problems) ? (error.body.problems as Problem[]) : [];
  return (
    <div className="error-box" role="alert">
      <strong>{error.status === 403 ? 'Not allowed' : error.status === 404 ? 'Not found' : error.status === 409 ? 'Refused' : 'Something went wrong'}</strong>
      {problems.length === 0 ? (
        <p>{error.message}</p>
      ) : (
        <ul>
          {problems.map((each, i) => (
            <li key={i}>
              {each.line > 0 && `${each.line}:${each.column}: `}
              {each.message}
            </li>
          ))}
        </ul>
      )}
      {failed.length > 0 && (
        <ul>
          {failed.map((each, i) => (
            <li key={i}>{typeof each === 'string' ? each : JSON.stringify(each)}</li>
          ))}
        </ul>
      )}
      {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}

/** Nothing there yet, why, and what to do about it. */
export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <div className="empty">
    <strong>{title}</strong>
    {children && <div>{children}</div>}
  </div>
);

/** Grey lines where an answer will be; appears only when the answer takes its time. */
export const Loading = ({ lines = 4 }: { lines?: number }) => (
  <div className="loading" role="status" aria-label="Loading">
    {Array.from({ length: lines }, (_, i) => (
      <span key={i} style={{ width: `${[92, 74, 86, 60][i % 4]}%` }} />
    ))}
  </div>
);

/** Loading, failed or there. */
export function Loaded<T>({ resource, lines, children }: { resource: Resource<T>; lines?: number; children: (data: T) => ReactNode }) {
  if (resource.data !== undefined) return <>{children(resource.data)}</>;
  return resource.error ? <ErrorBox error={resource.error} retry={resource.reload} /> : <Loading lines={lines} />;
}
