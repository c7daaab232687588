/** The least power of two that is not below `n`, for 1 <= n <= 2^30. */
export const powerOfTwoFrom = (n: number): number => 1 << (32 - Math.clz32(n - 1));
