// The types of the calls, read from the types of the API document: paths, what they take, what they
// respond.

import type { components, paths } from "../api.js";

/** The methods of the API. */
export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths that have this method. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends undefined ? never : P;
}[keyof paths];

/** What the document says of a path and a method. */
export type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

type InPath<O> = O extends { parameters: { path: infer T } } ? { path: T } : { path?: undefined };

type InQuery<O> = O extends { parameters: { query: infer T } }
  ? { query: T }
  : O extends { parameters: { query?: infer T } }
    ? { query?: T }
    : { query?: undefined };

type InBody<O> = O extends { requestBody: { content: { "application/json": infer T } } }
  ? { body: T }
  : O extends { requestBody?: infer B }
    ? { body?: NonNullable<B> extends { content: { "application/json": infer T } } ? T : undefined }
    : { body?: undefined };

/** What a call takes: `path`, `query` and `body`, where it takes them. */
export type Input<O> = InPath<O> & InQuery<O> & InBody<O>;

/** The input, which may be left out where nothing in it is required. */
export type Arguments<O> = {} extends Input<O> ? [input?: Input<O>] : [input: Input<O>];

type Content<R> = R extends { content: { "application/json": infer T } } ? T : undefined;

/** What a call responds: JSON, or nothing where the response has no body. */
export type Result<O> = O extends { responses: infer R }
  ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? Content<R[S]> : never }[keyof R]
  : never;

/** The types of the API document by their names: `Schemas["Meeting"]`. */
export type Schemas = components["schemas"];
