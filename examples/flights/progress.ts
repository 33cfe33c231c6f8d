/** A bar on standard error: `[########------------]  40 %  16000 of 40000`. */
export interface Progress {
  /** Cheap: draws only when the percentage has changed. */
  advance(): void;
  /** Leaves the finished bar behind and ends its line. */
  end(): void;
}

const barLength = 40;

/** Draws nothing at all unless standard error is a terminal. */
export function startProgress(
  total: number,
  stream: { readonly isTTY?: boolean; write(text: string): unknown } = process.stderr,
): Progress {
  if (stream.isTTY !== true) return { advance: () => {}, end: () => {} };
  let done = 0;
  let percentShown = -1;
  return {
    advance() {
      done += 1;
      const percent = Math.floor((done / total) * 100);
      if (percent === percentShown) return;
      percentShown = percent;
      const filled = Math.floor((percent / 100) * barLength);
      const bar = "#".repeat(filled) + "-".repeat(barLength - filled);
      stream.write(`\r[${bar}] ${String(percent).padStart(3)} %  ${done} of ${total}`);
    },
    end() {
      if (percentShown >= 0) stream.write("\n");
    },
  };
}
