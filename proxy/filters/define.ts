// What a filter is: a type name, a phase, a check of its configuration, and a factory of its runtime. One file per filter,
// whose default export is the result of `defineFilter`; registry.ts finds the file by itself.
import type { Exchange, Reply } from '../http/exchange.ts';
import type { FilterConfigs } from '../table/filter.ts';

/**
 * The order in which filters run, whatever order they are configured in: who may come at all; preflights and what else is answered
 * before anybody is asked who they are; who it is; what they may do; changes; what is left to answer.
 */
export const PHASES = ['admit', 'cors', 'authenticate', 'authorize', 'transform', 'respond'] as const;
export type Phase = (typeof PHASES)[number];

/** One filter of one route, at work. It may keep state: it lives as long as its configuration does not change. */
export interface Filter {
  /** A Reply answers the request; undefined passes it on. Runs in the order of phases. */
  onRequest?(exchange: Exchange): Reply | undefined | Promise<Reply | undefined>;
  /**
   * Called once before the final response head is sent, whoever made it (endpoint, filter or proxy), in reverse order, for every
   * filter whose `onRequest` had its turn. `exchange.status` is the status; `exchange.responseHeaders` is the list that will be sent, to be changed in place.
   */
  onResponse?(exchange: Exchange): void;
  /** The exchange is over; `exchange.status` and `exchange.reason` say how. */
  onEnd?(exchange: Exchange): void;
}

export interface FilterDefinition<Type extends keyof FilterConfigs = keyof FilterConfigs> {
  readonly type: Type;
  readonly phase: Phase;
  /** True: `onRequest` looks at the exchange and at nothing else, and answers at once; `explain` then runs it. */
  readonly pure?: true;
  /** What is wrong with a configuration, as a sentence fragment; undefined: nothing. `create` is only given what passed. */
  check(config: unknown): string | undefined;
  create(config: FilterConfigs[Type]): Filter;
}

/** Ties the configuration type to the type name. */
export function defineFilter<Type extends keyof FilterConfigs>(definition: FilterDefinition<Type>): FilterDefinition<Type> {
  return definition;
}

/** True: a plain record, as every filter configuration is. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first key that is none of `known`; undefined: there is none. A misspelt setting must not be silently without effect. */
export function unknownKey(config: Readonly<Record<string, unknown>>, known: readonly string[]): string | undefined {
  return Object.keys(config).find((key) => !known.includes(key));
}
