// How the times of certificates are written for people: RFC 3339 in UTC, to the second, which is all that a certificate says.

export function timeText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
