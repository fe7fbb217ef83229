// What every flag has: its name, its place on the help page, its environment variable, its reader and its default.
import { Option } from 'commander';

/** One flag. `shown`: the default as the help page says it; absent: there is none. */
export function flag(group: string, flags: string, description: string, read: (text: string, before: never) => unknown, byDefault?: unknown, shown?: string): Option {
  const option = new Option(flags, description).argParser(read as (text: string, before: unknown) => unknown).helpGroup(`${group}:`);
  option.env(`FAIRLEAD_${option.name().toUpperCase().replaceAll('-', '_')}`);
  return byDefault === undefined ? option : option.default(byDefault, shown);
}
