export type Machine = 'x64' | 'arm64';

export interface DeniedCall {
  readonly name: string;
  /** Its number; missing where that architecture has no such call. */
  readonly x64?: number;
  readonly arm64?: number;
}

/**
 * System calls that no command in a sandbox needs and that reach beyond it, or into parts of the kernel with a bad
 * record. Answered with EPERM. docs/sandboxes.md lists them from here.
 */
export const deniedCalls: readonly { readonly why: string; readonly calls: readonly DeniedCall[] }[] = [
  {
    why: 'Mounts and roots',
    calls: [
      { name: 'mount', x64: 165, arm64: 40 },
      { name: 'umount2', x64: 166, arm64: 39 },
      { name: 'pivot_root', x64: 155, arm64: 41 },
      { name: 'chroot', x64: 161, arm64: 51 },
      { name: 'move_mount', x64: 429, arm64: 429 },
      { name: 'open_tree', x64: 428, arm64: 428 },
      { name: 'open_tree_attr', x64: 467, arm64: 467 },
      { name: 'fsopen', x64: 430, arm64: 430 },
      { name: 'fsconfig', x64: 431, arm64: 431 },
      { name: 'fsmount', x64: 432, arm64: 432 },
      { name: 'fspick', x64: 433, arm64: 433 },
      { name: 'mount_setattr', x64: 442, arm64: 442 },
      { name: 'statmount', x64: 457, arm64: 457 },
      { name: 'listmount', x64: 458, arm64: 458 },
    ],
  },
  {
    why: 'Namespaces',
    calls: [
      { name: 'unshare', x64: 272, arm64: 97 },
      { name: 'setns', x64: 308, arm64: 268 },
    ],
  },
  {
    why: "Other processes' memory and descriptors",
    calls: [
      { name: 'ptrace', x64: 101, arm64: 117 },
      { name: 'process_vm_readv', x64: 310, arm64: 270 },
      { name: 'process_vm_writev', x64: 311, arm64: 271 },
      { name: 'process_madvise', x64: 440, arm64: 440 },
      { name: 'process_mrelease', x64: 448, arm64: 448 },
      { name: 'pidfd_getfd', x64: 438, arm64: 438 },
      { name: 'kcmp', x64: 312, arm64: 272 },
    ],
  },
  {
    why: 'Kernel programs, tracing and asynchronous entry points',
    calls: [
      { name: 'bpf', x64: 321, arm64: 280 },
      { name: 'perf_event_open', x64: 298, arm64: 241 },
      { name: 'userfaultfd', x64: 323, arm64: 282 },
      { name: 'io_uring_setup', x64: 425, arm64: 425 },
      { name: 'io_uring_enter', x64: 426, arm64: 426 },
      { name: 'io_uring_register', x64: 427, arm64: 427 },
      { name: 'fanotify_init', x64: 300, arm64: 262 },
      { name: 'fanotify_mark', x64: 301, arm64: 263 },
    ],
  },
  {
    why: 'Keyrings',
    calls: [
      { name: 'add_key', x64: 248, arm64: 217 },
      { name: 'request_key', x64: 249, arm64: 218 },
      { name: 'keyctl', x64: 250, arm64: 219 },
    ],
  },
  {
    why: 'The machine: modules, clock, power, swap, quota, log, names',
    calls: [
      { name: 'init_module', x64: 175, arm64: 105 },
      { name: 'finit_module', x64: 313, arm64: 273 },
      { name: 'delete_module', x64: 176, arm64: 106 },
      { name: 'create_module', x64: 174 },
      { name: 'query_module', x64: 178 },
      { name: 'get_kernel_syms', x64: 177 },
      { name: 'kexec_load', x64: 246, arm64: 104 },
      { name: 'kexec_file_load', x64: 320, arm64: 294 },
      { name: 'reboot', x64: 169, arm64: 142 },
      { name: 'swapon', x64: 167, arm64: 224 },
      { name: 'swapoff', x64: 168, arm64: 225 },
      { name: 'quotactl', x64: 179, arm64: 60 },
      { name: 'quotactl_fd', x64: 443, arm64: 443 },
      { name: 'acct', x64: 163, arm64: 89 },
      { name: 'syslog', x64: 103, arm64: 116 },
      { name: 'settimeofday', x64: 164, arm64: 170 },
      { name: 'clock_settime', x64: 227, arm64: 112 },
      { name: 'clock_adjtime', x64: 305, arm64: 266 },
      { name: 'adjtimex', x64: 159, arm64: 171 },
      { name: 'sethostname', x64: 170, arm64: 161 },
      { name: 'setdomainname', x64: 171, arm64: 162 },
      { name: 'vhangup', x64: 153, arm64: 58 },
      { name: 'nfsservctl', x64: 180, arm64: 42 },
      { name: 'lookup_dcookie', x64: 212, arm64: 18 },
      { name: 'iopl', x64: 172 },
      { name: 'ioperm', x64: 173 },
    ],
  },
  {
    why: 'Files by handle, outside every path check',
    calls: [
      { name: 'open_by_handle_at', x64: 304 },
      { name: 'name_to_handle_at', x64: 303 },
    ],
  },
  {
    why: 'Memory placement and exotic memory',
    calls: [
      { name: 'move_pages', x64: 279, arm64: 239 },
      { name: 'migrate_pages', x64: 256, arm64: 238 },
      { name: 'mbind', x64: 237, arm64: 235 },
      { name: 'set_mempolicy', x64: 238, arm64: 237 },
      { name: 'set_mempolicy_home_node', x64: 450, arm64: 450 },
      { name: 'memfd_secret', x64: 447, arm64: 447 },
    ],
  },
  {
    why: 'Old and unused',
    calls: [
      { name: 'modify_ldt', x64: 154 },
      { name: 'uselib', x64: 134 },
      { name: 'ustat', x64: 136 },
      { name: 'sysfs', x64: 139 },
      { name: '_sysctl', x64: 156 },
    ],
  },
];

/** Calls that are allowed depending on their arguments; see filter-program.ts. */
export const examinedCalls = {
  clone: { x64: 56, arm64: 220 },
  clone3: { x64: 435, arm64: 435 },
  ioctl: { x64: 16, arm64: 29 },
  socket: { x64: 41, arm64: 198 },
  socketpair: { x64: 53, arm64: 199 },
  personality: { x64: 135, arm64: 92 },
} as const;

/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
export const namespaceFlags: number = 0x80 | 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

/** AF_UNIX, AF_INET, AF_INET6. Not AF_VSOCK, which network namespaces do not separate; not AF_PACKET, AF_ALG, AF_BLUETOOTH, AF_TIPC, … */
export const socketFamilies: readonly number[] = [1, 2, 10];
/** Allowed with the routing protocol only, which programs ask for their addresses. */
export const netlinkFamily = 16;

/** TIOCSTI pushes input to a terminal, TIOCLINUX does through its selection, TIOCSETD loads line disciplines. */
export const deniedIoctls: readonly number[] = [0x5412, 0x541c, 0x5423];

/** PER_LINUX, with and without the flags that programs use; 0xffffffff asks which one it is. */
export const personalities: readonly number[] = [0, 0x0008, 0x20000, 0x20008, 0xffffffff];

/** The newest call that was looked at. A higher number is a call that nobody has judged: ENOSYS, as on an older kernel. */
export const newestCall = 467;
