import fs from 'node:fs';
import path from 'node:path';

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
}

const listening = '0A';

/** TCP sockets on which a process listens, read from /proc; undefined where it cannot be seen. */
export function listenersOf(procDir: string, pid: number): readonly ListeningSocket[] | undefined {
  const inodes = socketInodes(path.join(procDir, String(pid), 'fd'));
  if (inodes === undefined) return undefined;
  const tables = ['tcp', 'tcp6'].map((name) => path.join(procDir, String(pid), 'net', name)).filter((file) => fs.existsSync(file));
  if (tables.length === 0) return undefined;
  return tables.flatMap((file) =>
    fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .slice(1)
      .flatMap((line) => {
        const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
        if (state !== listening || !inodes.has(inode)) return [];
        const [hex = '', port = ''] = local.split(':');
        return [{ address: hex.length === 8 ? ipv4(hex) : ipv6(hex), port: Number.parseInt(port, 16) }];
      }),
  );
}

function socketInodes(dir: string): Set<string> | undefined {
  let fds: string[];
  try {
    fds = fs.readdirSync(dir);
  } catch {
    // silent-ok: no such process, another user's, or no /proc: the caller says that nothing can be seen.
    return undefined;
  }
  return new Set(fds.flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(path.join(dir, fd)))?.[1] ?? []));
}

/** A descriptor may be closed meanwhile. */
function linkOf(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    // silent-ok: what is closed does not listen.
    return '';
  }
}

/** The kernel writes 32-bit words in the machine's byte order, little-endian on every platform that we support. */
function ipv4(hex: string): string {
  return bytesOf(hex).join('.');
}

function bytesOf(hex: string): number[] {
  return [...Buffer.from(hex, 'hex')].toReversed();
}

function ipv6(hex: string): string {
  const bytes = [0, 8, 16, 24].flatMap((at) => bytesOf(hex.slice(at, at + 8)));
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (isMapped) return bytes.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, n) => (((bytes[n * 2] ?? 0) << 8) | (bytes[n * 2 + 1] ?? 0)).toString(16)).join(':');
  return groups === '0:0:0:0:0:0:0:1' ? '::1' : groups === '0:0:0:0:0:0:0:0' ? '::' : groups;
}

/** Loopback and the overlay's 100.64.0.0/10: where a listener may be. */
export function isPrivateAddress(address: string): boolean {
  if (address === '::1') return true;
  const parts = address.split('.').map(Number);
  return parts.length === 4 && (parts[0] === 127 || (parts[0] === 100 && ((parts[1] ?? 0) & 0xc0) === 64));
}
