const systemCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);
const sqliteFull = 13;

/** Why a disk takes nothing, when something failed for that, whoever wrapped it: it is nobody's mistake, and passes with room. */
export function diskCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errcode } = error as NodeJS.ErrnoException & { readonly errcode?: number };
  if (errcode === sqliteFull) return 'SQLITE_FULL';
  return code !== undefined && systemCodes.has(code) ? code : diskCodeOf(error.cause);
}
