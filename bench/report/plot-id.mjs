/** What a plot is called in file names: its scenario and its title. */
export function plotId(scenario, { title }) {
  const slug = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return `${scenario}.${slug}`
}
