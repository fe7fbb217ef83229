// The filter that does nothing. It makes `FilterSpec` a usable type in code that knows no real filter, tests above all.
import { defineFilter } from './define.ts';

export default defineFilter({
  type: 'none',
  phase: 'admit',
  check: () => undefined,
  create: () => ({}),
});
