/** What a bucket holds and how fast it fills again. */
export interface Rate {
  readonly perMinute: number;
  /** How many at once. Default a minute's. */
  readonly burst?: number;
}

export interface RateLimit {
  /** Takes one of the key's; undefined when there was one, else after how many seconds there will be. */
  take(key: string, rate: Rate, nowMs: number): number | undefined;
  /** The same, without taking. */
  peek(key: string, rate: Rate, nowMs: number): number | undefined;
}

interface Bucket {
  left: number;
  atMs: number;
}

/**
 * Token buckets by key. Memory is bounded: at most `maxKeys` buckets, the longest unused goes first, which is a full
 * one unless as many keys are active at once. A clock that steps back fills nothing and empties nothing.
 */
export function openRateLimit(maxKeys = 10_000): RateLimit {
  const buckets = new Map<string, Bucket>();
  const bucketOf = (key: string, rate: Rate, nowMs: number): Bucket => {
    const size = burstOf(rate);
    const known = buckets.get(key);
    const bucket = known ?? { left: size, atMs: nowMs };
    bucket.left = Math.min(size, bucket.left + (Math.max(0, nowMs - bucket.atMs) * rate.perMinute) / 60_000);
    bucket.atMs = nowMs;
    buckets.delete(key);
    buckets.set(key, bucket);
    if (known === undefined && buckets.size > maxKeys) buckets.delete(buckets.keys().next().value as string);
    return bucket;
  };
  const waitOf = (bucket: Bucket, rate: Rate): number | undefined =>
    bucket.left >= 1 ? undefined : rate.perMinute === 0 ? 60 : Math.max(1, Math.ceil(((1 - bucket.left) * 60) / rate.perMinute));
  return {
    take: (key, rate, nowMs) => {
      const bucket = bucketOf(key, rate, nowMs);
      const wait = waitOf(bucket, rate);
      if (wait === undefined) bucket.left -= 1;
      return wait;
    },
    peek: (key, rate, nowMs) => waitOf(bucketOf(key, rate, nowMs), rate),
  };
}

function burstOf({ perMinute, burst }: Rate): number {
  return burst ?? perMinute;
}
