/**
 * Rounds in which contenders take turns. Other work on a shared machine then falls on all of them, and their ratio within a
 * round stays meaningful when no time does.
 */

/** `contenders`: by name, a function that measures one round. Resolves to a list of rounds: figures by contender. */
export async function takeTurns(contenders, roundCount) {
  const names = Object.keys(contenders)
  const rounds = []
  for (let round = 0; round < roundCount; round++) {
    const figures = {}
    // The order changes, so that neither always follows the other.
    for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name] = await contenders[name]()
    rounds.push(figures)
  }
  return rounds
}
