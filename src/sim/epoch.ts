/** What the clocks of a sealed world show when it begins: 2026-01-01T00:00:00Z, in milliseconds since 1970. */
export const EPOCH = 1_767_225_600_000;

/** Virtual nanoseconds to milliseconds since 1970. */
export const wallClock = (now: number): number => EPOCH + Math.floor(now / 1e6);
