import { closeSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { type CommandRequest, encodeRequest } from './encode-request.ts';
import { type FifoPaths, hideFifos, type HostEnds, openStdinForDraining } from './fifos.ts';
import { newLineReader, parseReply, type Reply } from './reply.ts';
import { feedStdin, type StdinSource } from './stdin-feed.ts';

export interface ChannelCommand extends CommandRequest {
  readonly stdin?: StdinSource | undefined;
  readonly onStdout: (bytes: Uint8Array) => void;
  readonly onStderr: (bytes: Uint8Array) => void;
}

/** `lost`: it was killed, or took its supervisors down with it. `gone`: so did the sandbox. */
export type ChannelOutcome =
  | { readonly kind: 'ended'; readonly status: number }
  | { readonly kind: 'no-folder' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'gone'; readonly reason: string };

interface Running {
  readonly id: number;
  readonly command: ChannelCommand;
  readonly started: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<ChannelOutcome>;
  noFolder: boolean;
}

/** A supervisor that does not answer a kill within this time is stopped with its sandbox. */
const killAnswerMs = 3000;
const mostComplaint = 4096;
/** The kernel's default `fs.pipe-max-size`. */
const largestPipeBytes = 1_048_576;

/** The host's side of a supervisor: runs one command at a time and kills it. */
export class Channel {
  #paths: FifoPaths;
  readonly #ends: HostEnds;
  readonly #stdout: Socket;
  readonly #stderr: Socket;
  readonly #replies: Socket;
  readonly #requests: Socket;
  readonly #kills: Socket;
  readonly #ready = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<string>();
  readonly #words = new Map<string, () => void>();
  #isReady = false;
  /** What came as an error before the first command: from whoever sets the sandbox up. */
  #complaint = '';
  #counts: ((count: number) => void)[] = [];
  #running: Running | undefined;
  #goneReason: string | undefined;
  #next = 0;

  constructor(paths: FifoPaths, ends: HostEnds) {
    this.#paths = paths;
    this.#ends = ends;
    this.#stdout = new Socket({ fd: ends.stdout, readable: true, writable: false });
    this.#stderr = new Socket({ fd: ends.stderr, readable: true, writable: false });
    this.#replies = new Socket({ fd: ends.replies, readable: true, writable: false });
    this.#requests = new Socket({ fd: ends.requests, readable: false, writable: true });
    this.#kills = new Socket({ fd: ends.kills, readable: false, writable: true });
    this.#stdout.on('data', (bytes) => this.#running?.command.onStdout(bytes));
    this.#stderr.on('data', (bytes) => this.#takeStderr(bytes));
    this.#replies.on(
      'data',
      newLineReader((line) => this.#receive(line)),
    );
    this.#replies.on('end', () => this.markGone('its supervisor ended'));
    for (const socket of this.#sockets()) socket.on('error', (error) => this.markGone(error.message));
    this.#ready.promise.catch(() => {}); // silent-ok: whoever waits for it gets the rejection
  }

  /** The supervisor runs and waits. @throws Error with the reason when the sandbox ended before. */
  async ready(): Promise<void> {
    return await this.#ready.promise;
  }

  /** For a sandbox that opened the FIFOs by path, once it is ready: no command finds them any more. */
  async hideFifos(folder: string): Promise<void> {
    this.#paths = await hideFifos(this.#paths, folder);
  }

  /** Settles with the reason, when nothing can run here any more. */
  get gone(): Promise<string> {
    return this.#gone.promise;
  }

  get goneReason(): string | undefined {
    return this.#goneReason;
  }

  /** After it settles, nothing that the command started is alive. */
  async run(command: ChannelCommand): Promise<ChannelOutcome> {
    if (this.#goneReason !== undefined) return { kind: 'gone', reason: this.#goneReason };
    this.#next += 1;
    const text = encodeRequest(this.#next, command);
    const running: Running = {
      id: this.#next,
      command,
      started: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      noFolder: false,
    };
    this.#running = running;
    const input = command.stdin === undefined ? undefined : feedStdin(this.#paths, command.stdin);
    this.#requests.write(text);
    const outcome = await running.ended.promise;
    input?.stop();
    if (outcome.kind === 'lost') await this.#quiet();
    this.#discard(input !== undefined);
    return outcome;
  }

  /** Kills the command with all its processes; `run` then settles with `lost`, unless it had just ended. */
  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await Promise.race([running.started.promise, this.#gone.promise]);
    await this.#killAll();
    this.#finish(running, { kind: 'lost' });
  }

  /** Processes of the running command; 0 when it lost them all without its runner noticing. */
  async countProcesses(): Promise<number> {
    this.#kills.write('q\n');
    const counted = Promise.withResolvers<number>();
    this.#counts.push(counted.resolve);
    return await Promise.race([counted.promise, this.#gone.promise.then(() => 0)]);
  }

  markGone(reason: string): void {
    if (this.#goneReason !== undefined) return;
    this.#drain();
    const why = this.#complaint === '' ? reason : `${reason}: ${this.#complaint.trim()}`;
    this.#goneReason = why;
    this.#gone.resolve(why);
    this.#ready.reject(new Error(why));
    if (this.#running !== undefined) this.#finish(this.#running, { kind: 'gone', reason: why });
    for (const socket of this.#sockets()) socket.destroy();
  }

  #sockets(): Socket[] {
    return [this.#stdout, this.#stderr, this.#replies, this.#requests, this.#kills];
  }

  #receive(line: string): void {
    const reply = parseReply(line);
    if (reply === undefined)
      return this.markGone(`its supervisor said ${JSON.stringify(line.slice(0, 80))}, which is no word of the protocol`);
    if (reply.kind === 'ready') this.#restarted();
    else if (reply.kind === 'processes') this.#counted(reply.count);
    else if (reply.kind === 'word') this.#words.get(reply.word)?.();
    else if (this.#running?.id === reply.id) this.#progress(this.#running, reply);
  }

  #takeStderr(bytes: Uint8Array): void {
    this.#running?.command.onStderr(bytes);
    if (!this.#isReady && this.#complaint.length < mostComplaint) this.#complaint += Buffer.from(bytes).toString('utf8');
  }

  #restarted(): void {
    this.#isReady = true;
    this.#complaint = '';
    this.#ready.resolve();
    this.#counted(0);
    if (this.#running !== undefined) this.#finish(this.#running, { kind: 'lost' });
  }

  #counted(count: number): void {
    for (const resolve of this.#counts.splice(0)) resolve(count);
  }

  #progress(running: Running, reply: Extract<Reply, { id: number }>): void {
    if (reply.kind === 'started') running.started.resolve();
    else if (reply.kind === 'no-folder') running.noFolder = true;
    else this.#ended(running, reply.status, reply.leftProcesses);
  }

  #ended(running: Running, status: number, leftProcesses: boolean): void {
    this.#drain();
    const outcome: ChannelOutcome = running.noFolder ? { kind: 'no-folder' } : { kind: 'ended', status };
    if (!leftProcesses) return this.#finish(running, outcome);
    this.#running = undefined;
    void this.#killAll().then(() =>
      running.ended.resolve(this.#goneReason === undefined ? outcome : { kind: 'gone', reason: this.#goneReason }),
    );
  }

  #finish(running: Running, outcome: ChannelOutcome): void {
    this.#drain();
    if (this.#running === running) this.#running = undefined;
    running.started.resolve();
    running.ended.resolve(outcome);
  }

  async #killAll(): Promise<void> {
    this.#kills.write('k\n');
    await this.#quiet();
  }

  /** Waits until the supervisors have done all that was asked of them before. */
  async #quiet(): Promise<void> {
    if (this.#goneReason !== undefined) return;
    const word = `w${(this.#next += 1)}`;
    const said = Promise.withResolvers<void>();
    this.#words.set(word, said.resolve);
    this.#kills.write(`${word}\n`);
    const timer = setTimeout(() => this.markGone('its supervisor did not answer a kill'), killAnswerMs);
    await Promise.race([said.promise, this.#gone.promise]);
    clearTimeout(timer);
    this.#words.delete(word);
  }

  /** Hands over all that has been written so far: once a command has ended, that is all of its output. */
  #drain(): void {
    drainInto(this.#stdout, this.#ends.stdout, (bytes) => this.#running?.command.onStdout(bytes));
    drainInto(this.#stderr, this.#ends.stderr, (bytes) => this.#takeStderr(bytes));
  }

  #discard(withInput: boolean): void {
    drainInto(this.#stdout, this.#ends.stdout, () => {});
    drainInto(this.#stderr, this.#ends.stderr, () => {});
    if (!withInput || this.#goneReason !== undefined) return;
    const fd = openStdinForDraining(this.#paths);
    readAll(fd, () => {});
    closeSync(fd);
  }
}

/** A socket that is destroyed has closed its descriptor, and the number may be another file by now. */
function drainInto(socket: Socket, fd: number, take: (bytes: Uint8Array) => void): void {
  if (!socket.destroyed) readAll(fd, take);
}

/** At most what a pipe can hold: a process that writes on without end must not keep this loop busy. */
function readAll(fd: number, take: (bytes: Uint8Array) => void): void {
  for (let left = largestPipeBytes; left > 0;) {
    const buffer = Buffer.allocUnsafe(65_536);
    let count: number;
    try {
      count = readSync(fd, buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return; // silent-ok: empty
      throw error;
    }
    if (count === 0) return;
    left -= count;
    take(buffer.subarray(0, count));
  }
}
