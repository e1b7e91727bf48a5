/**
 * An append-only log of opaque lines with one writer.
 *
 * Contract, checked for every driver by log/conformance.ts:
 * - `append` resolves when the line is durable, and lines stand in the order of the calls;
 * - lines appended together are made durable together;
 * - a log that is opened again goes on behind its last line;
 * - old lines are byte-identical after new ones, also across a rotation;
 * - a last line that a crash tore is cut off when the log is opened, and `droppedBytes` says so;
 * - when a line cannot be made durable, its append and every later one reject, and no part of it is left to be continued;
 * - an appender that goes on and on lets timers and other input and output have their turn;
 * - a line with a newline in it is refused.
 */
export interface Log extends AsyncDisposable {
  /** Bytes of a torn last line that were cut off when the log was opened. */
  readonly droppedBytes: number;
  /** The last line that stood there when the log was opened. */
  readonly lastLine: string | undefined;
  append(line: string): Promise<void>;
}
