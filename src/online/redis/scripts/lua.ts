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

/**
 * `compareVersions(keys, rows, isLeftOut)`: for each row, A if it is to replace what is stored then (the rows before it among that), else S;
 * H for one that is not to be stored, by `isLeftOut(key, version, stored)`, which is nil where all rows may be. A value
 * too short to have a version is replaced. It only reads, and runs before a script's first change: Redis does not undo a
 * script that fails, as this does when a key holds something that is no string.
 */
export const COMPARE_VERSIONS = `${IS_NEWER}
local function compareVersions(keys, rows, isLeftOut)
  local newest, letters = {}, {}
  for i, key in ipairs(keys) do
    local version = string.sub(rows[i], 11, 26)
    local stored = newest[key] or redis.call('GETRANGE', key, 10, 25)
    if isLeftOut and isLeftOut(key, version, stored) then
      letters[i] = 'H'
    else
      local newer = #stored < 16 or isNewer(version, stored)
      letters[i] = newer and 'A' or 'S'
      newest[key] = newer and version or stored
    end
  end
  return letters
end`

/**
 * `leftOut(state, extent, tagLength)`: what `compareVersions` asks, for writes to views of which all, some or no entities are kept online. A
 * view's horizon is a field of the state, as the eight bytes an event timestamp is in a row.
 */
export const LEFT_OUT = `
local function leftOut(state, extent, tagLength)
  if extent == 'all' then return nil end
  if extent == 'none' then return function() return true end end
  local horizons = {}
  return function(key, version, stored)
    if #stored > 0 then return false end
    local view = string.match(string.sub(key, tagLength + 1), '^[^/]*')
    if horizons[view] == nil then horizons[view] = redis.call('HGET', state, 'horizon:' .. view) end
    local horizon = horizons[view]
    if not horizon then return false end
    local zero = string.rep('\\0', 8)
    return not isNewer(string.sub(version, 1, 8) .. zero, horizon .. zero)
  end
end`

/**
 * `passMemoryLimit(key)`: at maxmemory Redis refuses a script at its first change that may need memory, and none after that. What makes
 * room, or must go on then, begins with this one, which is never refused and changes nothing.
 */
export const PASS_MEMORY_LIMIT = `
local function passMemoryLimit(key) redis.call('HDEL', key, '') end`

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

/** `touch(key)`: changes something, and leaves when the key ends as it is. */
export const TOUCH = `
local function touch(key) redis.call('PEXPIRE', key, math.max(1, redis.call('PTTL', key))) end`
