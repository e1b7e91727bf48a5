import {
  deniedCalls,
  deniedIoctls,
  examinedCalls,
  type Machine,
  namespaceFlags,
  netlinkFamily,
  newestCall,
  personalities,
  socketFamilies,
} from './system-calls.ts';

/** One classic BPF instruction. Source: Linux, include/uapi/linux/filter.h and bpf_common.h */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const loadWord = 0x20;
const jumpEqual = 0x15;
const jumpAtLeast = 0x35;
const jumpGreater = 0x25;
const jumpAnyBit = 0x45;
const giveBack = 0x06;

/** Offsets in struct seccomp_data; arguments are 64 bits wide, little-endian: the low word comes first. */
const atNumber = 0;
const atArchitecture = 4;
const atArgument = (index: number): number => 16 + index * 8;

export const verdicts = {
  allow: 0x7fff0000,
  killProcess: 0x80000000,
  errno: (number: number): number => 0x00050000 | number,
};
const eperm = 1;
const enosys = 38;
const eafnosupport = 97;

const auditArchitecture: Readonly<Record<Machine, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** On x64, this bit selects the 32-bit pointer variant of every call: a second door to the same rooms. */
const x32Bit = 0x40000000;

/**
 * The filter of every command, for one architecture. A call of another architecture (32-bit code) kills the process:
 * its numbers mean other calls.
 */
export function buildFilter(machine: Machine): Instruction[] {
  return [
    load(atArchitecture),
    { code: jumpEqual, jt: 1, jf: 0, k: auditArchitecture[machine] },
    answer(verdicts.killProcess),
    load(atNumber),
    ...(machine === 'x64' ? [{ code: jumpAtLeast, jt: 0, jf: 1, k: x32Bit }, answer(verdicts.errno(enosys))] : []),
    { code: jumpGreater, jt: 0, jf: 1, k: newestCall },
    answer(verdicts.errno(enosys)),
    ...denyListed(machine),
    ...examine(machine),
    answer(verdicts.allow),
  ];
}

function denyListed(machine: Machine): Instruction[] {
  const numbers = deniedCalls.flatMap(({ calls }) => calls.map((call) => call[machine])).filter((number) => number !== undefined);
  return numbers.flatMap((number) => whenCall(number, [answer(verdicts.errno(eperm))]));
}

function examine(machine: Machine): Instruction[] {
  const refused = answer(verdicts.errno(eperm));
  const noFamily = answer(verdicts.errno(eafnosupport));
  return [
    ...whenCall(examinedCalls.clone3[machine], [answer(verdicts.errno(enosys))]),
    ...whenCall(examinedCalls.clone[machine], [
      load(atArgument(0)),
      { code: jumpAnyBit, jt: 0, jf: 1, k: namespaceFlags },
      refused,
      answer(verdicts.allow),
    ]),
    ...whenCall(examinedCalls.ioctl[machine], [
      load(atArgument(1)),
      ...deniedIoctls.flatMap((k) => whenCall(k, [refused])),
      answer(verdicts.allow),
    ]),
    ...whenCall(examinedCalls.socketpair[machine], [load(atArgument(0)), ...whenCall(1, [answer(verdicts.allow)]), noFamily]),
    ...whenCall(examinedCalls.socket[machine], [
      load(atArgument(0)),
      ...socketFamilies.flatMap((family) => whenCall(family, [answer(verdicts.allow)])),
      ...whenCall(netlinkFamily, [load(atArgument(2)), ...whenCall(0, [answer(verdicts.allow)]), noFamily]),
      noFamily,
    ]),
    ...whenCall(examinedCalls.personality[machine], [
      load(atArgument(0)),
      ...personalities.flatMap((value) => whenCall(value, [answer(verdicts.allow)])),
      refused,
    ]),
  ];
}

function load(k: number): Instruction {
  return { code: loadWord, jt: 0, jf: 0, k };
}

function answer(k: number): Instruction {
  return { code: giveBack, jt: 0, jf: 0, k };
}

/** The body runs when the loaded word equals the value. A body that does not answer must end in an answer of its own. */
function whenCall(value: number, body: readonly Instruction[]): Instruction[] {
  return [{ code: jumpEqual, jt: 0, jf: body.length, k: value }, ...body];
}

/** As the kernel reads it: struct sock_filter, little-endian. */
export function encodeFilter(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jt, index * 8 + 2);
    bytes.writeUInt8(jf, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  }
  return bytes;
}
