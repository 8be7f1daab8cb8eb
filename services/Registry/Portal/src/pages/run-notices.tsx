import { useEffect } from 'react';
import { useResource } from '../api/client';
import { at } from '../api/place';
import type { Run } from '../api/types';

/** Who was told of the end of the run, and who could not be. */
export function RunNotices({ run, isEnded }: { run: Run; isEnded: boolean }) {
  const notices = useResource(isEnded ? at('/api/v1/runs/{id}/notices', { id: run['run-id'] }) : null);
  const isWaiting = notices.data?.some((notice) => notice.state === 'waiting');
  useEffect(() => {
    if (!isWaiting) return;
    const timer = setInterval(notices.reload, 3000);
    return () => clearInterval(timer);
  }, [isWaiting, notices.reload]);
  if (!notices.data?.length) return null;
  const sent = notices.data.filter((notice) => notice.state === 'sent').map((notice) => notice.target);
  return (
    <>
      {sent.length > 0 && <p className="cause">Told: {sent.join(', ')}</p>}
      {notices.data
        .filter((notice) => notice.error)
        .map((notice) => (
          <p key={notice.target + notice['run-state']} className={`notice ${notice.state === 'failed' ? 'failed' : ''}`}>
            {notice.target} {notice.state === 'failed' ? 'was not notified' : `will be notified later; attempt ${notice.attempts} failed`}: {notice.error}
          </p>
        ))}
    </>
  );
}
