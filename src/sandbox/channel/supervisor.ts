/**
 * The first processes inside a sandbox: a POSIX shell script that starts commands on request.
 *
 * Descriptors: 3 stdin, 4 stdout and 5 stderr of commands, 6 requests, 7 kill requests, 8 replies; a command gets
 * only 0, 1 and 2. Three shells: PID 1 reaps orphans and starts the other two again when they are gone; the *runner*
 * reads a request, runs it and reports; the *keeper* answers `k` by killing everything but PID 1 and itself.
 *
 * A text is sent as its number of line feeds, a line feed, then its lines: the shell reads it with `read -r` and never
 * parses it. The three stay foreground children of each other, because a shell makes background children ignore
 * SIGINT and SIGQUIT for good.
 *
 * Replies: `R` ready, at the start and whenever runner and keeper were started again; `S id` request read; `X id status`
 * ended, nothing left; `L id status` ended and left processes behind; `C id` no such working folder; `V n` to `q`: n
 * processes run besides the supervisors; `Y word` to any other word, so that the host knows that all before it is done.
 * With a fifth argument, 5 is 2 at first, and the descriptors that it lists (or `none`) are the doors of the sandbox's resource groups:
 * the first thing that PID 1 does is to go through them, and to close them. The one argument `environment` stands for the
 * words of `_ceilings`, for a shell whose arguments were fixed before its limits were known; without all of them it ends.
 *
 * End of file on the requests ends PID 1, and with it the sandbox: the host is gone.
 */
export const supervisorScript = `umask 022
cd /
if [ "$1" = environment ]; then
  set -- $_ceilings
  unset _ceilings
  [ $# -ge 5 ] || exit 43
  _n=$1 _f=$2 _v=$3 _u=$4
  shift 4
  set -- "$_n" "$_f" "$_v" "$_u" "$*"
fi
if [ "$5" != - ]; then
  [ "$5" = none ] || for _fd in $5; do echo 0 >&"$_fd" || exit 43; done
  exec 0</dev/null 1>/dev/null 5>&2 9>&-
fi
ulimit -c 0
[ "$1" = - ] || ulimit -n "$1"
[ "$2" = - ] || ulimit -f "$2"
[ "$3" = - ] || ulimit -v "$3"
if [ "$4" != - ]; then if (ulimit -u "$4") 2>/dev/null; then ulimit -u "$4"; else ulimit -p "$4"; fi; fi
exec 2>/dev/null
nl='
'
text() {
  IFS= read -r _n || exit 42
  IFS= read -r _v || exit 42
  while [ "$_n" -gt 0 ]; do
    IFS= read -r _l || exit 42
    _v=$_v$nl$_l
    _n=$((_n - 1))
  done
}
enter() {
  cd -- "$_dir" || { echo "C $_id" >&8; exit 126; }
  [ "$_cpu" = - ] || ulimit -t "$_cpu"
  while [ "$_env" -gt 0 ]; do
    export "$1"
    shift
    _env=$((_env - 1))
  done
  exec 2>&5 5>&- 8>&-
  exec "$@"
}
runner() {
  while IFS=' ' read -r _id _cpu _env _count; do
    text
    _dir=$_v
    set --
    while [ "$_count" -gt 0 ]; do
      text
      set -- "$@" "$_v"
      _count=$((_count - 1))
    done
    echo "S $_id"
    ( enter "$@" ) <&3 >&4 3<&- 4>&- 6<&- 7<&-
    _rc=$?
    set -- /proc/[0-9]*
    if [ $# -eq 3 ]; then echo "X $_id $_rc"; else echo "L $_id $_rc"; fi
  done
  exit 42
}
others() {
  [ -n "$_me" ] || IFS=' ' read -r _me _s </proc/self/stat
  _n=0
  for _p in /proc/[0-9]*; do
    [ "$_p" = /proc/1 ] && continue
    [ "$_p" = "/proc/$_me" ] && continue
    if IFS= read -r _s <"$_p/stat"; then
      case \${_s##*') '} in [ZX]*) ;; *) _n=$((_n + 1)) ;; esac
    fi
  done
}
keeper() {
  _me=
  while IFS= read -r _verb; do
    case $_verb in
      k)
        kill -9 -1
        others
        while [ "$_n" -gt 0 ]; do others; done
        exit 0
        ;;
      q)
        others
        echo "V $((_n - 1))"
        ;;
      *) echo "Y $_verb" ;;
    esac
  done
}
while :; do
  echo R >&8
  keeper <&7 >&8 | runner <&6 >&8
  [ $? -eq 42 ] && exit 0
  kill -9 -1
done
`;

/** The script's arguments: ceilings that hold for every command. `ulimit -f` counts blocks of 512 bytes, `-v` of 1024. */
export function supervisorArgs(limits: {
  readonly openFiles?: number;
  readonly fileBytes?: number;
  readonly processMemoryBytes?: number;
  readonly processes?: number;
  /** Descriptors among `doorFds`; absent where something else puts the supervisor under its limits. */
  readonly doors?: readonly number[];
}): string[] {
  const { openFiles, fileBytes, processMemoryBytes, processes, doors } = limits;
  const ceilings = [shown(openFiles), shown(fileBytes, 512), shown(processMemoryBytes, 1024), shown(processes)];
  return [...ceilings, doors === undefined ? '-' : doors.length === 0 ? 'none' : doors.join(' ')];
}

/** Where doors of resource groups can be: a POSIX shell names descriptors by one digit, and the other ones are taken. */
export const doorFds: readonly number[] = [0, 1, 9, 5];

function shown(value: number | undefined, unit = 1): string {
  return value === undefined ? '-' : String(Math.max(1, Math.ceil(value / unit)));
}
