// Every annotation group, in the order in which their effects are applied.
import type { AnnotationGroup } from './group.ts';
import { httpsRedirect } from './https-redirect.ts';

export const GROUPS: readonly AnnotationGroup[] = [httpsRedirect];

/** Names without prefix that some group reads. */
export const SUPPORTED: ReadonlySet<string> = new Set(GROUPS.flatMap(({ reads }) => reads));
