/** `netarium/node`: what needs Node: the real clock, TAP devices, files on disk, zlib. */
export { diskFiles } from './file-store.ts';
export { NodeNetwork } from './network.ts';
export { RealClock } from './real-clock.ts';
export { TapDevice, TapError } from './tap/device.ts';
export { openTap, type TapLink, type TapOptions } from './tap/link.ts';
export { zlibCodings } from './zlib.ts';
