/**
 * What of a home goes into a backup by copying files, as rules on relative paths. Databases are copied by the database,
 * ledgers at one moment of theirs, and runs before them; locks, owners and temporary files mean nothing elsewhere.
 */
export function isPlainPart(relative: string): boolean {
  return !isOwnPart(relative) && !isTemporary(relative) && !isRunsPart(relative) && !isLedgerPart(relative);
}

/** `tenants/<tenant>/runs/…` */
export function isRunsPart(relative: string): boolean {
  return /^tenants\/[^/]+\/runs(\/|$)/.test(relative);
}

export function isTemporary(relative: string): boolean {
  return /(^|\/)\.[^/]+\.tmp$/.test(relative);
}

function isLedgerPart(relative: string): boolean {
  return /^tenants\/[^/]+\/ledger(\/|$)/.test(relative);
}

/** What a process makes for itself, and databases, which are copied by themselves. */
export function isOwnPart(relative: string): boolean {
  return /^(backups(\/|$)|last-backup\.json$|serve\.(json|lock)$|[^/]+\.db(-wal|-shm|-journal)?$|[^/]+\.lock$)/.test(relative);
}
