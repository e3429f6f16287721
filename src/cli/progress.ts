/** A progress line on standard error for long work; nothing where that is not a terminal or `--json` was asked for. */
import { Presets, SingleBar } from 'cli-progress'

export interface Progress {
  /** `fraction` 0 to 1, or undefined where it is not known. */
  update(step: string, fraction?: number): void
  done(): void
}

const RESOLUTION = 1000

export function showProgress(quiet: boolean): Progress {
  if (quiet || process.stderr.isTTY !== true) return { update: () => {}, done: () => {} }
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} {percentage}%  {duration_formatted}  {step}',
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  )
  bar.start(RESOLUTION, 0, { step: '' })
  return {
    update: (step, fraction) => {
      if (fraction === undefined) bar.update({ step })
      else bar.update(Math.round(Math.min(fraction, 1) * RESOLUTION), { step })
    },
    done: () => bar.stop(),
  }
}
