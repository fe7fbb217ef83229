// `check`: prints every Problem of some folders of manifests, and says with its exit code whether any is an error.
import type { Settings } from '../settings.ts';
import { placeProblems, problemsJson, problemsText } from '../report.ts';
import { load } from './load.ts';

/** The exit code: 1 if some Problem is an error, else 0. */
export async function check(dirs: readonly string[], settings: Settings, output: 'text' | 'json'): Promise<number> {
  const { problems, locate } = await load(dirs, settings, false);
  const placed = await placeProblems(problems, locate);
  const text = output === 'text' ? problemsText(placed) : `${JSON.stringify(problemsJson(placed), undefined, 2)}\n`;
  process.stdout.write(text);
  return problems.some((problem) => problem.severity === 'error') ? 1 : 0;
}
