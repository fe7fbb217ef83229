// Filters as the table knows them: a type name and its plain-data configuration. Each file in proxy/filters adds its own
// configuration type to `FilterConfigs` by declaration merging, so that the table never has to know the filters.

/** Open interface: filter type → configuration. Extended by `declare module '../table/filter.ts'` in proxy/filters/*.ts. */
export interface FilterConfigs {
  /** Keeps the interface usable while no filter is loaded: it does nothing. */
  readonly none: Readonly<Record<string, never>>;
}

/** One filter of a route. */
export type FilterSpec = {
  readonly [Type in keyof FilterConfigs]: { readonly type: Type; readonly config: FilterConfigs[Type] };
}[keyof FilterConfigs];
