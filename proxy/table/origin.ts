// Where a part of the table comes from: the object (and field in it) that a user wrote. It is carried by everything
// that a user may ask about ("why does this URL go there?"), through access log, explain, Problems and Events.

/** The object, and where it matters the field in it, that caused something. `field` is a path such as `spec.rules[0].host`. */
export interface Origin {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly field?: string;
}

/** `Ingress shop/web spec.rules[0].host`: the one way in which an origin is written for people. */
export function originText(origin: Origin): string {
  const object = origin.namespace === '' ? `${origin.kind} ${origin.name}` : `${origin.kind} ${origin.namespace}/${origin.name}`;
  return origin.field === undefined ? object : `${object} ${origin.field}`;
}
