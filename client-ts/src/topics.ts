declare const topic: unique symbol;

/**
 * What a channel carries, where the type of its messages is not all there is to say: the messages `M`, and what the application tells
 * of each user (`presence.info`), `P`.
 */
export interface Topic<M, P> { readonly [topic]: readonly [M, P] }

/** The messages of a channel, as the topics of a client name them. */
export type MessageOf<T> = T extends Topic<infer M, unknown> ? M : T;

/** What the application tells of each user in a channel. */
export type InfoOf<T> = T extends Topic<unknown, infer P> ? P : unknown;

/** A method of the server's application, as `call` sees it. */
// Any function will do: `call` is as strict as the one that is named.
export type Method = (params: any) => unknown;

/** The methods of the server's application, where they are not named. */
export type AnyMethods = Record<string, Method>;
