/** Lua that several scripts begin with. Numbers are doubles: positions are exact up to 2^53. */

/** `isNewer(a, b)`: whether a 16-byte version is greater. Lua compares strings by the locale, so the numbers in them are. */
export const IS_NEWER = `
local function isNewer(a, b)
  local a1, a2, a3, a4 = struct.unpack('>I4I4I4I4', a)
  local b1, b2, b3, b4 = struct.unpack('>I4I4I4I4', b)
  if a1 ~= b1 then return a1 > b1 end
  if a2 ~= b2 then return a2 > b2 end
  if a3 ~= b3 then return a3 > b3 end
  return a4 > b4
end`

/** `putIfNewer(key, row)`: sets the value unless the stored version is as great; a value too short to have one is replaced. */
export const PUT_IF_NEWER = `${IS_NEWER}
local function putIfNewer(key, row)
  local stored = redis.call('GETRANGE', key, 10, 25)
  if #stored == 16 and not isNewer(string.sub(row, 11, 26), stored) then return 'S' end
  redis.call('SET', key, row)
  return 'A'
end`

/** `text(n)`: a whole number in digits; `%d` and `tostring` are not exact above 2^31 or 10^14. */
export const TEXT = `
local function text(n) return string.format('%.0f', n) end`

/** `nowMicros()`: the wall time of the node, microseconds. */
export const NOW_MICROS = `
local function nowMicros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end`

/** `streamId(position)`: positions are microseconds; stream ids are milliseconds and a number within. */
export const STREAM_ID = `${TEXT}
local function streamId(position)
  return text(math.floor(position / 1000)) .. '-' .. text(position % 1000)
end`
