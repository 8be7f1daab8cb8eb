import type { paths as OrchestratorPaths } from './generated/orchestrator';
import type { paths as RegistryPaths } from './generated/registry';

type Paths = OrchestratorPaths & RegistryPaths;
export type Path = keyof Paths & string;
export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

type Operation<M extends Method, P extends Path> = Paths[P] extends Record<M, infer Found> ? Found : never;

/** What a method answers at a path; undefined where the answer is only that it succeeded. */
export type Answer<M extends Method, P extends Path> =
  Operation<M, P> extends { responses: infer All } ? (All[keyof All & (200 | 202)] extends { content: { 'application/json': infer Body } } ? Body : undefined) : never;

/** What a method takes as its body at a path. */
export type Sent<M extends Method, P extends Path> = Operation<M, P> extends { requestBody?: { content: infer Content } } ? Content[keyof Content] : undefined;

type Names<P extends string> = P extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type QueryOf<O> = [O] extends [{ parameters: { query?: infer Found } }] ? ([NonNullable<Found>] extends [never] ? unknown : NonNullable<Found>) : unknown;
type Query<P extends Path> = Partial<QueryOf<Operation<'get', P>> & QueryOf<Operation<'post', P>> & QueryOf<Operation<'put', P>> & QueryOf<Operation<'delete', P>>>;

/** Parts of the path, which it must have, and parameters of any of its methods; those of a pipeline come as param.NAME. */
export type Parameters<P extends Path, Known extends string = ''> = Record<Exclude<Names<P>, Names<Known>>, string | number> &
  Query<P> & { [name: `param.${string}`]: string };

type Suffix<P extends Path> = { [Q in Path]: Q extends `${P}${infer Rest}` ? Rest : never }[Path];

/** The address of something that one of the services describes in its document; the type of what is there comes from that. */
export class Place<P extends Path> {
  private constructor(
    readonly pattern: P,
    private readonly filled: string,
    private readonly query: [string, string][],
  ) {}

  /** The place itself: a path of the document, and what goes into it. */
  static at<P extends Path>(pattern: P, parameters: Parameters<P>): Place<P> {
    return new Place(pattern, pattern, []).filledWith(parameters);
  }

  /** A place further down the same path. */
  under<S extends Suffix<P>>(suffix: S, parameters?: Parameters<`${P}${S}` & Path, P>): Place<`${P}${S}` & Path> {
    return new Place(`${this.pattern}${suffix}` as `${P}${S}` & Path, this.filled + suffix, []).filledWith(parameters ?? {});
  }

  /** The same place with further parameters. */
  with(parameters: Partial<Parameters<P>>): Place<P> {
    return this.filledWith(parameters);
  }

  get url(): string {
    return this.query.length > 0 ? `${this.filled}?${new URLSearchParams(this.query)}` : this.filled;
  }

  private filledWith(parameters: object): Place<P> {
    let filled = this.filled;
    const query = [...this.query];
    for (const [name, value] of Object.entries(parameters) as [string, unknown][]) {
      if (filled.includes(`{${name}}`)) filled = filled.replace(`{${name}}`, encodeURIComponent(String(value)));
      else for (const each of Array.isArray(value) ? value : [value]) if (each !== undefined && each !== null) query.push([name, String(each)]);
    }
    return new Place(this.pattern, filled, query);
  }
}

export const at = Place.at;

/** A version of a model. */
export const versionAt = (model: string, version: number | string) => at('/api/v1/models/{name}/versions/{version}', { name: model, version });
