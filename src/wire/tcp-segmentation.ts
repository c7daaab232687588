/**
 * Segmentation offload in software: a frame with a TCP segment of several units becomes the frames that stand for it on
 * a wire. What virtio 1.2 §5.1.6.2 asks of a device: headers are repeated, sequence numbers and identifications count
 * on, FIN and PSH go with the last piece and CWR with the first, and the checksums are made.
 */
import { finishChecksum, sumWords } from '../base/checksum.ts';
import { seqAdd } from '../base/seq32.ts';
import { addressesSumAt } from './ip-address.ts';
import { ipv4, ipv4HeaderLength, PROTOCOL } from './ipv4.ts';
import { ipv6 } from './ipv6.ts';
import { CWR, FIN, PSH, tcp } from './tcp.ts';

/** `ipAt`: where the IP header starts. A frame that is none of these is left as it is, for its receiver to refuse. */
export function cutFrame(frame: Uint8Array, ipAt: number, unit: number): Uint8Array[] {
  const isV6 = frame[ipAt] >> 4 === 6;
  const tcpAt = ipAt + (isV6 ? ipv6.size : ipv4HeaderLength(frame, ipAt));
  if (tcpAt + tcp.size > frame.length || tcpAt < ipAt + ipv4.size) return [frame];
  const dataAt = tcpAt + tcp.f.dataOffset.get(frame, tcpAt) * 4;
  if (dataAt > frame.length || dataAt < tcpAt + tcp.size) return [frame];
  const data = frame.length - dataAt;
  const flags = tcp.f.flags.get(frame, tcpAt);
  const seq = tcp.f.seq.get(frame, tcpAt);
  const addresses = addressesSumAt(frame, ipAt);
  const pieces: Uint8Array[] = [];
  let done = 0;
  do {
    const length = Math.min(unit, data - done);
    const piece = new Uint8Array(dataAt + length);
    piece.set(frame.subarray(0, dataAt));
    piece.set(frame.subarray(dataAt + done, dataAt + done + length), dataAt);
    const isLast = done + length >= data;
    tcp.f.seq.set(piece, tcpAt, seqAdd(seq, done));
    tcp.f.flags.set(piece, tcpAt, flags & ~(isLast ? 0 : FIN | PSH) & ~(done === 0 ? 0 : CWR));
    if (isV6) ipv6.f.payloadLength.set(piece, ipAt, piece.length - tcpAt);
    else finishIpv4(piece, ipAt, tcpAt, pieces.length);
    finishTcp(piece, tcpAt, addresses);
    pieces.push(piece);
    done += length;
  } while (done < data);
  return pieces;
}

function finishIpv4(piece: Uint8Array, ipAt: number, tcpAt: number, index: number): void {
  const { f } = ipv4;
  f.totalLength.set(piece, ipAt, piece.length - ipAt);
  f.identification.set(piece, ipAt, f.identification.get(piece, ipAt) + index);
  f.headerChecksum.set(piece, ipAt, 0);
  f.headerChecksum.set(piece, ipAt, finishChecksum(sumWords(piece, ipAt, tcpAt)));
}

function finishTcp(piece: Uint8Array, tcpAt: number, addresses: number): void {
  const length = piece.length - tcpAt;
  tcp.f.checksum.set(piece, tcpAt, 0);
  const sum = sumWords(piece, tcpAt, piece.length, addresses + PROTOCOL.tcp + length);
  tcp.f.checksum.set(piece, tcpAt, finishChecksum(sum));
}
