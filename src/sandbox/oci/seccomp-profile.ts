import { readFile } from 'node:fs/promises';
import * as z from 'zod/mini';
import { deniedCalls, deniedIoctls, namespaceFlags, netlinkFamily, personalities, socketFamilies } from '../seccomp/system-calls.ts';

const rule = z.looseObject({ names: z.array(z.string()), action: z.string() });
const profile = z.looseObject({ defaultAction: z.string(), syscalls: z.array(rule) });
type Profile = z.infer<typeof profile>;
type Rule = z.infer<typeof rule>;

const allow = 'SCMP_ACT_ALLOW';
const refuse = 'SCMP_ACT_ERRNO';

/** The engine's own list of allowed calls, where it can be read: ours is taken out of it. */
const enginePaths = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json'];

/** As strict as both lists together; our own alone where the engine's is not a file. */
export async function buildSeccompProfile(): Promise<Profile> {
  for (const file of enginePaths) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return narrowProfile(profile.parse(JSON.parse(text)));
  }
  return ownProfile();
}

const refused = new Set(deniedCalls.flatMap(({ calls }) => calls.map(({ name }) => name)));
/** Named again by `examined`. */
const replaced = new Set([...refused, 'clone', 'clone3', 'socket', 'socketpair', 'socketcall', 'personality']);

/** Takes every call of our list out of an allowing profile. */
export function narrowProfile(base: Profile): Profile {
  const kept = base.syscalls
    .map((entry): Rule => (entry.action === allow ? { ...entry, names: entry.names.filter((name) => !replaced.has(name)) } : entry))
    .filter(({ names }) => names.length > 0);
  const others = kept.filter((entry) => entry.action === allow || !entry.names.some((name) => replaced.has(name)));
  return { ...base, syscalls: [...others, ...examined()] };
}

/** For engines whose default cannot be read: allows what no rule refuses. */
function ownProfile(): Profile {
  const bits = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => (namespaceFlags & bit) !== 0);
  const families = Array.from({ length: 46 }, (_, family) => family);
  const refuseWhen = (name: string, errnoRet: number, arg: object): Rule => ({ names: [name], action: refuse, errnoRet, args: [arg] });
  const closed = families.filter((family) => !socketFamilies.includes(family) && family !== netlinkFamily);
  return {
    defaultAction: allow,
    syscalls: [
      { names: [...refused], action: refuse, errnoRet: 1 },
      { names: ['clone3', 'socketcall'], action: refuse, errnoRet: 38 },
      ...bits.map((bit) => refuseWhen('clone', 1, { index: 0, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' })),
      ...closed.map((value) => refuseWhen('socket', 97, { index: 0, value, op: 'SCMP_CMP_EQ' })),
      ...families.filter((family) => family !== 1).map((value) => refuseWhen('socketpair', 97, { index: 0, value, op: 'SCMP_CMP_EQ' })),
      ...deniedIoctls.map((value) => refuseWhen('ioctl', 1, { index: 1, value: 0xffffffff, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' })),
    ],
  };
}

function examined(): Rule[] {
  const families = socketFamilies.map((value) => ({ names: ['socket'], action: allow, args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] }));
  return [
    { names: ['clone'], action: allow, args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
    { names: ['clone3'], action: refuse, errnoRet: 38 },
    ...families,
    {
      names: ['socket'],
      action: allow,
      args: [
        { index: 0, value: netlinkFamily, op: 'SCMP_CMP_EQ' },
        { index: 2, value: 0, op: 'SCMP_CMP_EQ' },
      ],
    },
    { names: ['socketpair'], action: allow, args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] },
    ...personalities.map((value) => ({ names: ['personality'], action: allow, args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
  ];
}
