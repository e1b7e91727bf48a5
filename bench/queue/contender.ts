/** A queue under measurement: the same work for each. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  /** Puts one task; resolves when it is stored as durably as this queue does. */
  add(): Promise<unknown>;
  /** Takes and ends so many tasks, one after the other. */
  drainOneByOne(count: number): Promise<void>;
  /** Takes and ends so many tasks as fast as this queue can. */
  drainGrouped(count: number): Promise<void>;
  /** Starts an idle consumer; `onStart` is called when a task is in a handler's hands. */
  consume(onStart: () => void): Promise<AsyncDisposable>;
}
