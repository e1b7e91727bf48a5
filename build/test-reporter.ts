import { writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';
import type { TestEvent } from 'node:test/reporters';

/** What `build/ci.ts` reads after the tests: numbers, and every test that did not run, by title. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** Node's spec report, and the counts as JSON in the file that CLAWHOLD_TEST_COUNTS names. */
// oxlint-disable-next-line import/no-default-export -- node:test takes a reporter's default export
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<unknown, void> {
  const counts = { passed: 0, failed: 0, skipped: [] as string[] };
  async function* counted(): AsyncGenerator<TestEvent, void> {
    for await (const event of source) {
      count(event, counts);
      yield event;
    }
  }
  yield* Readable.from(counted()).compose(new spec());
  const file = process.env['CLAWHOLD_TEST_COUNTS'];
  if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
}

function count(event: TestEvent, counts: { passed: number; failed: number; skipped: string[] }): void {
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return;
  const { name, skip, todo, details } = event.data;
  if (details.type === 'suite') return;
  if (skip !== undefined && skip !== false) counts.skipped.push(name);
  else if (event.type === 'test:pass') counts.passed += 1;
  else if (todo === undefined || todo === false) counts.failed += 1;
}
