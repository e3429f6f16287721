/** Plots as PNG, the same on every machine: the font comes from a package, and none of the system's is looked at. */
import { fileURLToPath } from 'node:url'
import { Resvg } from '@resvg/resvg-js'
import { withColors } from './palette.mjs'
import { drawPlot } from './plot.mjs'

const SIZE = { width: 760, height: 440, fontSize: 14, titled: true, padding: 24 }
/** For screens of twice the density, which most are. */
const ZOOM = 2
const FONTS = ['400Regular/Inter_400Regular.ttf', '600SemiBold/Inter_600SemiBold.ttf'].map((file) =>
  fileURLToPath(import.meta.resolve(`@expo-google-fonts/inter/${file}`)),
)

/** `theme` is `light` or `dark`. */
export function plotImage(plot, theme) {
  const svg = withColors(drawPlot(plot, SIZE).toString(), theme)
  const font = { loadSystemFonts: false, fontFiles: FONTS, defaultFontFamily: 'Inter' }
  return new Resvg(svg, { font, fitTo: { mode: 'zoom', value: ZOOM } }).render().asPng()
}
