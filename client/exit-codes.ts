/** Exit statuses of the `iguana` command; documented in the README and stable. */
export const EXIT = {
  ok: 0,
  /** Something failed; the message says what, why, and what to do. */
  failure: 1,
  /** Wrong options, arguments or profiles. Nothing was touched. */
  usage: 2,
  /** The install stands in `needs-attention`. */
  attention: 3,
  /** The install waits for approval of what it destroys. */
  approval: 4,
  /** Ctrl-C: 128 and the number of SIGINT, as shells do. The install goes on. */
  interrupted: 130,
} as const;

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
