import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { ApiError, get, send, whenSignedOut } from './api/client';
import { at } from './api/place';
import { live } from './api/live';
import type { Role, Session } from './api/types';
import { Boundary } from './parts/boundary';
import { PageHead } from './parts/bits';
import { ErrorBox, Loading } from './parts/states';
import { Icon, type IconName } from './parts/icon';
import { keepReachable } from './parts/reachable';
import { RoleContext, useMay } from './parts/role';
import { ThemeSwitch } from './parts/theme';
import { RunsPage } from './pages/runs';
import { SignInPage } from './pages/sign-in';
import { Link, navigate, useAddress } from './router';

// What is not needed to see a run comes when it is asked for.
const ComparePage = lazy(() => import('./pages/compare').then((m) => ({ default: m.ComparePage })));
const CrashMatrixPage = lazy(() => import('./pages/crash-matrix').then((m) => ({ default: m.CrashMatrixPage })));
const RunPage = lazy(() => import('./pages/run').then((m) => ({ default: m.RunPage })));
const ModelPage = lazy(() => import('./pages/model').then((m) => ({ default: m.ModelPage })));
const ModelsPage = lazy(() => import('./pages/models').then((m) => ({ default: m.ModelsPage })));
const PipelinePage = lazy(() => import('./pages/pipeline').then((m) => ({ default: m.PipelinePage })));
const PipelinesPage = lazy(() => import('./pages/pipelines').then((m) => ({ default: m.PipelinesPage })));
const ReferencePage = lazy(() => import('./pages/reference').then((m) => ({ default: m.ReferencePage })));
const StoragePage = lazy(() => import('./pages/storage').then((m) => ({ default: m.StoragePage })));
const SubmitPage = lazy(() => import('./pages/submit').then((m) => ({ default: m.SubmitPage })));
const TriggerPage = lazy(() => import('./pages/trigger').then((m) => ({ default: m.TriggerPage })));
const TriggersPage = lazy(() => import('./pages/triggers').then((m) => ({ default: m.TriggersPage })));
const VersionPage = lazy(() => import('./pages/version').then((m) => ({ default: m.VersionPage })));
const WorkersPage = lazy(() => import('./pages/workers').then((m) => ({ default: m.WorkersPage })));

const places: { href: string; name: string; icon: IconName; forRole?: Role }[] = [
  { href: '/runs', name: 'Runs', icon: 'runs' },
  { href: '/submit', name: 'Submit', icon: 'submit' },
  { href: '/pipelines', name: 'Pipelines', icon: 'pipelines' },
  { href: '/triggers', name: 'Triggers', icon: 'triggers' },
  { href: '/models', name: 'Models', icon: 'models' },
  { href: '/compare', name: 'Compare', icon: 'compare' },
  { href: '/workers', name: 'Workers', icon: 'workers' },
  { href: '/storage', name: 'Storage', icon: 'storage' },
  { href: '/reference', name: 'Reference', icon: 'reference' },
  { href: '/crash-matrix', name: 'Crash matrix', icon: 'crash', forRole: 'admin' },
];

/** The portal: who is signed in, the frame, and the page of the address. */
export function App() {
  useAddress(); // a new page gets a new boundary
  const [session, setSession] = useState<Session | ApiError | null>(null);
  const read = () => void get(at('/api/v1/session', {})).then(setSession, (error) => setSession(error as ApiError));
  useEffect(() => {
    whenSignedOut(() => setSession((old) => ({ 'signed-in': false, oidc: old !== null && !(old instanceof ApiError) && old.oidc })));
    read();
  }, []);
  const signIn = (next: Session) => {
    live.restart(); // what other tabs follow is read in this name from now on
    setSession(next);
  };
  if (session === null) return <Boot />;
  if (session instanceof ApiError)
    return (
      <main className="alone">
        <ErrorBox error={session} retry={read} />
      </main>
    );
  if (!session['signed-in']) return <SignInPage offersOidc={session.oidc} onSignedIn={signIn} />;
  const signOut = async () => {
    await send('delete', at('/api/v1/session', {})).catch(() => {});
    live.restart();
    setSession({ 'signed-in': false, oidc: session.oidc });
    navigate('/');
  };
  return (
    <RoleContext value={session.role as Role}>
      <Frame session={session} onSignOut={signOut}>
        <Boundary key={location.pathname}>
          <Suspense fallback={<Loading lines={6} />}>
            <CurrentPage />
          </Suspense>
        </Boundary>
      </Frame>
    </RoleContext>
  );
}

function Boot() {
  return (
    <div className="boot">
      <span className="boot-mark" />
      Espalier
    </div>
  );
}

function CurrentPage() {
  const { segments, query } = useAddress();
  const isAdmin = useMay('admin');
  const [place, first, second] = segments;
  switch (place) {
    case undefined:
    case 'runs':
      return first === undefined ? <RunsPage /> : <RunPage key={first} id={first} />;
    case 'submit':
      return <SubmitPage key={location.search} from={query.get('from')} pipeline={query.get('pipeline')} sample={query.get('example')} />;
    case 'pipelines':
      return first === undefined ? <PipelinesPage /> : <PipelinePage key={first} name={first} />;
    case 'triggers':
      return first === undefined ? <TriggersPage /> : <TriggerPage key={first} name={first} event={query.get('event')} />;
    case 'models':
      return first === undefined ? <ModelsPage /> : second === undefined ? <ModelPage key={first} name={first} /> : <VersionPage key={first + second} model={first} version={second} tab={query.get('tab') ?? 'card'} />;
    case 'compare':
      return <ComparePage versions={[...query.getAll('version'), ...['left', 'right'].flatMap((side) => query.get(side) ?? [])]} runs={query.getAll('run')} />;
    case 'workers':
      return <WorkersPage />;
    case 'reference':
      return <ReferencePage topic={first ?? null} />;
    case 'storage':
      return <StoragePage />;
    case 'crash-matrix':
      return isAdmin ? <CrashMatrixPage /> : <NoPage error={new ApiError(403, 'The crash matrix is for administrators: sign in with the key of one.')} />;
    default:
      return <NoPage error={new ApiError(404, `There is no page at ${location.pathname}.`)} />;
  }
}

function Frame({ session, onSignOut, children }: { session: Session; onSignOut: () => void; children: ReactNode }) {
  const { path } = useAddress();
  const nav = useRef<HTMLElement>(null);
  const content = useRef<HTMLElement>(null);
  useEffect(() => keepReachable(content.current!), []);
  useEffect(() => {
    // In a narrow window the pages stand in one line that scrolls.
    const here = nav.current?.querySelector<HTMLElement>('[aria-current]');
    if (here) nav.current!.scrollLeft = here.offsetLeft - (nav.current!.clientWidth - here.offsetWidth) / 2;
  }, [path]);
  const isAt = (href: string) => path === href || path.startsWith(href + '/') || (path === '/' && href === '/runs');
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="side">
        <Link href="/runs" className="brand">
          <Icon name="brand" />
          <span>Espalier</span>
        </Link>
        <nav aria-label="Pages" ref={nav}>
          {places.filter((place) => place.forRole === undefined || place.forRole === session.role).map((place) => (
            <Link key={place.href} href={place.href} aria-current={isAt(place.href) ? 'page' : undefined}>
              <Icon name={place.icon} />
              <span>{place.name}</span>
            </Link>
          ))}
        </nav>
        <div className="side-foot">
          <ThemeSwitch />
          <div className="who">
            <span className="clip" title={`${session.name ?? ''} (role: ${session.role})`}>
              {session.name && session.name !== session.role && <b>{session.name}</b>}
              {session.role}
            </span>
            <button className="quiet" onClick={onSignOut}>
              Sign out
            </button>
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1} ref={content}>
        {children}
      </main>
    </>
  );
}

const NoPage = ({ error }: { error: ApiError }) => (
  <>
    <PageHead title={error.status === 403 ? 'For administrators' : 'No such page'} />
    <ErrorBox error={error} />
  </>
);
