// The order of resourceVersions. They are decimal numbers of any length that grow with every write of a resource.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions

/** Below zero: `a` is older; above: newer; 0: the same. Undefined: at least one of them is no number, and nothing can be said. */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!isNumber(a) || !isNumber(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

/** True: surely older. */
export function isOlder(a: string, b: string): boolean {
  return (compareVersions(a, b) ?? 0) < 0;
}

/** True: older or the same. */
export function isNotNewer(a: string, b: string): boolean {
  return (compareVersions(a, b) ?? 1) <= 0;
}

function isNumber(version: string): boolean {
  return /^[1-9]\d*$/.test(version);
}
