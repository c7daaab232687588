/** What the internet layer sees of the link below it. */

/** A frame as it stands on the wire, without preamble and FCS. Immutable once sent: captures keep it. */
export type Frame = Uint8Array;

/** One end of something that carries frames: a cable's end, a TAP device, a wrapper around one of them. */
export interface Link {
  readonly name: string;
  /** 'ethernet' frames begin with a MAC header, 'ip' ones (TUN) with the IP header. */
  readonly medium: 'ethernet' | 'ip';
  /** Largest IP datagram, bytes. */
  readonly mtu: number;
  send(frame: Frame): void;
  /** Set by whoever sits at this end. */
  receive: (frame: Frame) => void;
}

/** Trace, faults and captures have the shape of what they wrap. */
export type Wrap = (inner: Link) => Link;
