/** Markup from data: whatever is not markup already is escaped, so that no name in a results file can break the page. */

class Markup {
  constructor(text) {
    this.text = text
  }

  toString() {
    return this.text
  }
}

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** An element of HTML or SVG. Attributes that are undefined are left out; children are texts, markup, or lists of them. */
export function element(name, attributes = {}, ...children) {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([attribute, value]) => ` ${attribute}="${escaped(value)}"`)
    .join('')
  const inner = fragment(children).text
  return new Markup(inner === '' && VOID.has(name) ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`)
}

const VOID = new Set(['meta', 'path', 'line', 'rect'])

/** Several pieces one after the other; what is undefined or null is nothing. */
export function fragment(children) {
  return new Markup(children.flat(Number.POSITIVE_INFINITY).map(pieceText).join(''))
}

function pieceText(piece) {
  if (piece === undefined || piece === null) return ''
  return piece instanceof Markup ? piece.text : escaped(piece)
}

/** Markup that is written down in our own source. */
export function trusted(text) {
  return new Markup(text)
}

function escaped(value) {
  const text = typeof value === 'number' ? shortNumber(value) : String(value)
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character])
}

/** A hundredth of a pixel is enough, and halves the size of a page. */
function shortNumber(value) {
  return String(Math.round(value * 100) / 100)
}
