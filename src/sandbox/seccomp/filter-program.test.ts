import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildFilter, encodeFilter, type Instruction, verdicts } from './filter-program.ts';
import { deniedCalls, type Machine } from './system-calls.ts';

const architectures = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

/** What the kernel would answer: the four kinds of instruction that the filter uses. */
function evaluate(program: readonly Instruction[], call: { arch: number; nr: number; args?: readonly bigint[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.nr >>> 0, 0);
  data.writeUInt32LE(call.arch, 4);
  for (const [index, value] of (call.args ?? []).entries()) data.writeBigUInt64LE(value, 16 + index * 8);
  let word = 0;
  for (let at = 0; at < program.length; at += 1) {
    const { code, jt, jf, k } = program[at]!;
    if (code === 0x06) return k >>> 0;
    if (code === 0x20) word = data.readUInt32LE(k);
    else {
      const wanted = k >>> 0;
      const holds =
        code === 0x15 ? word === wanted : code === 0x35 ? word >= wanted : code === 0x25 ? word > wanted : (word & wanted) !== 0;
      at += holds ? jt : jf;
    }
  }
  throw new Error('the program ran off its end');
}

function ask(machine: Machine, nr: number, ...args: bigint[]): number {
  return evaluate(buildFilter(machine), { arch: architectures[machine], nr, args });
}

const eperm = verdicts.errno(1);
const enosys = verdicts.errno(38);
const eafnosupport = verdicts.errno(97);

for (const machine of ['x64', 'arm64'] as const) {
  test(`every listed call is refused on ${machine}`, () => {
    for (const { name, [machine]: number } of deniedCalls.flatMap(({ calls }) => calls)) {
      if (number !== undefined) assert.equal(ask(machine, number), eperm, name);
    }
  });

  test(`code of another architecture is killed on ${machine}`, () => {
    assert.equal(evaluate(buildFilter(machine), { arch: 0x40000003, nr: 1 }), verdicts.killProcess);
  });

  test(`a call newer than the list does not exist on ${machine}`, () => {
    assert.equal(ask(machine, 468), enosys);
    assert.equal(ask(machine, 0x3fffffff), enosys);
  });

  test(`every jump stays inside the program on ${machine}`, () => {
    const program = buildFilter(machine);
    for (const [at, { jt, jf }] of program.entries()) {
      assert.ok(at + Math.max(jt, jf) + 1 < program.length + (program[at]!.code === 0x06 ? 1 : 0), `at ${at}`);
      assert.ok(jt < 256 && jf < 256);
    }
    assert.equal(encodeFilter(program).length, program.length * 8);
    assert.ok(program.length < 4096);
  });
}

const cases: readonly (readonly [name: string, nr: number, args: readonly bigint[], verdict: number])[] = [
  ['read', 0, [], verdicts.allow],
  ['execve', 59, [], verdicts.allow],
  ['clone for fork', 56, [0x1200011n], verdicts.allow],
  ['clone for a thread', 56, [0x3d0f00n], verdicts.allow],
  ['clone with a new user namespace', 56, [0x10000000n], eperm],
  ['clone with a new network namespace', 56, [0x40000011n], eperm],
  ['clone3, whose flags lie in memory', 435, [], enosys],
  ['socket AF_UNIX', 41, [1n, 1n, 0n], verdicts.allow],
  ['socket AF_INET', 41, [2n, 1n, 0n], verdicts.allow],
  ['socket AF_INET6', 41, [10n, 1n, 0n], verdicts.allow],
  ['socket AF_VSOCK', 41, [40n, 1n, 0n], eafnosupport],
  ['socket AF_PACKET', 41, [17n, 3n, 0n], eafnosupport],
  ['socket AF_ALG', 41, [38n, 5n, 0n], eafnosupport],
  ['netlink for routes', 41, [16n, 3n, 0n], verdicts.allow],
  ['netlink for netfilter', 41, [16n, 3n, 12n], eafnosupport],
  ['socketpair AF_UNIX', 53, [1n, 1n, 0n], verdicts.allow],
  ['socketpair AF_TIPC', 53, [30n, 1n, 0n], eafnosupport],
  ['ioctl TCGETS', 16, [0n, 0x5401n], verdicts.allow],
  ['ioctl TIOCSTI', 16, [0n, 0x5412n], eperm],
  ['ioctl TIOCSTI with a high word that the kernel ignores', 16, [0n, 0x1_0000_5412n], eperm],
  ['ioctl TIOCLINUX', 16, [0n, 0x541cn], eperm],
  ['personality query', 135, [0xffffffffn], verdicts.allow],
  ['personality READ_IMPLIES_EXEC', 135, [0x0400000n], eperm],
  ['an x32 call', 0x40000000, [], enosys],
];
for (const [name, nr, args, verdict] of cases) {
  test(`x64: ${name}`, () => {
    assert.equal(ask('x64', nr, ...args), verdict);
  });
}

test('a filter without the architecture check would read 32-bit numbers as its own', () => {
  const sabotaged = buildFilter('x64').with(1, { code: 0x15, jt: 1, jf: 1, k: 0xc000003e });

  assert.notEqual(evaluate(sabotaged, { arch: 0x40000003, nr: 26 }), verdicts.killProcess);
});
