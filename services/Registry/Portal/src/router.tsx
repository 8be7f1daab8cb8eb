import { type AnchorHTMLAttributes, type MouseEvent, useEffect, useSyncExternalStore } from 'react';

const changed = 'espalier:navigated';

/** Goes to another page of the portal. */
export function navigate(to: string, replace = false) {
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  dispatchEvent(new Event(changed));
  if (replace) return;
  scrollTo(0, 0);
  // What was focused is gone with its page: who uses the keyboard goes on from the new one.
  document.getElementById('content')?.focus({ preventScroll: true });
}

/** What the browser calls this page. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Espalier`;
  }, [title]);
}

function subscribe(then: () => void) {
  addEventListener('popstate', then);
  addEventListener(changed, then);
  return () => {
    removeEventListener('popstate', then);
    removeEventListener(changed, then);
  };
}

/** The address: path segments, decoded, and the query. */
export function useAddress(): { path: string; segments: string[]; query: URLSearchParams } {
  const address = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [path, search] = address.split('?');
  return { path, segments: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(search ?? '') };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** A link inside the portal; with a modifier key it is an ordinary link. */
export function Link({ href, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const go = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return <a href={href} onClick={go} {...rest} />;
}
