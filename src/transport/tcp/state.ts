/**
 * The state machine of TCP as data (RFC 9293 §3.3.2, figure 5, and the transitions that its text adds). `setState`
 * in connection.ts is the one place that changes a state, and takes only what stands here; the diagram in
 * docs/tcp-states.md is generated from it.
 */
export const STATES = [
  'CLOSED',
  'LISTEN',
  'SYN_SENT',
  'SYN_RCVD',
  'ESTABLISHED',
  'FIN_WAIT_1',
  'FIN_WAIT_2',
  'CLOSE_WAIT',
  'CLOSING',
  'LAST_ACK',
  'TIME_WAIT',
] as const;

export type State = (typeof STATES)[number];

export interface Transition {
  from: State;
  to: State;
  /** What happens. */
  on: string;
  /** What is sent in answer. */
  sends?: string;
}

export const TRANSITIONS: readonly Transition[] = [
  { from: 'CLOSED', to: 'LISTEN', on: 'passive OPEN' },
  { from: 'CLOSED', to: 'SYN_SENT', on: 'active OPEN', sends: 'SYN' },
  { from: 'LISTEN', to: 'CLOSED', on: 'CLOSE' },
  { from: 'LISTEN', to: 'SYN_RCVD', on: 'SYN arrives', sends: 'SYN+ACK' },
  { from: 'SYN_SENT', to: 'SYN_RCVD', on: 'SYN arrives (simultaneous open)', sends: 'SYN+ACK' },
  { from: 'SYN_SENT', to: 'ESTABLISHED', on: 'SYN+ACK arrives', sends: 'ACK' },
  { from: 'SYN_SENT', to: 'CLOSED', on: 'CLOSE, RST or R2' },
  { from: 'SYN_RCVD', to: 'ESTABLISHED', on: 'ACK of SYN arrives' },
  { from: 'SYN_RCVD', to: 'FIN_WAIT_1', on: 'CLOSE', sends: 'FIN' },
  { from: 'SYN_RCVD', to: 'CLOSED', on: 'RST or R2' },
  { from: 'ESTABLISHED', to: 'FIN_WAIT_1', on: 'CLOSE', sends: 'FIN' },
  { from: 'ESTABLISHED', to: 'CLOSE_WAIT', on: 'FIN arrives', sends: 'ACK' },
  { from: 'ESTABLISHED', to: 'CLOSED', on: 'ABORT, RST or R2' },
  { from: 'FIN_WAIT_1', to: 'FIN_WAIT_2', on: 'ACK of FIN arrives' },
  { from: 'FIN_WAIT_1', to: 'CLOSING', on: 'FIN arrives (simultaneous close)', sends: 'ACK' },
  { from: 'FIN_WAIT_1', to: 'CLOSED', on: 'ABORT, RST or R2' },
  { from: 'FIN_WAIT_2', to: 'TIME_WAIT', on: 'FIN arrives', sends: 'ACK' },
  { from: 'FIN_WAIT_2', to: 'CLOSED', on: 'ABORT, RST or timeout' },
  { from: 'CLOSE_WAIT', to: 'LAST_ACK', on: 'CLOSE', sends: 'FIN' },
  { from: 'CLOSE_WAIT', to: 'CLOSED', on: 'ABORT, RST or R2' },
  { from: 'CLOSING', to: 'TIME_WAIT', on: 'ACK of FIN arrives' },
  { from: 'CLOSING', to: 'CLOSED', on: 'ABORT, RST or R2' },
  { from: 'LAST_ACK', to: 'CLOSED', on: 'ACK of FIN arrives' },
  { from: 'TIME_WAIT', to: 'CLOSED', on: '2 MSL have passed' },
];

const LEGAL = new Map(
  TRANSITIONS.map(({ from }) => [from, TRANSITIONS.filter(t => t.from === from).map(({ to }) => to)]),
);

/** Whatever there is can end. */
export const isLegal = (from: State, to: State): boolean =>
  to === 'CLOSED' ? from !== 'CLOSED' : (LEGAL.get(from)?.includes(to) ?? false);

/** RFC 9293 §3.4: both ends have agreed on sequence numbers. */
export const isSynchronized = (state: State): boolean =>
  state !== 'CLOSED' && state !== 'LISTEN' && state !== 'SYN_SENT' && state !== 'SYN_RCVD';

/** States in which the other end may still send data. */
export const mayReceive = (state: State): boolean =>
  state === 'ESTABLISHED' || state === 'FIN_WAIT_1' || state === 'FIN_WAIT_2';

/** States in which the user may still hand over data. */
export const mayWrite = (state: State): boolean =>
  state === 'SYN_SENT' || state === 'SYN_RCVD' || state === 'ESTABLISHED' || state === 'CLOSE_WAIT';
